// Tables from the reference's own: MessagePackHubProtocolTestBase.cs of dotnet/aspnetcore.

import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import fc from "fast-check";
import { type ClientMessage, core, ProtocolError } from "signalr-lambda/protocol";
import { describe, expect, it } from "vitest";
import { bytes, frameBytes, latin1 } from "./binary-strings.ts";

const { parse } = core.protocolOf("messagepack");

const invocation = { kind: "invocation", id: undefined, target: "Target", args: [], streamIds: [] } as const;
const stream = { kind: "streamInvocation", id: "xyz", target: "method", args: [], streamIds: [] } as const;

const CUT_SHORT = "Connection terminated while reading a message.";
const NO_ARGUMENT = "Deserializing object of the `Object` type for 'argument' failed.";

describe("a message", () => {
  it.each<[string, ClientMessage]>([
    ["96 01 80 c0 a6 'Target' 90 90", invocation],
    ["95 01 80 c0 a6 'Target' 90", invocation],
    ["96 01 80 a0 a6 'Target' 90 90", invocation],
    ["96 01 80 a3 'xyz' a6 'Target' 90 90", { ...invocation, id: "xyz" }],
    ["96 01 80 c0 a6 'Target' 92 2a a6 'string' 90", { ...invocation, args: [42, "string"] }],
    ["96 01 80 c0 a6 'Target' 90 92 a1 '1' a1 '2'", { ...invocation, streamIds: ["1", "2"] }],
    ["96 01 80 c0 a6 'Target' 91 2a 91 a1 '1'", { ...invocation, args: [42], streamIds: ["1"] }],
    ["96 01 81 a3 'Foo' a3 'Bar' c0 a6 'Target' 90 90", { ...invocation, headers: { Foo: "Bar" } }],
    ["94 02 80 a3 'xyz' 2a", { kind: "streamItem", id: "xyz", item: 42 }],
    ["94 02 81 a1 'a' a1 'b' a3 'xyz' c0", { kind: "streamItem", id: "xyz", item: null }],
    ["94 02 80 a3 'xyz' ca 42 28 00 00", { kind: "streamItem", id: "xyz", item: 42 }],
    ["95 03 80 a3 'xyz' 01 a5 'Error'", { kind: "completion", id: "xyz", error: "Error" }],
    ["95 03 80 a3 'xyz' 01 a0", { kind: "completion", id: "xyz", error: "" }],
    ["95 03 80 a3 'xyz' 01 c0", { kind: "completion", id: "xyz", result: undefined }],
    ["94 03 80 a3 'xyz' 02", { kind: "completion", id: "xyz", result: undefined }],
    ["95 03 80 a3 'xyz' 03 2a", { kind: "completion", id: "xyz", result: 42 }],
    ["95 03 80 a3 'xyz' 03 c0", { kind: "completion", id: "xyz", result: null }],
    ["96 04 80 a3 'xyz' a6 'method' 90 90", stream],
    ["95 04 80 a3 'xyz' a6 'method' 90", stream],
    ["96 04 81 a1 'a' a1 'b' a3 'xyz' a6 'method' 90 90", { ...stream, headers: { a: "b" } }],
    ["96 04 80 a3 'xyz' a6 'method' 91 07 91 a1 's'", { ...stream, args: [7], streamIds: ["s"] }],
    ["93 05 80 a3 'xyz'", { kind: "cancelInvocation", id: "xyz" }],
    ["91 06", { kind: "ping" }],
    ["92 07 c0", { kind: "close", error: undefined }],
    ["93 07 c0 c2", { kind: "close", error: undefined }],
    ["93 07 a6 'Error!' c3", { kind: "close", error: "Error!" }],
    ["92 08 24", { kind: "ack", sequenceId: 36 }],
    ["92 08 cf 00 00 01 1f 71 fb 04 cb", { kind: "ack", sequenceId: 1234567890123 }],
    ["92 09 00", { kind: "sequence", sequenceId: 0 }],
    ["92 09 cc 13", { kind: "sequence", sequenceId: 19 }],
    ["92 09 ff", { kind: "sequence", sequenceId: -1 }],
  ])("is read from %s", (notation, message) => {
    expect(parse(frameBytes(bytes(notation)))).toStrictEqual({ messages: [message], error: undefined });
  });

  it.each([
    ["98 01 80 c0 a6 'Target' 90 90 c3 a2 'ex'", invocation],
    ["92 06 d4 05 00", { kind: "ping" }],
    ["94 07 c0 c2 81 c0 c0", { kind: "close", error: undefined }],
    ["dc 00 03 05 80 a1 '1'", { kind: "cancelInvocation", id: "1" }],
    ["91 06 c1 c1", { kind: "ping" }],
  ])("may have more at its end than anybody knows: %s", (notation, message) => {
    expect(parse(frameBytes(bytes(notation), bytes("91 06"))).messages).toStrictEqual([message, { kind: "ping" }]);
  });

  it.each(["91 00", "91 0a", "91 63", "91 ff", "93 0a c1 c1"])("of an unknown type is skipped: %s", (notation) => {
    expect(parse(frameBytes(bytes(notation), bytes("91 06")))).toEqual({ messages: [{ kind: "ping" }] });
  });

  it.each([
    ["", "Reading array length for 'message' failed."],
    ["c0", "Reading array length for 'message' failed."],
    ["81 06 06", "Reading array length for 'message' failed."],
    ["c1", "Reading array length for 'message' failed."],
    ["dd 00", "Reading array length for 'message' failed."],
    ["90", "Reading 'messageType' as Int32 failed."],
    ["91 a3 'foo'", "Reading 'messageType' as Int32 failed."],
    ["91 c0", "Reading 'messageType' as Int32 failed."],
    ["91 cb 3f f8 00 00 00 00 00 00", "Reading 'messageType' as Int32 failed."],
    ["91 ce 80 00 00 00", "Reading 'messageType' as Int32 failed."],
    ["91 cf ff ff ff ff ff ff ff ff", "Reading 'messageType' as Int32 failed."],

    ["92 01 a3 'foo'", "Reading map length for 'headers' failed."],
    ["92 01 c0", "Reading map length for 'headers' failed."],
    ["92 01 82 2a a3 'foo'", "Reading 'headers[0].Key' as String failed."],
    ["92 01 82 a3 'foo' 2a", "Reading 'headers[0].Value' as String failed."],
    ["92 01 84 a3 'foo' a3 'foo' 90 a3 'foo'", "Reading 'headers[1].Key' as String failed."],
    ["92 01 84 a3 'foo' a3 'foo' a3 'foo' 90", "Reading 'headers[1].Value' as String failed."],
    ["92 01 81 a0 a3 'foo'", "Null or empty key in header."],
    ["92 01 81 a3 'foo' c0", "Null or empty value in header."],

    ["92 01 80", "Reading 'invocationId' as String failed."],
    ["91 01 80 c2", "Reading 'invocationId' as String failed."],
    ["93 01 80 a3 'abc'", "Reading 'target' as String failed."],
    ["94 01 80 a3 'abc' 2a", "Reading 'target' as String failed."],
    ["94 01 80 a3 'abc' c4 01 00", "Reading 'target' as String failed."],
    ["94 01 80 a3 'abc' c0", "Null or empty target for Invocation message."],
    ["94 01 80 a3 'abc' a0", "Null or empty target for Invocation message."],
    ["94 01 80 a3 'abc' a3 'xyz'", "Reading array length for 'arguments' failed."],
    ["95 01 80 a3 'abc' a3 'xyz' 2a", "Reading array length for 'arguments' failed."],
    ["95 01 80 a3 'abc' a3 'xyz' c0", "Reading array length for 'arguments' failed."],
    ["95 01 80 a3 'abc' a3 'xyz' 92 01", NO_ARGUMENT],
    ["96 01 80 c0 a3 'xyz' 90", "Reading array length for 'streamIds' failed."],
    ["96 01 80 c0 a3 'xyz' 90 c0", "Reading array length for 'streamIds' failed."],
    ["96 01 80 c0 a3 'xyz' 90 91 01", "Reading 'streamIds' as String failed."],
    ["96 01 80 c0 a3 'xyz' 90 91 c0", "Null or empty value in streamIds received."],
    ["96 01 80 c0 a3 'xyz' 90 91 a0", "Null or empty value in streamIds received."],
    ["96 01 80 c0 a3 'xyz' 90 92 a1 'a'", "Reading 'streamIds' as String failed."],

    ["92 04 80", "Reading 'invocationId' as String failed."],
    ["93 04 80 c2", "Reading 'invocationId' as String failed."],
    ["93 04 80 c0", "Null or empty invocation ID for StreamInvocation message."],
    ["93 04 80 a3 'abc'", "Reading 'target' as String failed."],
    ["94 04 80 a3 'abc' 2a", "Reading 'target' as String failed."],
    ["94 04 80 a3 'abc' a0", "Null or empty target for StreamInvocation message."],
    ["95 04 80 a3 'abc' a3 'xyz' 2a", "Reading array length for 'arguments' failed."],

    ["92 02 80", "Reading 'invocationId' as String failed."],
    ["93 02 80 c2", "Reading 'invocationId' as String failed."],
    ["93 02 80 c0", "Null or empty invocation ID for StreamItem message."],
    ["93 02 80 a3 'xyz'", "Deserializing object of the `Object` type for 'item' failed."],

    ["92 03 80", "Reading 'invocationId' as String failed."],
    ["93 03 80 c2", "Reading 'invocationId' as String failed."],
    ["93 03 80 a0", "Null or empty invocation ID for Completion message."],
    ["93 03 80 a3 'xyz'", "Reading 'resultKind' as Int32 failed."],
    ["94 03 80 a3 'xyz' a3 'xyz'", "Reading 'resultKind' as Int32 failed."],
    ["94 03 80 a3 'xyz' 2a", "Invalid invocation result kind."],
    ["94 03 80 a3 'xyz' 01", "Reading 'error' as String failed."],
    ["95 03 80 a3 'xyz' 01 2a", "Reading 'error' as String failed."],
    ["94 03 80 a3 'xyz' 03", NO_ARGUMENT],

    ["93 05 80 c0", "Null or empty invocation ID for CancelInvocation message."],
    ["91 07", "Reading 'error' as String failed."],
    ["92 07 2a", "Reading 'error' as String failed."],
    ["93 07 c0 01", "Reading 'allowReconnect' as Boolean failed."],
    ["93 07 c0 c0", "Reading 'allowReconnect' as Boolean failed."],
    ["91 08", "Reading 'sequenceId' as Int64 failed."],
    ["92 08 c0", "Reading 'sequenceId' as Int64 failed."],
    ["92 09 a1 '1'", "Reading 'sequenceId' as Int64 failed."],
    ["92 09 cf 00 20 00 00 00 00 00 00", "Reading 'sequenceId' as Int64 failed."],
    ["92 09 cb 3f f8 00 00 00 00 00 00", "Reading 'sequenceId' as Int64 failed."],
  ])("cannot be read from %s", (notation, text) => {
    const { messages, error } = parse(frameBytes(bytes("91 06"), bytes(notation), bytes("92 07 c0")));
    expect(messages).toEqual([{ kind: "ping" }]);
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({ name: "ProtocolError", code: "protocol_error", message: text });
  });

  it.each(["__proto__", "constructor", "prototype", "hasOwnProperty", "toJSON"])(
    "may be called %s wherever it has a name",
    (name) => {
      const text = `${String.fromCharCode(0xa0 + name.length)}${name}`;
      const written =
        bytes("96 01 81") + text + bytes("a1 'x'") + text + text + bytes("91") + text + bytes("91") + text;
      const { messages, error } = parse(frameBytes(written));
      expect(error).toBeUndefined();
      const headers = Object.fromEntries([[name, "x"]]);
      expect(messages).toStrictEqual([
        { kind: "invocation", id: name, target: name, args: [name], streamIds: [name], headers },
      ]);
    },
  );
});

