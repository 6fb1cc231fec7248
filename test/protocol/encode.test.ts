// What the server says, byte by byte. The unmodified client's own parser reads it in test/clients.

import { JsonHubProtocol, NullLogger } from "@microsoft/signalr";
import fc from "fast-check";
import { core, type ServerMessage } from "signalr-lambda/protocol";
import { describe, expect, it } from "vitest";
import { frame, RS } from "./records.ts";

describe("a message", () => {
  it.each<[ServerMessage, string]>([
    [{ kind: "invocation", target: "Target", args: [] }, '{"type":1,"target":"Target","arguments":[]}'],
    [{ kind: "invocation", target: "T", args: [1, "a", null] }, '{"type":1,"target":"T","arguments":[1,"a",null]}'],
    [{ kind: "invocation", target: "T", args: [undefined] }, '{"type":1,"target":"T","arguments":[null]}'],
    [{ kind: "completion", id: "1", result: { a: [] } }, '{"type":3,"invocationId":"1","result":{"a":[]}}'],
    [{ kind: "completion", id: "1", result: null }, '{"type":3,"invocationId":"1","result":null}'],
    [{ kind: "completion", id: "1", result: undefined }, '{"type":3,"invocationId":"1","result":null}'],
    [{ kind: "completion", id: "1", result: false }, '{"type":3,"invocationId":"1","result":false}'],
    [{ kind: "completion", id: "1", error: "Whoops!" }, '{"type":3,"invocationId":"1","error":"Whoops!"}'],
    [{ kind: "ping" }, '{"type":6}'],
    [{ kind: "close" }, '{"type":7}'],
    [{ kind: "close", allowReconnect: false }, '{"type":7}'],
    [{ kind: "close", error: "" }, '{"type":7,"error":""}'],
    [{ kind: "close", error: "Bye", allowReconnect: true }, '{"type":7,"error":"Bye","allowReconnect":true}'],
    [{ kind: "ack", sequenceId: 1 }, '{"type":8,"sequenceId":1}'],
    [{ kind: "ack", sequenceId: Number.MAX_SAFE_INTEGER }, '{"type":8,"sequenceId":9007199254740991}'],
    [{ kind: "sequence", sequenceId: 12 }, '{"type":9,"sequenceId":12}'],
    [{ kind: "filler" }, '{"type":3,"invocationId":"-","result":null}'],
  ])("is written as the reference writes it: %j", (message, record) => {
    expect(core.encode(message)).toBe(frame(record));
  });

  it.each([
    ["a bigint of more than 64 bits", 2n ** 64n],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a circle", circle()],
    ["an object that says it is nothing", { toJSON: () => undefined }],
  ])("cannot carry %s as a result", (_title, result) => {
    expect(() => core.encode({ kind: "completion", id: "1", result })).toThrow(TypeError);
  });

  it.each([
    ["a bigint of more than 64 bits", -(2n ** 63n) - 1n],
    ["a circle", circle()],
  ])("cannot carry %s as an argument", (_title, argument) => {
    expect(() => core.encode({ kind: "invocation", target: "t", args: [argument] })).toThrow(TypeError);
  });

  it.each([
    ["bytes", new Uint8Array([1, 2, 255]), '"AQL/"'],
    ["no bytes", new Uint8Array(), '""'],
    ["a part of bytes", new Uint8Array([0, 1, 2, 255, 0]).subarray(1, 4), '"AQL/"'],
    ["a Buffer", Buffer.from("hello"), '"aGVsbG8="'],
    ["bytes within", { deep: [{ bytes: new Uint8Array([1]) }] }, '{"deep":[{"bytes":"AQ=="}]}'],
    ["bytes that something says it is", { toJSON: () => Buffer.from("hello") }, '"aGVsbG8="'],
    ["a small bigint", 1n, "1"],
    ["the largest bigint", 2n ** 64n - 1n, "18446744073709551615"],
    ["the smallest bigint", -(2n ** 63n), "-9223372036854775808"],
    ["a bigint within", { a: [1n], "": "1n" }, '{"a":[1],"":"1n"}'],
    ["a date beside a bigint", [new Date(0), new Date(Number.NaN), 1n], '["1970-01-01T00:00:00.000Z",null,1]'],
    [
      "what JSON has no words for beside a bigint",
      [1n, undefined, () => 1, { a: undefined, b: Symbol("b") }],
      "[1,null,null,{}]",
    ],
    ["what is no number beside a bigint", [1n, Number.NaN, Number.POSITIVE_INFINITY, -0], "[1,null,null,0]"],
    ["an object that says it is itself beside a bigint", [1n, sayingSo()], '[1,{"a":1}]'],
    ["an own __proto__ beside bytes", JSON.parse('{"__proto__":{"a":1},"b":[]}'), '{"__proto__":{"a":1},"b":[]}'],
  ])("carries %s", (_title, value, json) => {
    expect(core.encode({ kind: "completion", id: "1", result: value })).toBe(
      frame(`{"type":3,"invocationId":"1","result":${json}}`),
    );
    expect(core.encode({ kind: "streamItem", id: "1", item: [value] })).toBe(
      frame(`{"type":2,"invocationId":"1","item":[${json}]}`),
    );
    expect(core.encode({ kind: "invocation", target: "t", args: [value, Buffer.of(1)] })).toBe(
      frame(`{"type":1,"target":"t","arguments":[${json},"AQ=="]}`),
    );
  });

  it("spells values beside bytes as JSON.stringify does", () => {
    fc.assert(
      fc.property(fc.anything({ withDate: true, withMap: true, withSet: true, withSparseArray: true }), (value) => {
        const json = (...args: readonly unknown[]) => core.encode({ kind: "invocation", target: "t", args });
        expect(json(value)).toBe(frame(`{"type":1,"target":"t","arguments":${JSON.stringify([value])}}`));
        expect(json(value, 1n)).toBe(json(value, 1));
      }),
    );
  });

  it("asks bigints how they want to be spelled, where a program has taught them", () => {
    const taught = Object.assign(BigInt.prototype, { toJSON: () => "big" }) as { toJSON?: unknown };
    try {
      expect(core.encode({ kind: "completion", id: "1", result: [1n] })).toContain('"result":["big"]');
    } finally {
      delete taught.toJSON;
    }
  });

  it.each([
    [60, 1],
    [60, new Uint8Array(1)],
    [500, new Uint8Array(1)],
    [500, "x"],
  ])("may carry %i levels", (levels, leaf) => {
    const spelled = leaf instanceof Uint8Array ? '"AA=="' : JSON.stringify(leaf);
    const json = "[".repeat(levels) + spelled + "]".repeat(levels);
    expect(core.encode({ kind: "completion", id: "1", result: nested(levels, leaf) })).toContain(`"result":${json}}`);
  });

  it("may not carry more than 500 levels", () => {
    expect(() => core.encode({ kind: "completion", id: "1", result: nested(501, 1) })).toThrow(TypeError);
    expect(() => core.encode({ kind: "completion", id: "1", result: nested(100_000, 1) })).toThrow(TypeError);
  });

  it("holds exactly one record separator, whatever it carries", () => {
    const text = `a${RS}b\u0000\ud800`;
    for (const message of [
      { kind: "invocation", target: text, args: [text, { [text]: text }] },
      { kind: "completion", id: text, result: text },
      { kind: "completion", id: text, error: text },
      { kind: "close", error: text },
    ] as const) {
      expect(core.encode(message).indexOf(RS)).toBe(core.encode(message).length - 1);
    }
  });

  it("is read by the stock client as it was meant", () => {
    const client = new JsonHubProtocol();
    const id = fc.string({ minLength: 1 });
    const value = fc.jsonValue().map((json) => JSON.parse(JSON.stringify(json)));
    fc.assert(
      fc.property(id, fc.array(value), value, (name, args, result) => {
        const text =
          core.encode({ kind: "invocation", target: name, args }) +
          core.encode({ kind: "completion", id: name, result }) +
          core.encode({ kind: "completion", id: name, error: name }) +
          core.encode({ kind: "close", error: name, allowReconnect: true });
        expect(client.parseMessages(text, NullLogger.instance)).toEqual([
          { type: 1, target: name, arguments: args },
          { type: 3, invocationId: name, result },
          { type: 3, invocationId: name, error: name },
          { type: 7, error: name, allowReconnect: true },
        ]);
      }),
    );
  });

  it("that counts is read by the stock client as it was meant, and nothing else is taken for one", () => {
    const client = new JsonHubProtocol();
    const text =
      core.encode({ kind: "sequence", sequenceId: 7 }) +
      core.encode({ kind: "filler" }) +
      core.encode({ kind: "ack", sequenceId: 3 });
    expect(client.parseMessages(text, NullLogger.instance)).toEqual([
      { type: 9, sequenceId: 7 },
      { type: 3, invocationId: "-", result: null },
      { type: 8, sequenceId: 3 },
    ]);
  });

  it("of the stock client that counts is read as it was meant", () => {
    const client = new JsonHubProtocol();
    const text =
      client.writeMessage({ type: 9, sequenceId: 2 }) +
      client.writeMessage({ type: 5, invocationId: "1" }) +
      client.writeMessage({ type: 8, sequenceId: 40 });
    expect(core.parse(text)).toStrictEqual({
      messages: [
        { kind: "sequence", sequenceId: 2 },
        { kind: "cancelInvocation", id: "1" },
        { kind: "ack", sequenceId: 40 },
      ],
      error: undefined,
    });
  });

  it("of the stock client is read as it was meant", () => {
    const client = new JsonHubProtocol();
    const text =
      client.writeMessage({ type: 1, target: "t", arguments: [1], invocationId: "0", streamIds: ["1"] }) +
      client.writeMessage({ type: 3, invocationId: "s1", result: 5 }) +
      client.writeMessage({ type: 7 });
    expect(core.parse(text)).toStrictEqual({
      messages: [
        { kind: "invocation", id: "0", target: "t", args: [1], streamIds: ["1"] },
        { kind: "completion", id: "s1", result: 5 },
        { kind: "close", error: undefined },
      ],
      error: undefined,
    });
  });
});

function sayingSo(): object {
  const self = { a: 1, toJSON: (): unknown => self };
  return self;
}

function circle(): object {
  const self: Record<string, unknown> = {};
  self.self = self;
  return self;
}

function nested(levels: number, leaf: unknown): unknown {
  let value = leaf;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}
