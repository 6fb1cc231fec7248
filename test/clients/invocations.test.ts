// Calls from clients to the hub, and every answer the reference server has for them.

import { defineHub, type HubCaller, HubException } from "signalr-lambda";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { Arrivals } from "../local/local-gateway.ts";
import { type RunningService, serve, start } from "./running-service.ts";

const order: string[] = [];

const chat = defineHub()({
  methods: {
    echo: (_hub, value: unknown) => value,
    sum: { args: [z.number(), z.number()], handler: (_hub, left, right) => left + right },
    profile: { args: [z.object({ name: z.string() })], handler: (_hub, { name }) => name },
    nothing() {},
    tellMuch(_hub, count: number) {
      throw new HubException("x".repeat(count));
    },
    later: async () => undefined,
    fail(_hub, message: string) {
      throw new RangeError(message);
    },
    tell(_hub, message: string) {
      throw new HubException(message);
    },
    throwText() {
      throw "text";
    },
    bigint: () => 2n ** 64n,
    functional: () => () => undefined,
    bytes: (_hub, count: number) => "x".repeat(count),
    note(_hub, text: string) {
      order.push(text);
    },
    slowly: async (_hub, text: string) => {
      await new Promise((resolve) => setImmediate(resolve));
      order.push(text);
    },
    order: () => order.splice(0),
    self(this: object) {
      return Object.keys(this).includes("self");
    },
  },
});

let service: RunningService;
let detailed: RunningService;
beforeAll(async () => {
  service = await start({ hubs: { chat } });
  detailed = await start({ hubs: { chat }, enableDetailedErrors: true });
  return () => Promise.all([service.close(), detailed.close()]);
});

describe("invoke", () => {
  it("rejects without the detail of an error that is too long to be told", async () => {
    const connection = await service.connect();
    const error = "An unexpected error occurred invoking 'tellMuch' on the server.";
    await expect(connection.invoke("tellMuch", 200_000)).rejects.toThrow(new Error(error));
    await expect(connection.invoke("tellMuch", 3)).rejects.toThrow(`${error} HubException: xxx`);
  });

  it("resolves with what the method returns", async () => {
    const connection = await service.connect();
    for (const value of [0, "", "ü😀\u001e", false, null, [1, [2]], { a: { b: null } }]) {
      expect(await connection.invoke("echo", value)).toEqual(value);
    }
    expect(await connection.invoke("sum", 1, 2)).toBe(3);
    expect(await connection.invoke("self")).toBe(true);
  });

  it.each(["nothing", "later"])("of the void method %s resolves with null", async (method) => {
    const connection = await service.connect();
    expect(await connection.invoke(method)).toBeNull();
  });

  it("finds methods in any case", async () => {
    const connection = await service.connect();
    expect(await connection.invoke("SUM", 1, 2)).toBe(3);
    await expect(connection.invoke("FAIL", "x")).rejects.toThrow("invoking 'fail' on the server");
  });

  it("carries what a message may hold, up to 128 KB", async () => {
    const connection = await service.connect();
    const most = 128 * 1024 - '{"type":3,"invocationId":"0","result":""}\u001e'.length;
    expect(await connection.invoke("bytes", most)).toHaveLength(most);
    await expect(connection.invoke("bytes", most + 1)).rejects.toThrow(unexpected("bytes"));
  });

  it("hands __proto__ and its like through as they are", async () => {
    const connection = await service.connect();
    const hostile = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}');
    expect(JSON.stringify(await connection.invoke("echo", hostile))).toBe(JSON.stringify(hostile));
    expect({}).not.toHaveProperty("polluted");
  });
});

describe("send", () => {
  it("is answered by nothing, whatever becomes of it", async () => {
    const client = await detailed.greet();
    for (const target of ["echo", "fail", "bigint", "unknown", "sum"]) client.send({ type: 1, target, arguments: [] });
    expect(await client.invoke("echo", "done")).toEqual({ type: 3, invocationId: "1", result: "done" });
  });

  it("runs one after the other, in the order they were sent", async () => {
    const connection = await service.connect();
    const numbers = Array.from({ length: 20 }, (_, index) => String(index));
    await Promise.all(numbers.map((text, index) => connection.invoke(index % 2 ? "note" : "slowly", text)));
    expect(await connection.invoke("order")).toEqual(numbers);
  });
});