describe("a value", () => {
  it.each<[string, unknown]>([
    ["c0", null],
    ["c3", true],
    ["7f", 127],
    ["e0", -32],
    ["cd 01 00", 256],
    ["d2 80 00 00 00", -(2 ** 31)],
    ["cf 00 00 00 00 00 00 00 07", 7],
    ["cf 00 1f ff ff ff ff ff ff", Number.MAX_SAFE_INTEGER],
    ["d3 ff e0 00 00 00 00 00 01", Number.MIN_SAFE_INTEGER],
    ["cf 00 20 00 00 00 00 00 01", 2n ** 53n + 1n],
    ["cf ff ff ff ff ff ff ff ff", 2n ** 64n - 1n],
    ["d3 80 00 00 00 00 00 00 00", -(2n ** 63n)],
    ["ca 3f c0 00 00", 1.5],
    ["cb 7f f8 00 00 00 00 00 00", Number.NaN],
    ["a6 'grüß'", "grüß"],
    ["d9 03 '€'", "€"],
    ["c4 02 00 ff", new Uint8Array([0, 255])],
    ["c4 00", new Uint8Array()],
    ["d6 ff 00 00 00 01", new Date(1000)],
    ["d7 ff 77 35 94 00 00 00 00 01", new Date(1500)],
    ["c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff", new Date(-1000)],
    ["93 90 80 81 a1 'a' 91 c2", [[], {}, { a: [false] }]],
    ["82 01 a1 'a' cf ff ff ff ff ff ff ff ff 02", { 1: "a", "18446744073709551615": 2 }],
    ["81 ab 'constructor' 01", { constructor: 1 }],
    ["81 a6 'toJSON' 01", { toJSON: 1 }],
  ])("is read from %s", (notation, value) => {
    const { messages, error } = parse(frameBytes(bytes("94 02 80 a1 '1'") + bytes(notation)));
    expect(error).toBeUndefined();
    expect(messages).toStrictEqual([{ kind: "streamItem", id: "1", item: value }]);
  });

  it("that is bytes has them to itself", () => {
    const { messages } = parse(frameBytes(bytes("94 02 80 a1 '1' 91 c4 02 01 02")));
    const [message] = messages as readonly { readonly item?: readonly Uint8Array[] }[];
    expect(message?.item?.[0]?.constructor).toBe(Uint8Array);
    expect(message?.item?.[0]?.buffer.byteLength).toBe(2);
  });

  it("may be text that is no UTF-8, and takes nothing from what follows", () => {
    const broken = bytes("a2 e2 82");
    const { messages, error } = parse(
      frameBytes(bytes("95 03 80") + broken + bytes("03 93") + broken + broken + bytes("2a")),
    );
    expect(error).toBeUndefined();
    expect(messages).toEqual([
      { kind: "completion", id: "\ufffd", result: [expect.any(String), expect.any(String), 42] },
    ]);
  });

  it.each([
    ["a type byte that means nothing", "c1"],
    ["an extension nobody knows", "d4 05 00"],
    ["an extension nobody knows, of no bytes", "c7 00 05"],
    ["an extension cut short", "c7 04 ff 00"],
    ["a timestamp of a wrong size", "d5 ff 00 00"],
    ["a timestamp no Date can hold", "c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff"],
    ["an array longer than the message", "92 01"],
    ["the longest array", "dd ff ff ff ff"],
    ["the longest map", "df ff ff ff ff"],
    ["the longest text", "db ff ff ff ff 'x'"],
    ["the longest bytes", "c6 ff ff ff ff 00"],
    ["the longest extension", "c9 ff ff ff ff ff 00"],
    ["half a float", "cb 00 00"],
    ["half a length", "dd 00 00"],
    ["a key without a value", "81 a1 'a'"],
    ["nil as a key", "81 c0 01"],
    ["bytes as a key", "81 c4 01 00 01"],
    ["an array as a key", "81 90 01"],
    ["__proto__ as a key", "81 a9 '__proto__' 81 a8 'polluted' c3"],
  ])("cannot be %s", (_title, notation) => {
    const { messages, error } = parse(frameBytes(bytes("91 06"), bytes("96 01 80 c0 a1 't' 91") + bytes(notation)));
    expect(messages).toEqual([{ kind: "ping" }]);
    expect(error).toMatchObject({ name: "ProtocolError", message: NO_ARGUMENT, cause: expect.any(Error) });
    expect({}).not.toHaveProperty("polluted");
  });

  it.each([
    ["arrays", "91"],
    ["arrays that say they are long", "dd 00 ff ff ff"],
    ["maps", "81 a0"],
    ["maps as keys", "81"],
  ])("may not be many %s within each other, wherever it is", (_title, level) => {
    const bomb = bytes(level).repeat(100_000);
    for (const start of [
      "",
      "91",
      "92 01",
      "93 01 80",
      "95 01 80 c0 a1 't' 91",
      "94 02 80 a1 '1'",
      "96 01 80 c0 a1 't' 90",
    ]) {
      expect(parse(frameBytes(bytes(start) + bomb)).error).toBeInstanceOf(ProtocolError);
    }
  });

  it("may have 500 levels and no more", () => {
    const item = (levels: number) => frameBytes(bytes("94 02 80 a1 '1'") + bytes("91").repeat(levels) + bytes("90"));
    expect(parse(item(500)).messages).toHaveLength(1);
    expect(parse(item(501)).error).toBeInstanceOf(ProtocolError);
  });
});

