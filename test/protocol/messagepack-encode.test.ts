// What the server says in MessagePack, byte by byte; the stock client's own parser reads it. Most of the bytes are the
// reference's: MessagePackHubProtocolTestBase.cs of dotnet/aspnetcore.

import { NullLogger } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import fc from "fast-check";
import { core, type ServerMessage } from "signalr-lambda/protocol";
import { describe, expect, it } from "vitest";
import { bytes, frameBytes } from "./binary-strings.ts";

const { encode } = core.protocolOf("messagepack");
const client = new MessagePackHubProtocol();

describe("a message", () => {
  it.each<[ServerMessage, string]>([
    [{ kind: "invocation", target: "method", args: [] }, "96 01 80 c0 a6 'method' 90 90"],
    [{ kind: "invocation", target: "method", args: [42, "string"] }, "96 01 80 c0 a6 'method' 92 2a a6 'string' 90"],
    [{ kind: "invocation", id: "xyz", target: "method", args: [] }, "96 01 80 a3 'xyz' a6 'method' 90 90"],
    [{ kind: "invocation", target: "T", args: [undefined, null] }, "96 01 80 c0 a1 'T' 92 c0 c0 90"],
    [{ kind: "streamItem", id: "xyz", item: 42 }, "94 02 80 a3 'xyz' 2a"],
    [{ kind: "streamItem", id: "xyz", item: undefined }, "94 02 80 a3 'xyz' c0"],
    [{ kind: "streamEnd", id: "xyz" }, "94 03 80 a3 'xyz' 02"],
    [{ kind: "completion", id: "xyz", result: 42 }, "95 03 80 a3 'xyz' 03 2a"],
    [{ kind: "completion", id: "xyz", result: null }, "95 03 80 a3 'xyz' 03 c0"],
    [{ kind: "completion", id: "xyz", result: undefined }, "95 03 80 a3 'xyz' 03 c0"],
    [{ kind: "completion", id: "xyz", result: false }, "95 03 80 a3 'xyz' 03 c2"],
    [{ kind: "completion", id: "xyz", error: "Error!" }, "95 03 80 a3 'xyz' 01 a6 'Error!'"],
    [{ kind: "completion", id: "xyz", error: "" }, "95 03 80 a3 'xyz' 01 a0"],
    [{ kind: "filler" }, "94 03 80 a1 '-' 02"],
    [{ kind: "ping" }, "91 06"],
    [{ kind: "close" }, "93 07 c0 c2"],
    [{ kind: "close", error: "" }, "93 07 c0 c2"],
    [{ kind: "close", error: "Error!" }, "93 07 a6 'Error!' c2"],
    [{ kind: "close", allowReconnect: true }, "93 07 c0 c3"],
    [{ kind: "close", error: "Error!", allowReconnect: true }, "93 07 a6 'Error!' c3"],
    [{ kind: "ack", sequenceId: 1 }, "92 08 01"],
    [{ kind: "ack", sequenceId: Number.MAX_SAFE_INTEGER }, "92 08 cf 00 1f ff ff ff ff ff ff"],
    [{ kind: "sequence", sequenceId: 300 }, "92 09 cd 01 2c"],
  ])("is written as the reference writes it: %j", (message, notation) => {
    expect(encode(message)).toBe(frameBytes(bytes(notation)));
  });

  it("that is a Ping has three bytes", () => {
    expect(encode({ kind: "ping" })).toBe("\u0002\u0091\u0006");
  });

  it.each([
    [100, 1],
    [200, 2],
    [20_000, 3],
    [3_000_000, 4],
  ])("of a text of %i bytes has a length of %i bytes", (size, prefix) => {
    const text = "x".repeat(size);
    const frame = encode({ kind: "close", error: text });
    expect(frame.length - prefix).toBe(frame.indexOf("x") - prefix + size + 1);
    expect(core.protocolOf("messagepack").parse(frame).messages).toEqual([{ kind: "close", error: text }]);
  });
});

