// Tables from the reference's own: JsonHubProtocolTestsBase.cs and JsonHubProtocolTests.cs of dotnet/aspnetcore.

import fc from "fast-check";
import { type ClientMessage, core, ProtocolError } from "signalr-lambda/protocol";
import { describe, expect, it } from "vitest";
import { frame, RS } from "./records.ts";

const invocation = { kind: "invocation", id: undefined, target: "Target", args: [], streamIds: [] } as const;

describe("a message", () => {
  it.each<[string, ClientMessage]>([
    ['{"type":1,"target":"Target","arguments":[]}', invocation],
    ['{"type":1,"invocationId":"123","target":"Target","arguments":[]}', { ...invocation, id: "123" }],
    ['{"type":1,"invocationId":"","target":"Target","arguments":[]}', invocation],
    ['{"type":1,"target":"Target","arguments":[1,"Foo",null,true,{"a":[]}]}', args(1, "Foo", null, true, { a: [] })],
    ['{"type":1,"target":"Target","arguments":[],"streamIds":["s1","s2"]}', { ...invocation, streamIds: ["s1", "s2"] }],
    ['{"type":1,"headers":{"Foo":"Bar"},"target":"Target","arguments":[]}', { ...invocation, headers: { Foo: "Bar" } }],
    ['{"type":1,"headers":{},"target":"Target","arguments":[]}', { ...invocation, headers: {} }],
    ['{"type":2,"invocationId":"1","item":1}', { kind: "streamItem", id: "1", item: 1 }],
    ['{"type":2,"invocationId":"1","item":null}', { kind: "streamItem", id: "1", item: null }],
    ['{"type":2,"invocationId":"1","item":""}', { kind: "streamItem", id: "1", item: "" }],
    ['{"type":3,"invocationId":"1","result":{"a":1}}', { kind: "completion", id: "1", result: { a: 1 } }],
    ['{"type":3,"invocationId":"1","result":null}', { kind: "completion", id: "1", result: null }],
    ['{"type":3,"invocationId":"1"}', { kind: "completion", id: "1", result: undefined }],
    ['{"type":3,"invocationId":"1","error":"Whoops!"}', { kind: "completion", id: "1", error: "Whoops!" }],
    ['{"type":3,"invocationId":"1","error":""}', { kind: "completion", id: "1", error: "" }],
    [
      '{"type":4,"invocationId":"1","target":"Target","arguments":[7],"streamIds":["s"]}',
      { kind: "streamInvocation", id: "1", target: "Target", args: [7], streamIds: ["s"] },
    ],
    ['{"type":5,"invocationId":"1"}', { kind: "cancelInvocation", id: "1" }],
    ['{"type":6}', { kind: "ping" }],
    ['{"type":7}', { kind: "close", error: undefined }],
    ['{"type":7,"error":"Error!","allowReconnect":true}', { kind: "close", error: "Error!" }],
    ['{"type":7,"error":""}', { kind: "close", error: "" }],
    ['{"type":8,"sequenceId":1234567890123}', { kind: "ack", sequenceId: 1234567890123 }],
    ['{"type":9,"sequenceId":0}', { kind: "sequence", sequenceId: 0 }],
  ])("is read from %s", (record, message) => {
    expect(core.parse(frame(record))).toStrictEqual({ messages: [message], error: undefined });
  });

  it.each([
    ['{"arguments":[1,2],"streamIds":[],"type":1,"target":"Target"}', args(1, 2)],
    ['{"target":"Target","arguments":[1,2],"type":1}', args(1, 2)],
    ['{"type":3,"result":10,"invocationId":"15"}', { kind: "completion", id: "15", result: 10 }],
    ['{ "item": "foo", "invocationId": "1a", "type":2 }', { kind: "streamItem", id: "1a", item: "foo" }],
    ['{"sequenceId":3,"type":8}', { kind: "ack", sequenceId: 3 }],
  ])("may have its properties in any order: %s", (record, message) => {
    expect(core.parse(frame(record)).messages).toStrictEqual([message]);
  });

  it("keeps the headers of an invocation", () => {
    const headers = { traceparent: "x", ["__proto__"]: "y" };
    for (const type of [1, 4]) {
      const record = JSON.stringify({ type, invocationId: "1", target: "x", arguments: [], headers });
      expect(core.parse(frame(record)).messages).toMatchObject([{ headers }]);
    }
  });

  it("refuses a message larger than it may be, in bytes and with its end, and keeps what came before", () => {
    const ping = '{"type":6}';
    const text = frame(ping, '{"type":6,"x":"€"}', ping);
    expect(core.parse(text, 21).error).toBeUndefined();
    const { messages, error } = core.parse(text, 20);
    expect(messages).toEqual([{ kind: "ping" }]);
    expect(error?.message).toBe(
      "The maximum message size of 20B was exceeded. The message size can be configured by maximumReceiveMessageSize.",
    );
    expect(core.parse("x".repeat(21), 20).error?.message).toBe(error?.message);
  });

  it("may have properties nobody knows", () => {
    expect(core.parse(frame('{"type":6,"extra":{"deep":[1]},"Type":"x"}')).messages).toEqual([{ kind: "ping" }]);
  });

  it.each([0, 10, 99, -1])("of the unknown type %i is skipped", (type) => {
    expect(core.parse(frame(`{"type":${type}}`, '{"type":6}'))).toEqual({ messages: [{ kind: "ping" }] });
  });

  it.each([
    ["", "Error reading JSON."],
    [" ", "Error reading JSON."],
    ["{", "Error reading JSON."],
    ["{'type':6}", "Error reading JSON."],
    ['{"type":3,"invocationId":"42","result":true', "Error reading JSON."],
    ['{"type":1,"target":"foo","arguments":[[}]}', "Error reading JSON."],
    ["null", "Unexpected JSON Token Type 'Null'. Expected a JSON Object."],
    ['"foo"', "Unexpected JSON Token Type 'String'. Expected a JSON Object."],
    ["42", "Unexpected JSON Token Type 'Number'. Expected a JSON Object."],
    ["true", "Unexpected JSON Token Type 'True'. Expected a JSON Object."],
    ["false", "Unexpected JSON Token Type 'False'. Expected a JSON Object."],
    ["[42]", "Unexpected JSON Token Type 'Array'. Expected a JSON Object."],
    ["{}", "Missing required property 'type'."],
    ['{"type":"foo"}', "Expected 'type' to be of type Number."],
    ['{"type":null}', "Expected 'type' to be of type Number."],
    ['{"type":1.5}', "Expected 'type' to be of type Number."],
    ['{"protocol":"json","version":1}', "Missing required property 'type'."],

    ['{"type":1,"headers":{"Foo":42},"target":"test","arguments":[]}', "Expected header 'Foo' to be of type String."],
    ['{"type":1,"headers":{"Foo":null},"target":"test","arguments":[]}', "Expected header 'Foo' to be of type String."],
    ['{"type":1,"headers":{"Foo":[]},"target":"test","arguments":[]}', "Expected header 'Foo' to be of type String."],
    ['{"type":1,"headers":true}', "Expected 'headers' to be of type StartObject."],
    ['{"type":1,"headers":null}', "Expected 'headers' to be of type StartObject."],

    ['{"type":1}', "Missing required property 'target'."],
    ['{"type":1,"invocationId":42}', "Expected 'invocationId' to be of type String."],
    ['{"type":1,"invocationId":null}', "Expected 'invocationId' to be of type String."],
    ['{"type":1,"invocationId":"42"}', "Missing required property 'target'."],
    ['{"type":1,"invocationId":"42","target":42}', "Expected 'target' to be of type String."],
    ['{"type":1,"target":null,"arguments":[]}', "Expected 'target' to be of type String."],
    ['{"type":1,"target":"","arguments":[]}', "Missing required property 'target'."],
    ['{"type":1,"target":"foo"}', "Missing required property 'arguments'."],
    ['{"type":1,"target":"foo","arguments":{}}', "Expected 'arguments' to be of type Array."],
    ['{"type":1,"target":"foo","arguments":null}', "Expected 'arguments' to be of type Array."],
    ['{"type":1,"arguments":{}}', "Expected 'arguments' to be of type Array."],
    ['{"type":1,"target":"foo","arguments":[],"streamIds":"s"}', "Expected 'streamIds' to be of type Array."],
    ['{"type":1,"target":"foo","arguments":[],"streamIds":null}', "Expected 'streamIds' to be of type Array."],
    ['{"type":1,"target":"foo","arguments":[],"streamIds":[null]}', "Null value for 'streamIds' is not valid."],
    ['{"type":1,"target":"foo","arguments":[],"streamIds":[1]}', "Expected 'streamIds' to be of type String Array."],

    ['{"type":2}', "Missing required property 'invocationId'."],
    ['{"type":2,"invocationId":42}', "Expected 'invocationId' to be of type String."],
    ['{"type":2,"invocationId":""}', "Missing required property 'invocationId'."],
    ['{"type":2,"invocationId":"42"}', "Missing required property 'item'."],

    ['{"type":3}', "Missing required property 'invocationId'."],
    ['{"type":3,"invocationId":"42","error":[]}', "Expected 'error' to be of type String."],
    ['{"type":3,"invocationId":"42","error":null}', "Expected 'error' to be of type String."],
    [
      '{"type":3,"invocationId":"42","error":"foo","result":true}',
      "The 'error' and 'result' properties are mutually exclusive.",
    ],
    [
      '{"type":3,"invocationId":"42","error":"","result":null}',
      "The 'error' and 'result' properties are mutually exclusive.",
    ],

    ['{"type":4}', "Missing required property 'target'."],
    ['{"type":4,"target":"foo","arguments":[]}', "Missing required property 'invocationId'."],
    ['{"type":4,"invocationId":"","target":"foo","arguments":[]}', "Missing required property 'invocationId'."],
    ['{"type":4,"invocationId":"42","target":"foo"}', "Missing required property 'arguments'."],
    ['{"type":4,"invocationId":"42","target":"","arguments":[]}', "Missing required property 'target'."],
    ['{"type":4,"invocationId":"42","target":"foo","arguments":{}}', "Expected 'arguments' to be of type Array."],

    ['{"type":5}', "Missing required property 'invocationId'."],
    ['{"type":6,"target":42}', "Expected 'target' to be of type String."],
    ['{"type":7,"error":42}', "Expected 'error' to be of type String."],
    ['{"type":7,"allowReconnect":1}', "Expected 'allowReconnect' to be true or false."],
    ['{"type":8}', "Missing required property 'sequenceId'."],
    ['{"type":8,"sequenceId":null}', "Missing required property 'sequenceId'."],
    ['{"type":8,"sequenceId":true}', "Expected 'sequenceId' to be of type Number."],
    ['{"type":9,"sequenceId":"value"}', "Expected 'sequenceId' to be of type Number."],
    ['{"type":99,"target":42}', "Expected 'target' to be of type String."],
  ])("cannot be read from %s", (record, text) => {
    const { messages, error } = core.parse(frame(record));
    expect(messages).toEqual([]);
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({ name: "ProtocolError", code: "protocol_error", message: text });
  });

  it.each(["__proto__", "constructor", "prototype", "hasOwnProperty", "toString"])(
    "may name %s wherever it likes",
    (name) => {
      const hostile = `{"${name}":{"type":7,"polluted":true}}`;
      const { messages, error } = core.parse(
        frame(`{"${name}":{"type":7},"type":1,"target":"${name}","arguments":[${hostile}],"headers":{"${name}":"x"}}`),
      );
      expect(error).toBeUndefined();
      expect(messages).toMatchObject([{ kind: "invocation", target: name }]);
      const [argument] = argsOf(messages[0]);
      expect(JSON.stringify(argument)).toBe(hostile);
      expect(Object.getPrototypeOf(argument)).toBe(Object.prototype);
      expect({}).not.toHaveProperty("polluted");
    },
  );
});