describe("a frame", () => {
  const ping = frameBytes(bytes("91 06"));

  it("holds messages in order", () => {
    const { messages } = parse(ping + frameBytes(bytes("93 05 80 a1 '1'"), bytes("92 07 c0")));
    expect(messages.map((message) => message.kind)).toEqual(["ping", "cancelInvocation", "close"]);
  });

  it("may be empty", () => {
    expect(parse("")).toStrictEqual({ messages: [], error: undefined });
  });

  it("may hold ten thousand messages", () => {
    expect(parse(ping.repeat(10_000)).messages).toHaveLength(10_000);
  });

  it("may hold a message whose length takes several bytes", () => {
    const text = "x".repeat(20_000);
    const written = bytes("94 02 80 a1 '1' da 4e 20") + text;
    const frame = frameBytes(written);
    expect(frame.length - written.length).toBe(3);
    expect(parse(frame + ping).messages).toEqual([{ kind: "streamItem", id: "1", item: text }, { kind: "ping" }]);
    expect(parse(bytes("82 80 80 80 00 91 06")).messages).toEqual([{ kind: "ping" }]);
  });

  it.each([
    ["80", CUT_SHORT],
    ["80 80 80 80", CUT_SHORT],
    ["03 91 06", CUT_SHORT],
    ["ff ff ff ff 07 91 06", CUT_SHORT],
    ["ff ff ff ff 08", "Messages over 2GB in size are not supported."],
    ["80 80 80 80 80", "Messages over 2GB in size are not supported."],
    ["82 80 80 80 80 00 91 06", "Messages over 2GB in size are not supported."],
    ["ff ff ff ff ff ff ff ff ff", "Messages over 2GB in size are not supported."],
  ])("with a wrong length gives what came before: %s", (notation, text) => {
    const { messages, error } = parse(ping + bytes(notation));
    expect(messages).toEqual([{ kind: "ping" }]);
    expect(error).toMatchObject({ name: "ProtocolError", message: text });
  });

  it("gives no message larger than it may be, in bytes and with its length, and what came before", () => {
    const large = frameBytes(bytes("92 06 a7 '€ €'"));
    expect(large).toHaveLength(11);
    expect(parse(ping + large, 11).messages).toHaveLength(2);
    const { messages, error } = parse(ping + large, 10);
    expect(messages).toEqual([{ kind: "ping" }]);
    expect(error?.message).toBe(
      "The maximum message size of 10B was exceeded. The message size can be configured by maximumReceiveMessageSize.",
    );
    expect(parse(bytes("ff ff ff ff 07"), 32_768).error?.message).toContain("maximum message size of 32768B");
  });

  it("of any bytes gives messages and at most one ProtocolError, and never throws", () => {
    fc.assert(
      fc.property(fc.array(anyBody()), fc.uint8Array({ maxLength: 6 }), (bodies, tail) => {
        const { messages, error } = parse(frameBytes(...bodies.map(latin1)) + latin1(tail));
        expect(messages.length).toBeLessThanOrEqual(bodies.length + tail.length);
        for (const message of messages) expect(message.kind).toBeTypeOf("string");
        if (error !== undefined) expect(error).toBeInstanceOf(ProtocolError);
      }),
      { numRuns: 1000 },
    );
  });

  it("of any text at all is taken for bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const { error } = parse(text);
        if (error !== undefined) expect(error).toBeInstanceOf(ProtocolError);
      }),
    );
  });

  it("cut anywhere gives what is whole in it", () => {
    const client = new MessagePackHubProtocol();
    const message = fc.tuple(fc.string({ minLength: 1 }), fc.array(fc.jsonValue())).map(([target, args]) => {
      return latin1(client.writeMessage({ type: 1, target, arguments: withoutProto(args) }));
    });
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 4 }), fc.nat(), (frames, seed) => {
        const whole = frames.join("");
        const cut = seed % whole.length;
        const ends = frames.map((_frame, index) => frames.slice(0, index + 1).join("").length);
        const { messages, error } = parse(whole.slice(0, cut));
        expect(messages).toHaveLength(ends.filter((end) => end <= cut).length);
        expect(error?.message).toBe(cut === 0 || ends.includes(cut) ? undefined : CUT_SHORT);
      }),
    );
  });
});

