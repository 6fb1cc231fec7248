// MessagePack with the stock protocol: where its clients go by themselves, what values become of it in both
// directions, and what bytes do that are none of it.

import { HttpTransportType, Subject } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { Encoder } from "@msgpack/msgpack";
import { defineHub, upload } from "signalr-lambda";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { PollingClient } from "./polling-client.ts";
import { RunningClock } from "./running-clock.ts";
import { calls, closing, type RunningService, start } from "./running-service.ts";

const seen: unknown[] = [];
const chat = defineHub<{ told(...args: unknown[]): void; confirm(value: unknown): unknown }>()({
  methods: {
    echo(_hub, ...values: unknown[]) {
      seen.push(...values);
      return values[0];
    },
    nothing() {},
    fail() {
      throw new Error("broken");
    },
    async describe(_hub, value: unknown) {
      return describeValue(value);
    },
    join: (hub) => hub.groups.add("room"),
    tell: (hub, value: unknown) => hub.clients.group("room").told(value),
    send: (hub, count: number) => hub.clients.caller.told(new Uint8Array(count).fill(255)),
    ask: (hub, value: unknown) => hub.clients.caller.invoke("confirm", [value]),
    async *repeat(_hub, value: unknown, times: number) {
      for (let time = 0; time < times; time++) yield value;
    },
    collect: {
      args: [z.unknown(), upload(z.unknown())],
      async handler(_hub, first, items) {
        const all = [describeValue(first)];
        for await (const item of items) all.push(describeValue(item));
        return all;
      },
    },
    long: { longRunning: true, args: [z.unknown()], handler: (_hub, value) => [describeValue(value), value] },
  },
});

let service: RunningService;
beforeAll(async () => {
  service = await start({ hubs: { chat }, enableDetailedErrors: "local" }, new RunningClock());
  return () => service.close();
});

async function connect() {
  const connection = service.track(service.build("/chat").withHubProtocol(new MessagePackHubProtocol()).build());
  await connection.start();
  return connection;
}