describe("a frame", () => {
  it("holds messages in order", () => {
    const { messages } = core.parse(frame('{"type":6}', '{"type":5,"invocationId":"1"}', '{"type":7}'));
    expect(messages.map((message) => message.kind)).toEqual(["ping", "cancelInvocation", "close"]);
  });

  it("may be empty", () => {
    expect(core.parse("")).toStrictEqual({ messages: [], error: undefined });
  });

  it("gives what came before a broken record, and nothing behind it", () => {
    const { messages, error } = core.parse(frame('{"type":6}', "oops", '{"type":7}'));
    expect(messages).toEqual([{ kind: "ping" }]);
    expect(error?.message).toBe("Error reading JSON.");
  });

  it.each(['{"type":6}', "x", " "])("without its last separator is cut short: %s", (tail) => {
    const { messages, error } = core.parse(frame('{"type":6}') + tail);
    expect(messages).toEqual([{ kind: "ping" }]);
    expect(error?.message).toBe("Connection terminated while reading a message.");
  });

  it("may hold ten thousand records", () => {
    const { messages, error } = core.parse(`{"type":6}${RS}`.repeat(10_000));
    expect(error).toBeUndefined();
    expect(messages).toHaveLength(10_000);
  });

  it("of any text gives messages and at most one ProtocolError, and never throws", () => {
    const anyRecord = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((json) => json.slice(1)),
      looksLikeAMessage(),
    );
    fc.assert(
      fc.property(fc.array(anyRecord), fc.constantFrom("", RS), (records, end) => {
        const { messages, error } = core.parse(records.join(RS) + end);
        expect(messages.length).toBeLessThanOrEqual(records.length);
        for (const message of messages) expect(message.kind).toBeTypeOf("string");
        if (error !== undefined) expect(error).toBeInstanceOf(ProtocolError);
      }),
    );
  });

  it("gives back what a client wrote", () => {
    const written = fc.record({
      invocationId: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      target: fc.string({ minLength: 1 }),
      arguments: fc.array(fc.jsonValue()),
    });
    fc.assert(
      fc.property(fc.array(written), (invocations) => {
        const records = invocations.map((invocation) => JSON.stringify({ ...invocation, type: 1 }));
        const { messages, error } = core.parse(frame(...records));
        expect(error).toBeUndefined();
        expect(JSON.stringify(messages.map(argsOf))).toBe(JSON.stringify(invocations.map((each) => each.arguments)));
        expect(messages).toMatchObject(invocations.map(({ invocationId: id, target }) => ({ id, target })));
      }),
    );
  });
});

function args(...values: readonly unknown[]): ClientMessage {
  return { ...invocation, args: values };
}

function argsOf(message: ClientMessage | undefined): readonly unknown[] {
  return message !== undefined && "args" in message ? message.args : [];
}

/** Objects with the protocol's property names, mostly with the wrong values. */
function looksLikeAMessage(): fc.Arbitrary<string> {
  const names = "type invocationId target arguments streamIds headers item result error allowReconnect sequenceId";
  const value = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.jsonValue());
  return fc
    .dictionary(fc.constantFrom(...names.split(" "), "__proto__"), value)
    .map((fields) => JSON.stringify(fields));
}
