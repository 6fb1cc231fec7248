// Tables from the reference's own: HandshakeProtocolTests.cs of dotnet/aspnetcore.

import fc from "fast-check";
import { core } from "signalr-lambda/protocol";
import { describe, expect, it } from "vitest";
import { latin1, utf8 } from "./binary-strings.ts";
import { frame } from "./records.ts";

const accepted = { error: undefined, detail: undefined, protocol: "json", counts: false, rest: "" };
const refused = { detail: undefined, protocol: "json", counts: false, rest: "" };
const UNEXPECTED = "An unexpected error occurred during connection handshake.";
const TEXT_ONLY =
  "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.";

describe("a handshake", () => {
  it.each([
    '{"protocol":"json","version":1}',
    '{"version":1,"protocol":"json"}',
    '{"protocol":"JSON","version":1}',
    '{"protocol":"json","version":0}',
    '{"protocol":"json","version":-1}',
    '{"protocol":"json","version":1,"unknown":null,"__proto__":{"version":9}}',
    ' { "protocol" : "json" , "version" : 1 } ',
  ])("is accepted: %s", (record) => {
    expect(core.parseHandshake(frame(record))).toStrictEqual(accepted);
  });

  it.each(['{"protocol":"json","version":2}', '{"version":2,"protocol":"JSON","unknown":1}'])(
    "of version 2 is accepted, from a client that can count: %s",
    (record) => {
      const rest = frame('{"type":9,"sequenceId":1}');
      expect(core.parseHandshake(frame(record) + rest)).toStrictEqual({ ...accepted, counts: true, rest });
    },
  );

  it("leaves what follows in the same frame alone", () => {
    const rest = frame('{"type":6}', "oops");
    expect(core.parseHandshake(frame('{"protocol":"json","version":1}') + rest)).toStrictEqual({ ...accepted, rest });
  });

  it.each([
    ['{"protocol":"messagepack","version":1}', TEXT_ONLY],
    ['{"protocol":"MessagePack","version":2}', TEXT_ONLY],
    ['{"protocol":"messagepack","version":3}', "The server does not support version 3 of the 'messagepack' protocol."],
    ['{"protocol":"constructor","version":1}', "The protocol 'constructor' is not supported."],
    ['{"protocol":"dummy","version":9}', "The protocol 'dummy' is not supported."],
    ['{"protocol":"","version":1}', "The protocol '' is not supported."],
    ['{"protocol":"json","version":3}', "The server does not support version 3 of the 'json' protocol."],
    ['{"protocol":"Json","version":10}', "The server does not support version 10 of the 'Json' protocol."],
  ])("is refused with its reason: %s", (record, error) => {
    expect(core.parseHandshake(frame(record))).toStrictEqual({ ...refused, error });
  });

  it.each([
    ["42", "Unexpected JSON Token Type 'Number'. Expected a JSON Object."],
    ['"42"', "Unexpected JSON Token Type 'String'. Expected a JSON Object."],
    ["null", "Unexpected JSON Token Type 'Null'. Expected a JSON Object."],
    ["[]", "Unexpected JSON Token Type 'Array'. Expected a JSON Object."],
    ["oops", "Error reading JSON."],
    ["", "Error reading JSON."],
    ["{}", "Missing required property 'protocol'. Message content: {}"],
    ['{"protocol":"json"}', `Missing required property 'version'. Message content: {"protocol":"json"}`],
    ['{"protocol":"json","version":null}', `Missing required property 'version'. Message content: $RECORD`],
    ['{"version":1}', `Missing required property 'protocol'. Message content: {"version":1}`],
    ['{"type":6}', `Missing required property 'protocol'. Message content: {"type":6}`],
    ['{"type":1,"target":"foo","arguments":[]}', "Missing required property 'protocol'. Message content: $RECORD"],
    ['{"version":"123"}', "Expected 'version' to be of type Number."],
    ['{"protocol":"json","version":1.5}', "Expected 'version' to be of type Number."],
    ['{"protocol":null,"version":123}', "Expected 'protocol' to be of type String."],
    ['{"protocol":["json"],"version":1}', "Expected 'protocol' to be of type String."],
  ])("that is none is refused, with the reason as a detail: %s", (record, text) => {
    const detail = `InvalidDataException: ${text.replace("$RECORD", record)}`;
    expect(core.parseHandshake(frame(record))).toStrictEqual({ ...refused, error: UNEXPECTED, detail });
  });

  it.each(["", '{"protocol":"json","version":1}', "oops"])("that does not end is canceled: %s", (text) => {
    expect(core.parseHandshake(text).error).toBe("Handshake was canceled.");
  });

  it("of any text is accepted or refused, and never throws", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (record) => {
        expect(core.parseHandshake(frame(record)).error).toBeTypeOf("string");
      }),
    );
  });
});

