// What TypeScript infers and refuses. Checked by `tsc`; running it shows that it means what it says.

import { defineHub, type HubCaller, type HubDefinition, type HubServer, type JsonValue } from "signalr-lambda";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";

interface ChatClient {
  receiveMessage(user: string, text: string): void;
  typing(): Promise<void>;
  confirm(question: string): boolean;
}

describe("a checked method", () => {
  it("takes its arguments' types from its schemas, after parsing", () => {
    defineHub<ChatClient>()({
      methods: {
        none: {
          args: [],
          handler(hub, ...rest) {
            expectTypeOf(hub).toEqualTypeOf<HubCaller<ChatClient>>();
            expectTypeOf(rest).toEqualTypeOf<[]>();
          },
        },
        one: { args: [z.string().max(3)], handler: (_hub, text) => expectTypeOf(text).toEqualTypeOf<string>() },
        many: {
          args: [z.number(), z.object({ name: z.string().optional() }), z.coerce.date(), z.string().transform(Number)],
          async handler(_hub, count, person, date, length) {
            expectTypeOf(count).toEqualTypeOf<number>();
            expectTypeOf(person).toEqualTypeOf<{ name?: string | undefined }>();
            expectTypeOf(date).toEqualTypeOf<Date>();
            expectTypeOf(length).toEqualTypeOf<number>();
          },
        },
        // Beside short ones, too: that is where a simpler signature infers nothing.
        short: (hub, text: string) => {
          expectTypeOf(hub).toEqualTypeOf<HubCaller<ChatClient>>();
          return text.length;
        },
      },
    });
  });

  it("keeps what its methods are in its own type", () => {
    const hub = defineHub<ChatClient>()({
      methods: {
        sum: { args: [z.number(), z.number()], handler: (_hub, left, right) => left + right },
        shout: (_hub, text: string) => text.toUpperCase(),
      },
    });
    expectTypeOf(hub).toExtend<HubDefinition<ChatClient, object>>();
    expectTypeOf(hub.methods.sum.handler).returns.toEqualTypeOf<number>();
    expectTypeOf(hub.methods.sum.args).toEqualTypeOf<[z.ZodNumber, z.ZodNumber]>();
    expectTypeOf(hub.methods.shout).returns.toEqualTypeOf<string>();
    expectTypeOf(hub.methods.shout).parameter(1).toEqualTypeOf<string>();
  });

  it("is refused with a property that means nothing, a schema that is none, or a handler that asks for more", () => {
    refusedAtRunTimeToo(() =>
      defineHub()({
        methods: {
          misspelt: {
            args: [z.string()],
            handler: () => undefined,
            // @ts-expect-error: `authorise` is no option of a method
            authorise: true,
          },
        },
      }),
    );
    refusedAtRunTimeToo(() =>
      // @ts-expect-error: a constructor is no schema
      defineHub()({ methods: { wrong: { args: [String], handler: () => undefined } } }),
    );
    defineHub()({
      methods: {
        // @ts-expect-error: the schema gives a string
        typed: { args: [z.string()], handler: (_hub, count: number) => count },
      },
    });
    // @ts-expect-error: a method is a function, or has one
    refusedAtRunTimeToo(() => defineHub()({ methods: { text: "not a method" } }));
  });
});

describe("events", () => {
  it("are given the hub and the reason", () => {
    defineHub<ChatClient>()({
      methods: {},
      authorize: { roles: ["Admin"] },
      onConnected: (hub) => expectTypeOf(hub).toEqualTypeOf<HubCaller<ChatClient>>(),
      onDisconnected(hub, { stopCalled, error }) {
        expectTypeOf(hub).toEqualTypeOf<HubCaller<ChatClient>>();
        expectTypeOf(stopCalled).toEqualTypeOf<boolean>();
        expectTypeOf(error?.message).toEqualTypeOf<string | undefined>();
        expectTypeOf(error?.code).extract<"client_timeout">().not.toBeNever();
      },
    });
  });
});

describe("a client proxy", () => {
  it("has the methods that return nothing, as sends", () => {
    type Clients = HubCaller<ChatClient>["clients"];
    expectTypeOf<Clients["all"]>().toHaveProperty("send");
    expectTypeOf<Clients["all"]["receiveMessage"]>().toEqualTypeOf<(user: string, text: string) => Promise<void>>();
    expectTypeOf<Clients["caller"]["typing"]>().toEqualTypeOf<() => Promise<void>>();
    // A client result is asked for, not sent.
    expectTypeOf<Clients["caller"]>().not.toHaveProperty("confirm");
    expectTypeOf<ReturnType<Clients["group"]>>().toEqualTypeOf<Clients["all"]>();
    expectTypeOf<Clients["others"]["send"]>().toEqualTypeOf<(target: string, ...args: unknown[]) => Promise<void>>();
  });

  it("refuses wrong arguments and unknown methods", () => {
    defineHub<ChatClient>()({
      methods: {
        async wrong(hub) {
          // @ts-expect-error: two strings
          await hub.clients.all.receiveMessage("only one");
          // @ts-expect-error: no number
          await hub.clients.group("red").receiveMessage("ada", 1);
          // @ts-expect-error: not in the interface
          await hub.clients.all.unknown();
        },
      },
    });
  });

  it("refuses the names of its own forms, and of Promise's, as client methods", () => {
    // @ts-expect-error: the untyped send
    defineHub<{ send(text: string): void }>()({ methods: {} });
    // @ts-expect-error: the client result
    defineHub<{ invoke(text: string): void }>()({ methods: {} });
    // @ts-expect-error: all clients' results
    defineHub<{ invokeAll(text: string): void }>()({ methods: {} });
    // @ts-expect-error: what makes a promise of an object
    defineHub<{ then(text: string): void }>()({ methods: {} });
    // @ts-expect-error: a client is called, not read
    defineHub<{ name: string }>()({ methods: {} });
  });
});

describe("the caller's items", () => {
  it("are JSON", () => {
    expectTypeOf<HubCaller<object>["items"]>().toEqualTypeOf<Map<string, JsonValue>>();
    expectTypeOf<{ a: (number | null)[] }>().toExtend<JsonValue>();
    expectTypeOf<Date>().not.toExtend<JsonValue>();
    expectTypeOf<bigint>().not.toExtend<JsonValue>();
    expectTypeOf<undefined>().not.toExtend<JsonValue>();
  });
});

function refusedAtRunTimeToo(definition: () => unknown): void {
  expect(definition).toThrow(TypeError);
}

describe("an event of a user", () => {
  it("has a hub without a caller, typed by the client interface", () => {
    defineHub<ChatClient>()({
      methods: {},
      async onUserOnline(hub, change) {
        expectTypeOf(hub).toEqualTypeOf<HubServer<ChatClient>>();
        expectTypeOf(change.userIdentifier).toEqualTypeOf<string>();
        await hub.clients.user(change.userIdentifier).receiveMessage("server", "Welcome.");
        // @ts-expect-error there is no caller
        await hub.clients.caller.typing();
        // @ts-expect-error nobody joins by this
        await hub.groups.add("red");
        const { connectionIds, next } = await hub.presence.connections({ group: "red", limit: 10 });
        expectTypeOf(connectionIds).toEqualTypeOf<readonly string[]>();
        expectTypeOf(next).toEqualTypeOf<string | undefined>();
        // @ts-expect-error one or the other
        await hub.presence.count({ group: "red", user: "ada" });
      },
    });
  });
});