describe("a value", () => {
  it.each<[string, unknown, string]>([
    ["an integer of 32 bits", 2 ** 32 - 1, "ce ff ff ff ff"],
    ["a larger integer", 2 ** 32, "cf 00 00 00 01 00 00 00 00"],
    ["the largest integer", Number.MAX_SAFE_INTEGER, "cf 00 1f ff ff ff ff ff ff"],
    ["a negative integer of 32 bits", -(2 ** 31), "d2 80 00 00 00"],
    ["a smaller integer", -(2 ** 31) - 1, "d3 ff ff ff ff 7f ff ff ff"],
    ["a fraction", 1.5, "cb 3f f8 00 00 00 00 00 00"],
    ["NaN", Number.NaN, "cb 7f f8 00 00 00 00 00 00"],
    ["a bigint", 1n, "cf 00 00 00 00 00 00 00 01"],
    ["the largest bigint", 2n ** 64n - 1n, "cf ff ff ff ff ff ff ff ff"],
    ["the smallest bigint", -(2n ** 63n), "d3 80 00 00 00 00 00 00 00"],
    ["bytes", new Uint8Array([0, 255]), "c4 02 00 ff"],
    ["a part of bytes", new Uint8Array([0, 1, 2, 3]).subarray(1, 3), "c4 02 01 02"],
    ["a Buffer", Buffer.from("hi"), "c4 02 'hi'"],
    ["a date", new Date(1000), "d6 ff 00 00 00 01"],
    ["a date within a second", new Date(1500), "d7 ff 77 35 94 00 00 00 00 01"],
    ["a date before 1970", new Date(-1000), "c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff"],
    ["no date", new Date(Number.NaN), "c0"],
    ["what something says of itself", { toJSON: (key: string) => [key] }, "91 a0"],
    ["a URL", new URL("https://a.b/"), "ac 'https://a.b/'"],
    ["an object without what it has not", { a: undefined, b: () => 1, c: Symbol("c"), d: 1 }, "81 a1 'd' 01"],
    ["an array without what it has not", [undefined, () => 1, Symbol("c"), 1], "94 c0 c0 c0 01"],
    ["an array with a hole", Object.assign([], { 1: 1 }), "92 c0 01"],
    ["a Map, as JSON does", new Map([["a", 1]]), "80"],
    ["an own __proto__", JSON.parse('{"__proto__":1}'), "81 a9 '__proto__' 01"],
    ["text that is not ASCII", "€", "a3 '€'"],
  ])("may be %s", (_title, value, notation) => {
    expect(encode({ kind: "completion", id: "1", result: value })).toBe(
      frameBytes(bytes("95 03 80 a1 '1' 03") + bytes(notation)),
    );
    expect(encode({ kind: "streamItem", id: "1", item: { a: [value] } })).toBe(
      frameBytes(bytes("94 02 80 a1 '1' 81 a1 'a' 91") + bytes(notation.replace("91 a0", "91 a1 '0'"))),
    );
  });

  it.each([
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["an object that says it is nothing", { toJSON: () => undefined }],
    ["a circle", circle()],
    ["an object that says it is itself within itself", sayingMore()],
    ["a bigint of more than 64 bits", 2n ** 64n],
    ["a negative bigint of more than 64 bits", -(2n ** 63n) - 1n],
  ])("cannot be %s when it is a result", (_title, value) => {
    expect(() => encode({ kind: "completion", id: "1", result: value })).toThrow(TypeError);
    expect(() => encode({ kind: "streamItem", id: "1", item: value })).toThrow(TypeError);
  });

  it.each([
    ["a circle", circle()],
    ["a bigint of more than 64 bits", 2n ** 64n],
  ])("cannot be %s when it is an argument", (_title, value) => {
    expect(() => encode({ kind: "invocation", target: "t", args: [value] })).toThrow(TypeError);
  });

  it("may have 500 levels and no more", () => {
    const result = (levels: number) => encode({ kind: "completion", id: "1", result: nested(levels) });
    expect(result(500)).toBe(frameBytes(bytes("95 03 80 a1 '1' 03") + bytes("91").repeat(500) + bytes("07")));
    expect(() => result(501)).toThrow(TypeError);
    expect(() => result(100_000)).toThrow(TypeError);
  });
});

