// What TypeScript infers and refuses. Checked by `tsc`; running it shows that it means what it says.

import {
  defineHub,
  defineService,
  type HubCaller,
  type HubDefinition,
  HubException,
  type HubFilter,
  type HubServer,
  type JsonValue,
} from "signalr-lambda";
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

describe("authorisation of a method", () => {
  it("asks for a sign-in, roles, a policy, or both", () => {
    const handler = () => undefined;
    const hub = defineHub()({
      methods: {
        member: { args: [], authorize: true, handler },
        admin: { args: [], authorize: { roles: ["Admin"] }, handler },
        premium: { args: [z.string()], authorize: { policy: "premium" }, handler: (_hub, text) => text.length },
        both: { args: [], authorize: { roles: ["Admin"], policy: "premium" }, handler },
      },
    });
    expectTypeOf(hub.methods.premium.handler).returns.toEqualTypeOf<number>();
    refusedAtRunTimeToo(() =>
      // @ts-expect-error: not to be asked for is to leave it out
      defineHub()({ methods: { wrong: { args: [], authorize: false, handler } } }),
    );
    // @ts-expect-error: neither roles nor a policy
    refusedAtRunTimeToo(() => defineHub()({ methods: { wrong: { args: [], authorize: {}, handler } } }));
    refusedAtRunTimeToo(() =>
      // @ts-expect-error: `policies` is an option of the service
      defineHub()({ authorize: { policies: ["premium"] }, methods: {} }),
    );
  });

  it("lets policies see what is known", () => {
    defineService({
      hubs: { chat: defineHub()({ methods: {} }) },
      policies: {
        premium({ user, method, args, connectionId }) {
          expectTypeOf(user.claims).toEqualTypeOf<Readonly<Record<string, unknown>>>();
          expectTypeOf(method).toEqualTypeOf<string | undefined>();
          expectTypeOf(connectionId).toEqualTypeOf<string | undefined>();
          expectTypeOf(args).toEqualTypeOf<readonly unknown[]>();
          return true;
        },
        // @ts-expect-error: a policy says yes or no
        text: () => "yes",
        later: async () => true,
      },
    });
  });
});

describe("services", () => {
  interface Database {
    readonly db: { get(key: string): Promise<string> };
  }
  interface Mailer {
    readonly mailer: { send(text: string): void };
  }
  const db = { get: async (key: string) => key };
  const mailer = { send: (_text: string) => undefined };
  const chat = defineHub<ChatClient, Database>()({
    methods: {
      checked: {
        args: [z.string()],
        handler(hub, key) {
          expectTypeOf(hub).toEqualTypeOf<HubCaller<ChatClient, Database>>();
          return hub.services.db.get(key);
        },
      },
      short: (hub, key: string) => hub.services.db.get(key),
      wrong: (hub) => {
        // @ts-expect-error: no such service
        return (() => hub.services.mailer) && undefined;
      },
    },
    onConnected: (hub) => expectTypeOf(hub.services).toEqualTypeOf<Database>(),
    onDisconnected: (hub) => expectTypeOf(hub.services).toEqualTypeOf<Database>(),
    filters: [
      {
        invokeMethod(context, next) {
          expectTypeOf(context.services).toEqualTypeOf<Database>();
          return next({ ...context, hubMethodArguments: [] });
        },
      },
    ],
  });
  const mail = defineHub<object, Mailer>()({ methods: {} });
  const plain = defineHub()({ methods: {} });

  it("keep what methods return in the hub's type", () => {
    expectTypeOf(chat.methods.checked.handler).returns.toEqualTypeOf<Promise<string>>();
    expectTypeOf(chat).toExtend<HubDefinition<ChatClient, object, Database>>();
  });

  it("must be what all hubs want", () => {
    defineService({ hubs: { plain } });
    defineService({ hubs: { plain }, services: () => ({ db }) });
    defineService({ hubs: { chat, plain }, services: () => ({ db }) });
    defineService({ hubs: { chat, mail }, services: async () => ({ db, mailer, more: 1 }) });
    // @ts-expect-error: none at all
    defineService({ hubs: { chat } });
    // @ts-expect-error: no mailer
    defineService({ hubs: { chat, mail }, services: () => ({ db }) });
    // @ts-expect-error: no mailer, later
    defineService({ hubs: { plain, mail }, services: async () => ({ db }) });
    // @ts-expect-error: another database
    defineService({ hubs: { chat }, services: () => ({ db: { get: (key: number) => key } }) });
  });

  it("must be what filters of the service want", () => {
    const filter: HubFilter<Mailer> = { onConnected: (context) => context.services.mailer.send("Hello") };
    defineService({ hubs: { chat }, services: () => ({ db, mailer }), filters: [filter] });
    // @ts-expect-error: no mailer
    defineService({ hubs: { chat }, services: () => ({ db }), filters: [filter] });
    // @ts-expect-error: none at all
    defineService({ hubs: { plain }, filters: [filter] });
    // @ts-expect-error: a hub's filter finds what its hub does
    defineHub<object, Database>()({ methods: {}, filters: [filter] });
  });

  it("are checked beside other options, whose names are checked too", () => {
    // @ts-expect-error: `polices` is no option
    defineService({ hubs: { chat }, services: () => ({ db }), polices: {} });
    // @ts-expect-error: `onConected` is no event
    refusedAtRunTimeToo(() => defineHub()({ methods: {}, filters: [{ onConected: () => undefined }] }));
  });
});

describe("a filter", () => {
  it("is shown the context and what is inside", () => {
    const filter: HubFilter = {
      async invokeMethod(context, next) {
        expectTypeOf(context.hub).toEqualTypeOf<HubCaller<object>>();
        expectTypeOf(context.hubMethodName).toEqualTypeOf<string>();
        expectTypeOf(context.hubMethodArguments).toEqualTypeOf<readonly unknown[]>();
        if (context.hubMethodArguments.length > 7) throw new HubException("Too many.");
        const result = await next(context);
        expectTypeOf(result).toEqualTypeOf<unknown>();
        return result;
      },
      async onDisconnected(context, { stopCalled }, next) {
        expectTypeOf(stopCalled).toEqualTypeOf<boolean>();
        await next(context);
      },
    };
    expectTypeOf(filter).toExtend<HubFilter<{ readonly db: object }>>();
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
