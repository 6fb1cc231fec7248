// Clients that misbehave get the reference's answer, and nobody else notices.

import { defineHub } from "signalr-lambda";
import { beforeAll, describe, expect, it } from "vitest";
import { Arrivals, Refused } from "../local/local-gateway.ts";
import { frame } from "../protocol/records.ts";
import { HANDSHAKE } from "./bare-client.ts";
import { calls, type RunningService, start } from "./running-service.ts";

const ended = new Arrivals<{ stopCalled: boolean; code: string | undefined }>();
const began = new Arrivals<string>();

const chat = defineHub<{ receive(value: unknown): void }>()({
  methods: { tell: (hub, value: unknown) => hub.clients.all.receive(value) },
  onConnected: (hub) => void began.push(hub.connectionId),
  onDisconnected: (_hub, { stopCalled, error }) => void ended.push({ stopCalled, code: error?.code }),
});

describe.each([
  ["", false],
  [", in detail", true],
])("what a client is told%s", (_title, enableDetailedErrors) => {
  let service: RunningService;
  beforeAll(async () => {
    service = await start({ hubs: { chat }, enableDetailedErrors });
    return () => service.close();
  });

  const detail = (text: string) => (enableDetailedErrors ? ` ${text}` : "");

  describe("before a handshake", () => {
    const missing = (record: string) =>
      `InvalidDataException: Missing required property 'protocol'. Message content: ${record}`;
    const invocation = '{"type":1,"invocationId":"1","target":"tell","arguments":[1]}';

    it.each([
      [
        '{"protocol":"messagepack","version":1}',
        "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.",
      ],
      ['{"protocol":"blazorpack","version":1}', "The protocol 'blazorpack' is not supported."],
      ['{"protocol":"json","version":3}', "The server does not support version 3 of the 'json' protocol."],
    ])("%s is refused with its reason", async (record, error) => {
      await refuses(frame(record), error);
    });

    it.each([
      ["oops", "InvalidDataException: Error reading JSON."],
      ["[]", "InvalidDataException: Unexpected JSON Token Type 'Array'. Expected a JSON Object."],
      ["{}", missing("{}")],
      [invocation, missing(invocation)],
      ['{"protocol":"json"}', "InvalidDataException: Missing required property 'version'. Message content: $RECORD"],
      ['{"protocol":1,"version":1}', "InvalidDataException: Expected 'protocol' to be of type String."],
    ])("%s is no handshake", async (record, text) => {
      const error = "An unexpected error occurred during connection handshake.";
      await refuses(frame(record), error + detail(text.replace("$RECORD", record)));
    });

    it.each([HANDSHAKE, "oops"])("a frame without an end is no handshake: %s", async (text) => {
      await refuses(text, "Handshake was canceled.");
    });

    it("a Ping is no handshake", async () => {
      const client = await service.open();
      client.send({ type: 6 });
      // Pings are answered beside the write that knows the phase, so this client gets a Ping as well.
      expect((await client.untilClosed()).at(-1)).toEqual({
        error: "An unexpected error occurred during connection handshake.",
      });
    });

    it("a binary frame closes with 1003", async () => {
      const client = await service.open();
      client.sendText(Buffer.from(frame(HANDSHAKE)));
      expect(await client.closed).toMatchObject({ code: 1003 });
    });

    async function refuses(text: string, error: string): Promise<void> {
      const before = [began.all.length, ended.all.length];
      const client = await service.open();
      client.sendText(text);
      expect(await client.untilClosed()).toEqual([{ error }]);
      expect(await client.closed).toMatchObject({ code: 1000 });
      expect([began.all.length, ended.all.length]).toEqual(before);
    }
  });

  describe("by an open connection", () => {
    it.each([
      ["oops", "Error reading JSON."],
      ["null", "Unexpected JSON Token Type 'Null'. Expected a JSON Object."],
      ["{}", "Missing required property 'type'."],
      [HANDSHAKE, "Missing required property 'type'."],
      ['{"type":"1"}', "Expected 'type' to be of type Number."],
      ['{"type":1,"target":"tell"}', "Missing required property 'arguments'."],
      ['{"type":1,"target":7,"arguments":[]}', "Expected 'target' to be of type String."],
      ['{"type":1,"target":"tell","arguments":{}}', "Expected 'arguments' to be of type Array."],
      ['{"type":3,"invocationId":""}', "Missing required property 'invocationId'."],
      [
        '{"type":3,"invocationId":"1","error":"e","result":1}',
        "The 'error' and 'result' properties are mutually exclusive.",
      ],
    ])("%s closes it", async (record, text) => {
      await closes(frame(record), text);
    });

    it("a frame without an end closes it", async () => {
      await closes('{"type":6}', "Connection terminated while reading a message.");
    });

    it("what came before in the same frame is done", async () => {
      const other = await service.connect();
      const received = calls(other, "receive");
      await closes(
        frame(
          '{"type":1,"target":"tell","arguments":["before"]}',
          "oops",
          '{"type":1,"target":"tell","arguments":[0]}',
        ),
        "Error reading JSON.",
      );
      await other.invoke("tell", "after");
      expect(received.all).toEqual([["before"], ["after"]]);
      await other.stop();
      await ended.next();
    });

    it.each([
      ["a frame over 32 KB closes it with 1009", "x".repeat(32 * 1024 + 1), 1009],
      ["a binary frame closes it with 1003", Buffer.from(frame('{"type":6}')), 1003],
    ])("%s", async (_name, data, code) => {
      const client = await service.greet();
      client.sendText(data);
      expect(await client.closed).toMatchObject({ code });
      expect(await ended.next()).toEqual({ stopCalled: false, code: "message_refused" });
    });

    it.each([
      ['{"type":2,"invocationId":"7","item":1}'],
      ['{"type":3,"invocationId":"7","result":1}'],
      ['{"type":3,"invocationId":"7"}'],
      ['{"type":5,"invocationId":"7"}'],
      ['{"type":8,"sequenceId":7}'],
      ['{"type":9,"sequenceId":7}'],
      ['{"type":42,"whatever":true}'],
    ])("%s is ignored", async (record) => {
      const client = await service.greet();
      client.send(record, '{"type":6}');
      expect(await client.next()).toEqual({ type: 6 });
      client.send({ type: 7 });
      expect(await client.untilClosed()).toEqual([{}, { type: 6 }, { type: 7 }]);
      expect(await ended.next()).toEqual({ stopCalled: true, code: undefined });
    });

    it("a frame full of records is read to its end", async () => {
      const client = await service.greet();
      client.send(...Array.from({ length: 2900 }, () => '{"type":6}'));
      expect(await client.next()).toEqual({ type: 6 });
      client.send({ type: 7 });
      expect(await client.untilClosed()).toEqual([{}, { type: 6 }, { type: 7 }]);
      await ended.next();
    });

    async function closes(text: string, problem: string): Promise<void> {
      const witness = await service.greet();
      const client = await service.greet();
      client.sendText(text);
      const error = `Connection closed with an error.${detail(`InvalidDataException: ${problem}`)}`;
      expect((await client.untilClosed()).at(-1)).toEqual({ type: 7, error, allowReconnect: true });
      expect(await client.closed).toMatchObject({ code: 1000 });
      expect(await ended.next()).toEqual({ stopCalled: false, code: "protocol_error" });
      witness.send({ type: 7 });
      expect((await witness.untilClosed()).at(-1)).toEqual({ type: 7 });
      expect(await ended.next()).toEqual({ stopCalled: true, code: undefined });
    }
  });

  it("an unknown hub is a 404", async () => {
    await expect(service.open("/nowhere")).rejects.toThrow(new Refused(404));
  });
});