describe("an invocation that fails", () => {
  const binding = "InvalidDataException: Invocation provides";
  const validation = "HubException: Validation failed: argument";

  it.each([
    ["unknown", [], failed("unknown", "HubException: Method does not exist.")],
    ["constructor", [], failed("constructor", "HubException: Method does not exist.")],
    ["__proto__", [], failed("__proto__", "HubException: Method does not exist.")],
    ["toString", [], failed("toString", "HubException: Method does not exist.")],
    ["hasOwnProperty", ["echo"], failed("hasOwnProperty", "HubException: Method does not exist.")],
    ["UnKnown", [], failed("UnKnown", "HubException: Method does not exist.")],
    ["sum", [1], failed("sum")],
    ["sum", [1, 2, 3], failed("sum")],
    ["SUM", [], failed("sum")],
    ["sum", [1, "2"], failed("sum", `${validation} 2: Invalid input: expected number, received string`)],
    ["sum", [null, 2], failed("sum", `${validation} 1: Invalid input: expected number, received null`)],
    ["profile", [{}], failed("profile", `${validation} 1 (name): Invalid input: expected string, received undefined`)],
    ["fail", ["secret"], unexpected("fail")],
    ["throwText", [], unexpected("throwText")],
    ["tell", ["The room is full."], unexpected("tell", "HubException: The room is full.")],
    ["bigint", [], unexpected("bigint")],
    ["functional", [], unexpected("functional")],
    ["bytes", [128 * 1024], unexpected("bytes")],
  ])("says so in the reference's words: %s(%j)", async (target, args, error) => {
    const client = await service.greet();
    expect(await client.invoke(target, ...args)).toEqual({ type: 3, invocationId: "1", error });
  });

  it.each([
    ["sum", [1], failed("sum", `${binding} 1 argument(s) but target expects 2.`)],
    ["sum", [1, 2, 3], failed("sum", `${binding} 3 argument(s) but target expects 2.`)],
    ["fail", ["why"], unexpected("fail", "RangeError: why")],
    ["throwText", [], unexpected("throwText", "Error: text")],
    ["tell", ["why"], unexpected("tell", "HubException: why")],
    ["bigint", [], unexpected("bigint", "TypeError: A bigint of more than 64 bits cannot be serialised.")],
    ["functional", [], unexpected("functional", "TypeError: The result cannot be serialised as JSON.")],
    [
      "bytes",
      [131_072],
      unexpected("bytes", "MessageTooLargeError: The message has 131114 bytes; API Gateway carries"),
    ],
  ])("says why when detailed errors are enabled: %s(%j)", async (target, args, error) => {
    const client = await detailed.greet();
    expect(await client.invoke(target, ...args)).toEqual({
      type: 3,
      invocationId: "1",
      error: expect.stringContaining(error),
    });
  });

  it("is an error of that promise alone: the connection goes on", async () => {
    const connection = await service.connect();
    await expect(connection.invoke("tell", "no")).rejects.toThrow(unexpected("tell", "HubException: no"));
    expect(await connection.invoke("echo", "yes")).toBe("yes");
  });

  it.each<[string, unknown[], string]>([
    ["echo", [1], "The client attempted to invoke the non-streaming 'echo' method with a streaming invocation."],
    ["ECHO", [1], "The client attempted to invoke the non-streaming 'echo' method with a streaming invocation."],
    ["unknown", [], failed("unknown", "HubException: Method does not exist.")],
    ["sum", [1], failed("sum")],
  ])("when it is a stream of what is no streaming method: %s(%j)", async (target, args, error) => {
    const connection = await service.connect();
    const end = new Promise<Error>((resolve) => {
      connection.stream(target, ...args).subscribe({ next() {}, complete() {}, error: resolve });
    });
    expect((await end).message).toBe(error);
  });

  it("when it brings a stream that nobody reads", async () => {
    const client = await service.greet();
    client.send({ type: 1, invocationId: "1", target: "echo", arguments: [], streamIds: ["2"] });
    expect(await client.next()).toEqual({
      type: 3,
      invocationId: "1",
      error: unexpected("echo", "HubException: Client sent 1 stream(s), Hub method expects 0."),
    });
  });
});

describe("an invocation that takes longer than a function may", () => {
  it("is aborted and answered after 25 s, and its hub is dead from then on", async () => {
    const started = new Arrivals<HubCaller<object>>();
    const slow = defineHub()({
      methods: {
        forever(hub) {
          started.push(hub);
          return new Promise(() => undefined);
        },
        echo: (_hub, value: unknown) => value,
      },
    });
    const service = await serve({ hubs: { chat: slow }, enableDetailedErrors: true });
    const connection = await service.connect();
    const result = connection.invoke("forever");
    const hub = await started.next();
    const aborted = new Promise((resolve) => hub.aborted.addEventListener("abort", resolve));
    await Promise.all([
      expect(result).rejects.toThrow(unexpected("forever", "TimeoutError: The method ran longer than 25 s")),
      service.clock.advance(25_000),
      aborted,
    ]);
    await expect(hub.clients.all.send("late")).rejects.toMatchObject({ code: "time_limit" });
    await expect(hub.groups.add("late")).rejects.toMatchObject({ code: "time_limit" });
    expect(await connection.invoke("echo", "next")).toBe("next");
  });
});

/** What a client is told when its arguments do not reach a method. */
function failed(method: string, detail?: string): string {
  return [`Failed to invoke '${method}' due to an error on the server.`, detail].filter(Boolean).join(" ");
}

/** What a client is told when the method was reached. */
function unexpected(method: string, detail?: string): string {
  return [`An unexpected error occurred invoking '${method}' on the server.`, detail].filter(Boolean).join(" ");
}