describe("a handshake on a transport that carries bytes", () => {
  it.each([
    ['{"protocol":"messagepack","version":1}', { ...accepted, protocol: "messagepack" }],
    ['{"protocol":"MessagePack","version":2}', { ...accepted, protocol: "messagepack", counts: true }],
    ['{"protocol":"json","version":1}', accepted],
    ['{"protocol":"JSON","version":2}', { ...accepted, counts: true }],
  ])("is accepted: %s", (record, handshake) => {
    expect(core.parseHandshake(frame(record), "Binary")).toStrictEqual(handshake);
  });

  it.each([
    ['{"protocol":"dummy","version":1}', "The protocol 'dummy' is not supported."],
    ['{"protocol":"messagepack","version":3}', "The server does not support version 3 of the 'messagepack' protocol."],
    ['{"protocol":"messagepäck ✓","version":1}', "The protocol 'messagepäck ✓' is not supported."],
  ])("is refused with its reason, read as UTF-8: %s", (record, error) => {
    expect(core.parseHandshake(utf8(frame(record)), "Binary")).toStrictEqual({ ...refused, error });
  });

  it("leaves the bytes behind it alone when they are MessagePack's", () => {
    const rest = "\u0002\u0091\u0006\u001e\u00c3\u00a9\u00ff";
    const { protocol, ...handshake } = core.parseHandshake(
      frame('{"protocol":"messagepack","version":1}') + rest,
      "Binary",
    );
    expect(handshake.rest).toBe(rest);
    expect(protocol).toBe("messagepack");
  });

  it("gives the text of the bytes behind it when they are JSON's", () => {
    const rest = frame('{"type":1,"target":"grüße ✓","arguments":[]}');
    const text = utf8(frame('{"protocol":"json","version":1}') + rest);
    expect(core.parseHandshake(text, "Binary")).toStrictEqual({ ...accepted, rest });
  });

  it("of any bytes is accepted or refused, and never throws", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array().map(latin1), fc.json().map(utf8)), (record) => {
        expect(core.parseHandshake(frame(record), "Binary").error).toBeTypeOf("string");
      }),
    );
  });
});

describe("the protocol of a name", () => {
  it.each([undefined, "json", "dummy", "", "constructor", "__proto__"])("is JSON for %s", (name) => {
    expect(core.protocolOf(name)).toMatchObject({ name: "json", transferFormat: "Text" });
    expect(core.protocolOf(name).encode({ kind: "ping" })).toBe(core.encode({ kind: "ping" }));
  });

  it("is MessagePack for its own", () => {
    expect(core.protocolOf("messagepack")).toMatchObject({ name: "messagepack", transferFormat: "Binary" });
  });
});

describe("the reply to a handshake", () => {
  it("is empty when all is well", () => {
    expect(core.handshakeReply()).toBe(frame("{}"));
  });

  it("says what is wrong", () => {
    expect(core.handshakeReply('No \u001e "way".')).toBe(frame('{"error":"No \\u001e \\"way\\"."}'));
  });
});
