import fc from "fast-check";
import { core } from "signalr-lambda/protocol";
import { describe, expect, it } from "vitest";
import type { ServerMessage } from "../../lambdas/protocol/index.ts";

const raw = core.protocolOf("raw");

describe("a raw frame", () => {
  it("is one message, whatever stands in it", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "binary" }), (text) => {
        expect(raw.parse(text)).toEqual({
          messages: [{ kind: "invocation", id: undefined, target: "onReceived", args: [text], streamIds: [] }],
          error: undefined,
        });
        expect(raw.split(text)).toEqual([text]);
        expect(raw.encode({ kind: "invocation", target: text, args: [] })).toBe(text);
      }),
    );
  });

  it("is none when it is empty", () => {
    expect(raw.parse("")).toEqual({ messages: [], error: undefined });
    expect(raw.split("")).toEqual([]);
  });

  it.each([
    ["x".repeat(10), 10, 1],
    ["x".repeat(11), 10, 0],
    ["ä".repeat(5), 10, 1],
    ["ä".repeat(5), 9, 0],
  ])("of %j may have %i bytes", (text, maximum, count) => {
    const { messages, error } = raw.parse(text, maximum);
    expect(messages).toHaveLength(count);
    expect(error?.name).toBe(count === 1 ? undefined : "ProtocolError");
  });
});

describe("raw has no words", () => {
  it.each<ServerMessage>([
    { kind: "ping" },
    { kind: "close", error: "Gone.", allowReconnect: true },
    { kind: "completion", id: "1", result: "x" },
    { kind: "completion", id: "1", error: "x" },
    { kind: "streamItem", id: "1", item: "x" },
    { kind: "streamEnd", id: "1" },
    { kind: "ack", sequenceId: 1 },
    { kind: "sequence", sequenceId: 1 },
    { kind: "filler" },
  ])("for $kind", (message) => {
    expect(raw.encode(message)).toBe("");
  });

  it.each<[string, ServerMessage]>([
    ["arguments", { kind: "invocation", target: "receiveMessage", args: ["x"] }],
    ["an answer", { kind: "invocation", id: "1", target: "confirm", args: [] }],
    ["what is no text", { kind: "invocation", target: 5 as unknown as string, args: [] }],
    ["nothing", { kind: "invocation", target: undefined as unknown as string, args: [] }],
  ])("for a call with %s", (_title, message) => {
    expect(() => raw.encode(message)).toThrow(new TypeError("A raw connection is sent one text: send(text)."));
  });

  it("in a handshake", () => {
    const { error, protocol } = core.parseHandshake('{"protocol":"raw","version":1}\u001e');
    expect([error, protocol]).toEqual(["The protocol 'raw' is not supported.", "json"]);
  });
});
