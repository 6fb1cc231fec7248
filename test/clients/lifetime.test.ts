// How connections begin, stay and end, as their hub and their client see it.

import type { HubConnection } from "@microsoft/signalr";
import { defineHub, type HubCaller, HubException } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { HANDSHAKE } from "./bare-client.ts";
import { closing, serve } from "./running-service.ts";

interface Client {
  receive(text: string): void;
}

type OnConnected = (hub: HubCaller<Client>) => unknown;

/** A hub that tells what happens in it. */
function open({ onConnected = () => undefined }: { onConnected?: OnConnected } = {}) {
  const events = new Arrivals<unknown>();
  const chat = defineHub<Client>()({
    methods: {
      note: (_hub, text: string) => events.push(text),
      echo: (_hub, value: unknown) => value,
      abort(hub) {
        hub.abort();
        events.push(`aborted: ${hub.aborted.aborted}`);
      },
      async close(hub, selector: string | { user: string } | { group: string }, options?: object) {
        await hub.connections.close(selector, options);
        return "closed";
      },
      join: (hub, group: string) => hub.groups.add(group),
    },
    async onConnected(hub) {
      await onConnected(hub);
      events.push("connected");
    },
    onDisconnected: (_hub, { stopCalled, error }) => void events.push({ stopCalled, code: error?.code }),
  });
  return { events, hubs: { chat } };
}

describe("a connection begins", () => {
  it("with onConnected, awaited before its first message", async () => {
    let goOn = () => {};
    const opened = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const { events, hubs } = open({ onConnected: () => opened });
    const client = await (await serve({ hubs })).open();
    client.send(HANDSHAKE);
    expect(await client.next()).toEqual({});
    client.send({ type: 1, target: "note", arguments: ["first"] });
    client.send({ type: 6 });
    expect(await client.next()).toEqual({ type: 6 });
    expect(events.all).toEqual([]);
    goOn();
    expect([await events.next(), await events.next()]).toEqual(["connected", "first"]);
  });

  it("with messages in the frame of its handshake", async () => {
    const { events, hubs } = open();
    const client = await (await serve({ hubs })).open();
    client.send(
      HANDSHAKE,
      { type: 1, target: "note", arguments: ["first"] },
      { type: 6 },
      { type: 1, invocationId: "0", target: "echo", arguments: ["second"] },
    );
    expect([await client.next(), await client.next(), await client.next()]).toEqual([
      {},
      { type: 6 },
      { type: 3, invocationId: "0", result: "second" },
    ]);
    expect(events.all).toEqual(["connected", "first"]);
  });

  it.each<[string, boolean, unknown, string]>([
    ["an error", false, new RangeError("secret"), "Connection closed with an error."],
    ["an error, in detail", true, new RangeError("why"), "Connection closed with an error. RangeError: why"],
    ["a HubException", false, new HubException("No."), "Connection closed with an error. HubException: No."],
  ])("not, when onConnected throws %s: no reconnect, no onDisconnected", async (_title, detailed, error, text) => {
    const { events, hubs } = open({ onConnected: () => Promise.reject(error) });
    const service = await serve({ hubs, enableDetailedErrors: detailed });
    const client = await service.open();
    client.send(HANDSHAKE, { type: 1, target: "note", arguments: ["never"] });
    expect(await client.untilClosed()).toEqual([{}, { type: 7, error: text }]);
    expect(await client.closed).toMatchObject({ code: 1000 });
    await service.leave();
    expect(events.all).toEqual([]);
  });

  it("and ends at once when onConnected aborts it", async () => {
    const { events, hubs } = open({ onConnected: (hub) => hub.abort() });
    const client = await (await serve({ hubs })).open();
    client.send(HANDSHAKE);
    expect(await client.untilClosed()).toEqual([{}, { type: 7 }]);
    expect([await events.next(), await events.next()]).toEqual(["connected", { stopCalled: false, code: "aborted" }]);
  });
});