/** Nothing is zero below zero, in JSON as here. */
function withoutSign(value: number): number {
  return value === 0 ? 0 : value;
}

describe("the stock client", () => {
  const read = (frame: string) => {
    const { buffer, byteOffset, byteLength } = Buffer.from(frame, "latin1");
    return client.parseMessages(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer, NullLogger.instance);
  };
  const id = fc.string({ minLength: 1 });
  const leaf = fc.oneof(
    fc.maxSafeInteger(),
    fc.double().map(withoutSign),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
  );
  const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value).replaceAll('"__proto__":', '"proto":')));
  const value = fc.oneof(json, leaf, fc.array(leaf));
  const headers = {};

  it("reads it as it was meant", () => {
    fc.assert(
      fc.property(id, fc.array(value), value, (name, args, result) => {
        const frame =
          encode({ kind: "invocation", target: name, args }) +
          encode({ kind: "invocation", id: name, target: name, args }) +
          encode({ kind: "streamItem", id: name, item: result }) +
          encode({ kind: "streamEnd", id: name }) +
          encode({ kind: "completion", id: name, result }) +
          encode({ kind: "completion", id: name, error: name }) +
          encode({ kind: "ping" }) +
          encode({ kind: "close", error: name, allowReconnect: true }) +
          encode({ kind: "close" });
        expect(read(frame)).toEqual([
          { type: 1, headers, target: name, arguments: args, streamIds: [] },
          { type: 1, headers, invocationId: name, target: name, arguments: args, streamIds: [] },
          { type: 2, headers, invocationId: name, item: result },
          { type: 3, headers, invocationId: name },
          { type: 3, headers, invocationId: name, result },
          { type: 3, headers, invocationId: name, error: name },
          { type: 6 },
          { type: 7, error: name, allowReconnect: true },
          { type: 7, error: null, allowReconnect: false },
        ]);
      }),
    );
  });

  it("reads what counts as it was meant", () => {
    const frame =
      encode({ kind: "sequence", sequenceId: 7 }) +
      encode({ kind: "filler" }) +
      encode({ kind: "ack", sequenceId: 5_000_000_000 });
    expect(read(frame)).toEqual([
      { type: 9, sequenceId: 7 },
      { type: 3, headers, invocationId: "-" },
      { type: 8, sequenceId: 5_000_000_000 },
    ]);
  });

  it("reads a bigint as the number nearest to it", () => {
    expect(read(encode({ kind: "completion", id: "1", result: [5n, 2n ** 64n - 1n, -(2n ** 63n)] }))).toMatchObject([
      { result: [5, 2 ** 64, -(2 ** 63)] },
    ]);
  });

  it("reads the same in both protocols, whatever is sent", () => {
    const finite = { withDate: false, withMap: true, withSet: true, withSparseArray: true };
    // Which the stock client's library refuses.
    const key = fc.string().filter((name) => name !== "__proto__");
    fc.assert(
      fc.property(fc.anything({ ...finite, key, values: [json, fc.integer(), fc.string()], maxDepth: 4 }), (sent) => {
        const message = { kind: "completion", id: "1", result: [sent] } as const;
        const [{ result }] = read(encode(message)) as unknown as [{ result: unknown }];
        const text = core.encode(message).slice(0, -1);
        expect(JSON.stringify(result)).toBe(JSON.stringify((JSON.parse(text) as { result: unknown }).result));
      }),
    );
  });
});

function circle(): object {
  const self: Record<string, unknown> = {};
  self.self = self;
  return self;
}

function sayingMore(): object {
  return { toJSON: () => [sayingMore()] };
}

function nested(levels: number): unknown {
  let value: unknown = 7;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}
