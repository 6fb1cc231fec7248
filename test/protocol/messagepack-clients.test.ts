// Frames of clients that do not run here, written down from the formats of their encoders:
// .NET: MessagePackHubProtocolWorker.cs over MessagePack-CSharp with its contractless resolver;
// Swift: MessagePackHubProtocol.swift and MsgpackEncoder.swift of dotnet/signalr-client-swift.

import { type ClientMessage, core } from "signalr-lambda/protocol";
import { describe, expect, it } from "vitest";
import { bytes, frameBytes } from "./binary-strings.ts";
import { frame } from "./records.ts";

const { parse } = core.protocolOf("messagepack");

const echo = { kind: "invocation", id: undefined, target: "Echo", args: ["hi"], streamIds: [] } as const;
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("the .NET client", () => {
  it.each<[string, string, ClientMessage]>([
    ["SendAsync", "96 01 80 c0 a4 'Echo' 91 a2 'hi' 90", echo],
    ["InvokeAsync", "96 01 80 a1 '1' a4 'Echo' 91 a2 'hi' 90", { ...echo, id: "1" }],
    [
      "InvokeAsync in an activity",
      `96 01 81 ab 'traceparent' d9 37 '${traceparent}' a1 '1' a4 'Echo' 91 a2 'hi' 90`,
      { ...echo, id: "1", headers: { traceparent } },
    ],
    [
      "StreamAsync",
      "96 04 80 a1 '2' a7 'Counter' 92 0a cd 01 f4 90",
      { kind: "streamInvocation", id: "2", target: "Counter", args: [10, 500], streamIds: [] },
    ],
    ["the cancellation of a stream", "93 05 80 a1 '2'", { kind: "cancelInvocation", id: "2" }],
    [
      "SendAsync with an upload",
      "96 01 80 c0 a6 'Upload' 90 91 a1 '3'",
      { ...echo, target: "Upload", args: [], streamIds: ["3"] },
    ],
    ["an item of an upload", "94 02 80 a1 '3' 92 01 02", { kind: "streamItem", id: "3", item: [1, 2] }],
    ["the end of an upload", "94 03 80 a1 '3' 02", { kind: "completion", id: "3", result: undefined }],
    [
      "the failure of an upload",
      "95 03 80 a1 '3' 01 a9 'Cancelled'",
      { kind: "completion", id: "3", error: "Cancelled" },
    ],
    ["a client result", "95 03 80 a2 's1' 03 2a", { kind: "completion", id: "s1", result: 42 }],
    ["a client result of null", "95 03 80 a2 's1' 03 c0", { kind: "completion", id: "s1", result: null }],
    ["a Ping", "91 06", { kind: "ping" }],
    ["StopAsync", "93 07 c0 c2", { kind: "close", error: undefined }],
    ["an Ack", "92 08 05", { kind: "ack", sequenceId: 5 }],
    ["a Sequence", "92 09 01", { kind: "sequence", sequenceId: 1 }],
  ])("writes %s", (_title, notation, message) => {
    expect(parse(frameBytes(bytes(notation)))).toStrictEqual({ messages: [message], error: undefined });
  });

  it.each<[string, string, unknown]>([
    ["a DateTime", "d6 ff 65 e0 79 f0", new Date("2024-02-29T12:34:56Z")],
    ["a DateTime with ticks", "d7 ff 1d 6f 32 f0 65 e0 79 f0", new Date("2024-02-29T12:34:56.123Z")],
    ["DateTime.MinValue", "c7 0c ff 00 00 00 00 ff ff ff f1 88 6e 09 00", new Date("0001-01-01T00:00:00Z")],
    ["a DateTimeOffset", "92 d6 ff 65 e0 79 f0 3c", [new Date("2024-02-29T12:34:56Z"), 60]],
    ["a TimeSpan", "ce 23 c3 46 00", 600_000_000],
    ["a Guid", "d9 24 '3f2504e0-4f89-11d3-9a0c-0305e82c3301'", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"],
    ["an enum", "a3 'One'", "One"],
    ["a decimal", "a5 '12.34'", "12.34"],
    ["a float", "ca 3f c0 00 00", 1.5],
    ["a char", "41", 65],
    ["long.MaxValue", "cf 7f ff ff ff ff ff ff ff", 2n ** 63n - 1n],
    ["long.MinValue", "d3 80 00 00 00 00 00 00 00", -(2n ** 63n)],
    ["a byte[]", "c4 03 01 02 03", new Uint8Array([1, 2, 3])],
    ["an object", "83 a4 'Name' a3 'Ada' a3 'Age' 24 a4 'Tags' c0", { Name: "Ada", Age: 36, Tags: null }],
    ["a Dictionary<int, string>", "82 01 a3 'one' ff a4 'less'", { 1: "one", "-1": "less" }],
  ])("writes %s", (_title, notation, value) => {
    const { messages, error } = parse(frameBytes(bytes("96 01 80 c0 a4 'Echo' 91") + bytes(notation) + bytes("90")));
    expect(error).toBeUndefined();
    expect(messages).toStrictEqual([{ ...echo, args: [value] }]);
  });

  it("shakes hands in bytes, with what it has to say behind it", () => {
    const rest = frameBytes(bytes("91 06"), bytes("96 01 80 c0 a4 'Echo' 91 a2 'hi' 90"));
    const handshake = core.parseHandshake(frame('{"protocol":"messagepack","version":1}') + rest, "Binary");
    expect(handshake).toStrictEqual({
      error: undefined,
      detail: undefined,
      protocol: "messagepack",
      counts: false,
      rest,
    });
    expect(parse(handshake.rest).messages).toStrictEqual([{ kind: "ping" }, echo]);
  });
});

describe("the Swift client", () => {
  it.each<[string, string, ClientMessage]>([
    ["send", "96 01 80 c0 a4 'Echo' 91 a2 'hi' 90", echo],
    ["invoke", "96 01 80 a1 '0' a4 'Echo' 91 a2 'hi' 90", { ...echo, id: "0" }],
    ["an invocation without a list of streams", "95 01 80 c0 a4 'Echo' 91 a2 'hi'", echo],
    [
      "stream",
      "96 04 80 a1 '1' a7 'Counter' 91 cc c8 90",
      { kind: "streamInvocation", id: "1", target: "Counter", args: [200], streamIds: [] },
    ],
    ["the cancellation of a stream", "93 05 80 a1 '1'", { kind: "cancelInvocation", id: "1" }],
    ["a client result", "95 03 80 a2 's1' 03 cc c8", { kind: "completion", id: "s1", result: 200 }],
    ["a client result of nothing", "95 03 80 a2 's1' 03 c0", { kind: "completion", id: "s1", result: null }],
    ["the error of a client result", "95 03 80 a2 's1' 01 a4 'oops'", { kind: "completion", id: "s1", error: "oops" }],
    ["a Ping", "91 06", { kind: "ping" }],
    ["stop", "92 07 c0", { kind: "close", error: undefined }],
    ["an Ack", "92 08 24", { kind: "ack", sequenceId: 36 }],
    ["a Sequence", "92 09 13", { kind: "sequence", sequenceId: 19 }],
  ])("writes %s", (_title, notation, message) => {
    expect(parse(frameBytes(bytes(notation)))).toStrictEqual({ messages: [message], error: undefined });
  });

  it.each<[string, string, unknown]>([
    ["a negative Int", "d1 ff 38", -200],
    ["an Int64.max", "cf 7f ff ff ff ff ff ff ff", 2n ** 63n - 1n],
    ["a Double", "cb 41 c5 c8 58 b8 40 00 00", 730_902_896.5],
    ["a Data", "c4 02 01 02", new Uint8Array([1, 2])],
    ["an optional that is nil", "c0", null],
    ["a struct", "82 a2 'to' a3 'ada' a3 'ids' 92 01 02", { to: "ada", ids: [1, 2] }],
    ["a MsgpackTimestamp", "d7 ff 77 35 94 00 00 00 00 01", new Date(1500)],
  ])("writes %s", (_title, notation, value) => {
    const { messages, error } = parse(frameBytes(bytes("94 02 80 a1 '1'") + bytes(notation)));
    expect(error).toBeUndefined();
    expect(messages).toStrictEqual([{ kind: "streamItem", id: "1", item: value }]);
  });
});