describe("the stock client", () => {
  const client = new MessagePackHubProtocol();
  const id = fc.string({ minLength: 1 });
  // Nothing is zero below zero, in JSON as here.
  const number = fc.double().map((given) => (given === 0 ? 0 : given));
  const leaf = fc.oneof(fc.maxSafeInteger(), number, fc.date({ noInvalidDate: true }), fc.uint8Array());
  const value = fc.oneof(fc.jsonValue().map(withoutProto), leaf, fc.array(leaf));

  it("is read as it was meant", () => {
    fc.assert(
      fc.property(id, id, fc.array(value), value, (name, streamId, args, item) => {
        const frame = [
          client.writeMessage({ type: 1, target: name, arguments: args }),
          client.writeMessage({ type: 1, target: name, arguments: args, invocationId: name, streamIds: [streamId] }),
          client.writeMessage({ type: 1, target: name, arguments: [], headers: { a: name } }),
          client.writeMessage({ type: 4, target: name, arguments: args, invocationId: name }),
          client.writeMessage({ type: 2, invocationId: name, item }),
          client.writeMessage({ type: 3, invocationId: name, result: item }),
          client.writeMessage({ type: 3, invocationId: name, error: name }),
          client.writeMessage({ type: 3, invocationId: name }),
          client.writeMessage({ type: 5, invocationId: name }),
          client.writeMessage({ type: 6 }),
          client.writeMessage({ type: 7 }),
          client.writeMessage({ type: 8, sequenceId: 5_000_000_000 }),
          client.writeMessage({ type: 9, sequenceId: 1 }),
        ];
        expect(parse(frame.map(latin1).join(""))).toEqual({
          messages: [
            { kind: "invocation", target: name, args, streamIds: [] },
            { kind: "invocation", id: name, target: name, args, streamIds: [streamId] },
            { kind: "invocation", target: name, args: [], streamIds: [], headers: { a: name } },
            { kind: "streamInvocation", id: name, target: name, args, streamIds: [] },
            { kind: "streamItem", id: name, item },
            { kind: "completion", id: name, result: item },
            { kind: "completion", id: name, error: name },
            { kind: "completion", id: name },
            { kind: "cancelInvocation", id: name },
            { kind: "ping" },
            { kind: "close" },
            { kind: "ack", sequenceId: 5_000_000_000 },
            { kind: "sequence", sequenceId: 1 },
          ],
        });
      }),
    );
  });
});

/** Bytes that look like messages to some point, and bytes that do not. */
function anyBody(): fc.Arbitrary<Uint8Array> {
  const starts = ["91", "92 01 80", "95 01 80 c0 a1 't'", "94 02 80 a1 '1'", "95 03 80 a1 '1'", "92 07", "92 08"];
  const start = fc.constantFrom(...starts).map((notation) => Buffer.from(bytes(notation), "latin1"));
  return fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.tuple(start, fc.uint8Array({ maxLength: 40 })).map((parts) => Buffer.concat(parts)),
  );
}

/** `__proto__` cannot be a key here; no number is -0, which MessagePack's integers do not know. */
function withoutProto<T>(json: T): T {
  return JSON.parse(JSON.stringify(json).replaceAll('"__proto__":', '"proto":')) as T;
}