describe("a connection ends once", () => {
  it("when its client stops", async () => {
    const { events, hubs } = open();
    const service = await serve({ hubs });
    const connection = await service.connect();
    const closed = closing(connection);
    await connection.stop();
    expect(await closed).toBeUndefined();
    await service.leave();
    expect(events.all).toEqual(["connected", { stopCalled: true, code: undefined }]);
  });

  it("when its client says Close, behind what it said before", async () => {
    const { events, hubs } = open();
    const service = await serve({ hubs });
    const client = await service.greet();
    const note = (text: string) => ({ type: 1, target: "note", arguments: [text] });
    client.send(note("before"), { type: 7 }, note("after"));
    expect(await client.untilClosed()).toEqual([{}, { type: 7 }]);
    await service.leave();
    expect(events.all).toEqual(["connected", "before", { stopCalled: true, code: undefined }]);
  });

  it.each([
    ["without a close frame", undefined, { stopCalled: false, code: "transport_lost" }],
    ["with 1000", 1000, { stopCalled: true }],
    ["with 1001, as a page that is left", 1001, { stopCalled: true }],
    ["with 4000", 4000, { stopCalled: false, code: "transport_lost" }],
  ])("when its socket closes %s", async (_title, code, reason) => {
    const { events, hubs } = open();
    const service = await serve({ hubs });
    const client = await service.greet();
    await (code === undefined ? client.vanish() : client.close(code));
    await service.table.ended();
    expect(events.all).toEqual(["connected", reason]);
  });

  it("when $disconnect arrives twice, too", async () => {
    const { events, hubs } = open();
    const service = await serve({ hubs });
    service.server.faults.duplicateDisconnects();
    await (await service.greet()).vanish();
    await service.leave();
    expect(events.all).toEqual(["connected", { stopCalled: false, code: "transport_lost" }]);
  });

  it("when a method aborts it; its client may not come back", async () => {
    const { events, hubs } = open();
    const service = await serve({ hubs });
    const connection = await reconnecting(service);
    const closed = closing(connection);
    await connection.send("abort");
    expect(await closed).toBeUndefined();
    await service.leave();
    expect(events.all).toEqual(["connected", "aborted: true", { stopCalled: false, code: "aborted" }]);
  });
});

describe("connections.close", () => {
  it("closes by id, with a reason the client reads", async () => {
    const { events, hubs } = open();
    const service = await serve({ hubs });
    const [ada, bob] = [await reconnecting(service), await service.connect()];
    const closed = closing(ada);
    expect(await bob.invoke("close", ada.connectionId, { reason: "Kicked." })).toBe("closed");
    expect(await closed).toMatchObject({ message: "Server returned an error on close: Kicked." });
    expect(await bob.invoke("echo", 1)).toBe(1);
    await service.leave();
    expect(events.all).toContainEqual({ stopCalled: false, code: "aborted" });
  });

  it("lets a client with automatic reconnect come back where that is allowed", async () => {
    const service = await serve(open());
    const [ada, bob] = [await reconnecting(service), await service.connect()];
    const first = ada.connectionId;
    const reconnected = new Promise((resolve) => ada.onreconnected(resolve));
    await bob.invoke("close", first, { reason: "Moved.", allowReconnect: true });
    expect(await reconnected).toBe(ada.connectionId);
    expect(ada.connectionId).not.toBe(first);
    expect(await ada.invoke("echo", "back")).toBe("back");
  });

  it("closes all of a user, all of a group, and nobody else", async () => {
    const { hubs } = open();
    const service = await serve({
      hubs: { ...hubs, other: hubs.chat },
      auth: ({ query }) => (query.user === undefined ? null : { sub: query.user }),
    });
    const [ada, ada2, bob, eve, stranger] = [
      await service.connect("/chat?user=ada"),
      await service.connect("/chat?user=ada"),
      await service.connect("/chat"),
      await service.connect("/chat"),
      await service.connect("/other?user=ada"),
    ];
    for (const connection of [bob, stranger]) await connection.invoke("join", "red");
    const closed = [ada, ada2, bob].map(closing);
    await eve.invoke("close", { user: "ada" });
    await eve.invoke("close", { group: "red" });
    await eve.invoke("close", "nobody");
    await eve.invoke("close", stranger.connectionId);
    expect(await Promise.all(closed)).toEqual([undefined, undefined, undefined]);
    expect(await Promise.all([eve, stranger].map((connection) => connection.invoke("echo", "here")))).toEqual([
      "here",
      "here",
    ]);
  });

  it("closes the caller, which hears why", async () => {
    const service = await serve(open());
    const connection = await service.connect();
    const closed = closing(connection);
    await connection.send("close", connection.connectionId, { reason: "Yourself." });
    expect(await closed).toMatchObject({ message: "Server returned an error on close: Yourself." });
  });
});

describe("a quiet server", () => {
  it("answers each Ping with a Ping", async () => {
    const client = await (await serve(open())).greet();
    for (let count = 0; count < 3; count++) {
      client.send({ type: 6 });
      expect(await client.next()).toEqual({ type: 6 });
    }
  });

  it("pings a client that only sends, once in each keepAliveInterval", async () => {
    const service = await serve({ ...open(), lifetime: { keepAliveInterval: 10_000 } });
    const client = await service.greet();
    const heard: unknown[] = [];
    for (let second = 0; second < 25; second++) {
      client.send({ type: 1, target: "note", arguments: ["x"] });
      // The answer to a call tells that everything before it has been answered.
      client.send({ type: 1, invocationId: String(second), target: "echo", arguments: [] });
      for (let message = await client.next(); message.type !== 3; message = await client.next()) {
        heard.push([second, message]);
      }
      await service.clock.advance(1000);
    }
    expect(heard).toEqual([
      [10, { type: 6 }],
      [20, { type: 6 }],
    ]);
  });
});

async function reconnecting(service: Awaited<ReturnType<typeof serve>>): Promise<HubConnection> {
  const connection = service.track(service.build("/chat").withAutomaticReconnect([0]).build());
  await connection.start();
  return connection;
}
