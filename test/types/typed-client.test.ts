// What a page may call on a hub, and what it may not. Checked by `tsc`; nothing here is run against a server.

import { type HubConnection, type IStreamResult, type IStreamSubscriber, Subject } from "@microsoft/signalr";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { defineHub, type HubCaller, type HubDefinition } from "signalr-lambda";
import { type StreamResult, typed, type UntypedConnection } from "signalr-lambda/client";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";

interface ChatClient {
  receiveMessage(user: string, text: string): void;
  typing(): Promise<void>;
  confirm(question: string): boolean;
  measure(): Promise<number>;
}

const chat = defineHub<ChatClient>()({
  methods: {
    sendMessage: { args: [z.string(), z.string()], async handler(_hub, _room, _text) {} },
    length: { args: [z.string().transform(Number)], handler: (_hub, length) => length },
    later: {
      args: [z.iso.date().transform((text) => new Date(text))],
      handler: async (_hub, date) => [date.getTime()],
    },
    none: { args: [], handler: () => "nothing needed" },
    renamed: { name: "SendAll", args: [z.boolean()], handler: (_hub, all) => all },
    shout: (_hub, text: string, times?: number) => text.toUpperCase().repeat(times ?? 1),
    bare: () => undefined,
    refuse: (): never => {
      throw new Error("Never.");
    },
    // biome-ignore lint/suspicious/noExplicitAny: what a method without types returns
    anything: (_hub, value: any): any => value,
  },
});

/** What `defineHub` makes of generators and uploads. */
interface StreamingMethods {
  readonly counter: {
    readonly args: [z.ZodNumber, z.ZodNumber];
    handler(hub: HubCaller<ChatClient>, count: number, delay: number): AsyncGenerator<number, void>;
  };
  readonly lines: (hub: HubCaller<ChatClient>, file: string) => Generator<string>;
  readonly feed: (hub: HubCaller<ChatClient>) => Promise<AsyncIterable<{ readonly price: number }>>;
  readonly list: (hub: HubCaller<ChatClient>) => readonly string[];
  readonly sum: {
    readonly args: [z.ZodString, StandardSchemaV1<AsyncIterable<string>, AsyncIterable<number>>];
    handler(hub: HubCaller<ChatClient>, label: string, numbers: AsyncIterable<number>): Promise<number>;
  };
}
type Streaming = HubDefinition<ChatClient, StreamingMethods>;

const connection = {
  invoke: async () => undefined,
  send: async () => undefined,
  stream: () => ({ subscribe: () => ({ dispose() {} }) }),
  on() {},
  off() {},
} satisfies UntypedConnection;
const client = typed<typeof chat>(connection);
const streaming = typed<Streaming>(connection);

it("is the connection itself", () => {
  expect(client).toBe(connection);
});

it("fits the stock client, which it does not import", () => {
  expectTypeOf<HubConnection>().toExtend<UntypedConnection>();
  expectTypeOf<StreamResult<number>>().toExtend<IStreamResult<number>>();
  expectTypeOf<IStreamResult<number>>().toExtend<StreamResult<number>>();
  expectTypeOf<Subject<number>>().toExtend<StreamResult<number>>();
  expectTypeOf<IStreamSubscriber<number>>().toExtend<Parameters<StreamResult<number>["subscribe"]>[0]>();
});