/** What a value is on the server's side. */
function describeValue(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes ${[...value].join(" ")}`;
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (typeof value === "bigint") return `bigint ${value}`;
  return `${value === null ? "null" : typeof value} ${JSON.stringify(value)}`;
}

describe("a stock client with MessagePack", () => {
  it("goes to long polling by itself, with one negotiate", async () => {
    const requests: string[] = [];
    const { DefaultHttpClient, HttpClient, NullLogger } = await import("@microsoft/signalr");
    const inner = new DefaultHttpClient(NullLogger.instance);
    const httpClient = new (class extends HttpClient {
      override send(request: Parameters<typeof inner.send>[0]) {
        requests.push(`${request.method} ${new URL(request.url ?? "").pathname}`);
        return inner.send(request);
      }
    })();
    const builder = service.build("/chat", { httpClient }).withHubProtocol(new MessagePackHubProtocol());
    const connection = service.track(builder.build());
    await connection.start();
    expect(requests.slice(0, 2)).toEqual(["POST /chat/negotiate", "GET /chat"]);
    expect(requests.filter((request) => request.includes("negotiate"))).toHaveLength(1);
    await connection.stop();
  });

  it("cannot be served by sockets or event streams alone, and says so", async () => {
    const only = async (transport: HttpTransportType) => {
      const builder = service.build("/chat", { transport }).withHubProtocol(new MessagePackHubProtocol());
      await service.track(builder.build()).start();
    };
    await expect(only(HttpTransportType.WebSockets)).rejects.toThrow("'WebSockets' does not support Binary.");
    await expect(only(HttpTransportType.ServerSentEvents)).rejects.toThrow(
      "'ServerSentEvents' does not support Binary.",
    );
  });

  it("gets every value back as it was, by a completion, a broadcast and an answer", async () => {
    const values: readonly (readonly [name: string, value: unknown, back?: unknown])[] = [
      ["bytes", new Uint8Array([0, 1, 127, 128, 255])],
      ["no bytes", new Uint8Array()],
      ["many bytes", new Uint8Array(20_000).fill(200)],
      ["a date", new Date(1_700_000_000_123)],
      ["an early date", new Date(-62_135_596_800_000)],
      ["text", "hällo 🚀 \u0000 \u001e"],
      ["an empty text", ""],
      ["integers of every size", [0, -1, 127, 128, -32, -33, 255, 256, 65_535, 65_536, 2 ** 31, -(2 ** 31), 2 ** 32]],
      ["the largest integers", [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]],
      ["other numbers", [1.5, -0.25, 1e300]],
      ["null", null],
      ["undefined, as null", undefined, null],
      ["undefined in lists, as null", [undefined, 1], [null, 1]],
      ["nested maps", { a: { "": [{ constructor: { toString: "x" } }, true, false] } }],
      ["bytes and dates in maps", { list: [{ at: new Date(5), data: new Uint8Array([9]) }] }],
    ];
    const connection = await connect();
    const told = calls(connection, "told");
    connection.on("confirm", (asked) => asked);
    await connection.invoke("join");
    const back = Object.fromEntries(values.map((each) => [each[0], each.length === 3 ? each[2] : each[1]]));
    const echoed = values.map(async ([name, value]) => [name, await connection.invoke("echo", value)]);
    expect(Object.fromEntries(await Promise.all(echoed))).toEqual(back);
    for (const [, value] of values) void connection.send("tell", value);
    for (const [name] of values) expect(await told.next()).toEqual([back[name]]);
    const sent = Object.fromEntries(values.map(([name, value]) => [name, value]));
    expect(await connection.invoke("ask", { ...sent, "undefined, as null": null })).toEqual(back);
    await connection.stop();
  });

  it("streams both ways, by workers, and values are what they were", async () => {
    const connection = await connect();
    const bytes = new Uint8Array([1, 200]);
    const date = new Date(1_700_000_000_123);
    const got: unknown[] = [];
    const streamed = new Promise<void>((complete, error) =>
      connection.stream("repeat", { bytes, date }, 3).subscribe({ next: (item) => got.push(item), complete, error }),
    );
    const subject = new Subject<unknown>();
    const collected = connection.invoke("collect", date, subject);
    for (const item of [bytes, date, null, { n: 1 }, "x"]) subject.next(item);
    subject.complete();
    const long = connection.invoke("long", bytes);
    await streamed;
    expect(got).toEqual(Array(3).fill({ bytes, date }));
    expect(await collected).toEqual([
      "date 1700000000123",
      "bytes 1 200",
      "date 1700000000123",
      "null null",
      'object {"n":1}',
      'string "x"',
    ]);
    expect(await long).toEqual(["bytes 1 200", bytes]);
    await connection.stop();
  });

  it("gets void completions, errors and cancels a stream", async () => {
    const connection = await connect();
    expect(await connection.invoke("nothing")).toBeNull();
    await expect(connection.invoke("fail")).rejects.toThrow(
      "An unexpected error occurred invoking 'fail' on the server.",
    );
    await expect(connection.invoke("absent")).rejects.toThrow(
      "Failed to invoke 'absent' due to an error on the server. HubException: Method does not exist.",
    );
    const first = new Promise<unknown>((next, error) => {
      const subscription = connection.stream("repeat", 1, 1_000_000).subscribe({
        next(item) {
          subscription.dispose();
          next(item);
        },
        error,
        complete: () => error(new Error("It is over.")),
      });
    });
    expect(await first).toBe(1);
    await connection.stop();
  });

  it("sends integers of 64 bits, which come as numbers where those are exact and as bigints elsewhere", async () => {
    const connection = service.track(
      service
        .build("/chat")
        .withHubProtocol(new MessagePackHubProtocol({ context: undefined }))
        .build(),
    );
    await connection.start();
    expect(await connection.invoke("describe", Number.MAX_SAFE_INTEGER)).toBe(`number ${Number.MAX_SAFE_INTEGER}`);
    await connection.stop();
    const client = await shakeHands();
    const encoder = new Encoder({ useBigInt64: true });
    await client.postBody(framed(encoder.encode([1, {}, "1", "describe", [2n ** 63n - 1n]])));
    const { bytes } = await client.poll();
    expect(Buffer.from(bytes).toString("latin1")).toContain("bigint 9223372036854775807");
    // One of a stream that nobody knows is ignored, as any other.
    const item = await client.postBody(framed(encoder.encode([2, {}, "9", 2n ** 63n])));
    expect(item.status).toBe(200);
    await client.postBody(invocation("2", "echo", "here"));
    expect((await client.poll()).text).toContain("here");
    await client.delete();
  });

  it("is sent bytes up to the limit of a message, each of which counts once", async () => {
    const connection = await connect();
    const bytes = new Uint8Array(100_000).fill(255);
    const told = calls(connection, "told");
    await connection.invoke("join");
    await connection.invoke("send", bytes.length);
    expect((await told.next())[0]).toEqual(bytes);
    await connection.stop();
  });
});

const encode = (value: unknown) => new Encoder().encode(value);

function framed(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const prefix = [];
  let { length } = message;
  for (; length > 0x7f; length >>>= 7) prefix.push((length & 0x7f) | 0x80);
  return new Uint8Array([...prefix, length, ...message]);
}

const invocation = (id: string, target: string, ...args: unknown[]) => framed(encode([1, {}, id, target, args]));

async function shakeHands(): Promise<PollingClient> {
  const client = await PollingClient.open(service);
  await client.post('{"protocol":"messagepack","version":1}');
  const { text } = await client.poll();
  expect(text).toBe("{}\u001e");
  return client;
}

describe("bytes that are no MessagePack", () => {
  const good = invocation("1", "echo", "before");
  const withProto = framed(
    new Uint8Array([
      0x95,
      1,
      0x80,
      0xa1,
      0x31,
      0xa4,
      ...Buffer.from("echo"),
      0x91,
      0x81,
      0xa9,
      ...Buffer.from("__proto__"),
      1,
    ]),
  );
  it.each<[string, Uint8Array, RegExp]>([
    ["a truncated message", good.subarray(0, good.length - 3), /Connection terminated while reading a message\./],
    ["a prefix that lies about more", new Uint8Array([0x7f, ...encode([6])]), /Connection terminated while reading/],
    ["a prefix that lies about less", new Uint8Array([1, ...encode([6])]), /InvalidDataException/],
    ["a prefix of gigabytes", new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x07, 1]), /maximum message size of 32768B/],
    ["a prefix without an end", new Uint8Array(8).fill(0xff), /Messages over 2GB in size are not supported\./],
    ["a message that is too large", invocation("1", "echo", "x".repeat(32_768)), /maximum message size of 32768B/],
    ["an array that lies about its length", framed(new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff])), /InvalidData/],
    [
      "a binary that lies about its length",
      framed(new Uint8Array([0x95, 1, 0x80, 0xc0, 0xa1, 0x78, 0x91, 0xc6, 0xff, 0xff, 0xff, 0xff])),
      /./,
    ],
    [
      "too deep a nest",
      framed(new Uint8Array([0x95, 1, 0x80, 0xc0, 0xa1, 0x78, ...Array(20_000).fill(0x91), 0xc0])),
      /./,
    ],
    ["a key `__proto__`", withProto, /InvalidData/],
    ["text", new TextEncoder().encode('{"type":6}\u001e'), /./],
  ])("%s: its connection is closed in the reference's words, others are unharmed", async (_name, body, error) => {
    const other = await shakeHands();
    const client = await shakeHands();
    await client.postBody(new Uint8Array(body));
    let told = "";
    for (;;) {
      const { status, bytes } = await client.poll();
      if (status !== 200) {
        expect(status).toBe(204);
        break;
      }
      told += Buffer.from(bytes).toString("latin1");
    }
    expect(told).toContain("Connection closed with an error.");
    expect(told).toMatch(error);
    expect((await client.postBody(good)).status).toBe(404);
    await other.postBody(good);
    expect(Buffer.from((await other.poll()).bytes).toString("latin1")).toContain("before");
    await other.delete();
  });

  it("runs what came before them", async () => {
    seen.splice(0);
    const client = await shakeHands();
    await client.postBody(new Uint8Array([...good, ...invocation("2", "echo", "second"), 0x7f, 1]));
    let told = "";
    while (!told.includes("Connection closed")) told += Buffer.from((await client.poll()).bytes).toString("latin1");
    expect(seen).toEqual(["before", "second"]);
    expect(told.indexOf("second")).toBeGreaterThan(told.indexOf("before"));
  });

  it("tells a client of JSON from one of MessagePack in one group", async () => {
    const binary = await connect();
    const text = await service.connect("/chat");
    const [toBinary, toText] = [calls(binary, "told"), calls(text, "told")];
    await binary.invoke("join");
    await text.invoke("join");
    await binary.invoke("tell", new Uint8Array([1, 2, 3]));
    expect(await toBinary.next()).toEqual([new Uint8Array([1, 2, 3])]);
    expect(await toText.next()).toEqual(["AQID"]);
    const closed = closing(binary);
    await binary.stop();
    expect(await closed).toBeUndefined();
    await text.stop();
  });
});