describe("invoke", () => {
  it("takes what the schemas take, and gives what the method returns", () => {
    expectTypeOf(client.invoke("sendMessage", "lobby", "Hello")).toEqualTypeOf<Promise<void>>();
    expectTypeOf(client.invoke("length", "7")).toEqualTypeOf<Promise<number>>();
    expectTypeOf(client.invoke("later", "2026-01-01")).toEqualTypeOf<Promise<number[]>>();
    expectTypeOf(client.invoke("none")).toEqualTypeOf<Promise<string>>();
    expectTypeOf(client.invoke("refuse")).toEqualTypeOf<Promise<never>>();
    expectTypeOf(client.invoke("anything", 1)).resolves.toBeAny();
    // @ts-expect-error: the schema takes a string, though the handler is given a number
    void client.invoke("length", 7);
    // @ts-expect-error: two arguments
    void client.invoke("sendMessage", "lobby");
    // @ts-expect-error: no arguments
    void client.invoke("none", 1);
    // @ts-expect-error: no such method
    void client.invoke("sendmessage", "lobby", "Hello");
  });

  it("takes the parameters of a short method behind the hub", () => {
    expectTypeOf(client.invoke("shout", "a")).toEqualTypeOf<Promise<string>>();
    expectTypeOf(client.invoke("shout", "a", 2)).toEqualTypeOf<Promise<string>>();
    expectTypeOf(client.invoke("bare")).toEqualTypeOf<Promise<undefined>>();
    // @ts-expect-error: a string
    void client.invoke("shout", 1);
    // @ts-expect-error: a method without parameters
    void client.invoke("bare", 1);
  });

  it("knows a method by the name it is published under, and by no other", () => {
    expectTypeOf(client.invoke("SendAll", true)).toEqualTypeOf<Promise<boolean>>();
    // @ts-expect-error: its key is no name
    void client.invoke("renamed", true);
  });

  it("is not for streaming methods", () => {
    // @ts-expect-error: an asynchronous generator
    void streaming.invoke("counter", 3, 1);
    // @ts-expect-error: a generator
    void streaming.invoke("lines", "file");
    // @ts-expect-error: a promise of an async iterable
    void streaming.invoke("feed");
    expectTypeOf(streaming.invoke("list")).toEqualTypeOf<Promise<readonly string[]>>();
  });

  it("takes a Subject for an upload", () => {
    expectTypeOf(streaming.invoke("sum", "prices", new Subject<string>())).toEqualTypeOf<Promise<number>>();
    expectTypeOf(streaming.send("sum", "prices", {} as IStreamResult<string>)).toEqualTypeOf<Promise<void>>();
    // @ts-expect-error: strings, which the schema makes numbers of
    void streaming.invoke("sum", "prices", new Subject<number>());
    // @ts-expect-error: the client has no async iterables
    void streaming.invoke("sum", "prices", (async function* () {})());
  });
});

describe("send", () => {
  it("takes the same arguments, of every method", () => {
    expectTypeOf(client.send("length", "7")).toEqualTypeOf<Promise<void>>();
    expectTypeOf(streaming.send("counter", 1, 2)).toEqualTypeOf<Promise<void>>();
    // @ts-expect-error: a string
    void client.send("length", 7);
  });
});

describe("stream", () => {
  it("gives the items of a streaming method", () => {
    expectTypeOf(streaming.stream("counter", 3, 1)).toEqualTypeOf<StreamResult<number>>();
    expectTypeOf(streaming.stream("lines", "file")).toEqualTypeOf<StreamResult<string>>();
    expectTypeOf(streaming.stream("feed")).toEqualTypeOf<StreamResult<{ readonly price: number }>>();
    // @ts-expect-error: two numbers
    streaming.stream("counter", "3");
  });

  it("is not for other methods: arrays, strings, any and never are results", () => {
    // @ts-expect-error: an array is sent as one
    streaming.stream("list");
    // @ts-expect-error: no streaming method
    type None = Parameters<typeof client.stream<"shout">>;
    // @ts-expect-error: nobody knows
    type Any = Parameters<typeof client.stream<"anything">>;
    // @ts-expect-error: nothing ever
    type Never = Parameters<typeof client.stream<"refuse">>;
    expectTypeOf<[None, Any, Never]>().not.toBeNever();
  });
});

describe("on", () => {
  it("gives a handler its arguments", () => {
    client.on("receiveMessage", (user, text) => {
      expectTypeOf([user, text]).toEqualTypeOf<string[]>();
    });
    client.on("typing", async () => {});
    const handler = (user: string) => void user;
    expectTypeOf(client.on("receiveMessage", handler)).toEqualTypeOf<void>();
    client.off("receiveMessage", handler);
    client.off("receiveMessage");
    // @ts-expect-error: a string
    client.on("receiveMessage", (user: number) => user);
    // @ts-expect-error: not in the interface
    client.on("received", () => {});
    // @ts-expect-error: not in the interface
    client.off("received");
  });

  it("wants a result of the handler whose client method has one", () => {
    client.on("confirm", (question) => question.length > 3);
    client.on("confirm", async () => true);
    client.on("measure", () => 1);
    // @ts-expect-error: the hub waits for a boolean
    client.on("confirm", () => {});
    // @ts-expect-error: a number
    client.on("measure", async () => "1");
  });
});

it("takes hubs only", () => {
  // @ts-expect-error: no hub
  typed<{ name: string }>(connection);
  // @ts-expect-error: no connection
  typed<typeof chat>({ invoke: async () => undefined });
});
