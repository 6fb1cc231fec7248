// Connections that outlive their sockets: a resume key in the hub's URL, and a stock client with automatic reconnect.

import type { HubConnection, IHttpConnectionOptions, IRetryPolicy } from "@microsoft/signalr";
import { HttpTransportType } from "@microsoft/signalr";
import { defineHub } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { RunningClock, type TestClock } from "./running-clock.ts";
import { calls, closing, type RunningService, serve } from "./running-service.ts";

const KEY = "0123456789abcdef0123456789abcdef";
/** Milliseconds. */
const SWEEPER_TICK = 5_000;
/** Of a sender that waits for room, or for another. */
const PAUSE = 200;
/** A sweeper that went home is back after that. */
const SCHEDULE = 60_000;
const AT_ONCE = [0, 20, 50, 100, 200, 400];

interface Client {
  told(text: string): void;
}

async function start() {
  const events = new Arrivals<string>();
  let goOn = (): void => undefined;
  const working = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const chat = defineHub<Client>()({
    methods: {
      join: (hub, group: string) => hub.groups.add(group),
      remember: (hub, value: string) => void hub.items.set("value", value),
      recall: async (hub) => [hub.items.get("value"), await hub.groups.list()],
      query: (hub) => hub.request.query,
      tell: (hub, group: string, text: string) => hub.clients.group(group).told(text),
      async work(hub) {
        events.push("working");
        await working;
        hub.items.set("value", "worked");
        return "late";
      },
      leave: (hub) => hub.abort(),
    },
    onConnected: () => void events.push("connected"),
    onReconnected: () => void events.push("reconnected"),
    onDisconnected: (_hub, { stopCalled, error }) => void events.push(`disconnected ${stopCalled} ${error?.code}`),
  });
  const auth = ({ headers }: { headers: Readonly<Record<string, string | undefined>> }) =>
    headers["x-user"] === undefined ? null : { sub: headers["x-user"] };
  const service = await serve({ hubs: { chat, other: chat }, auth }, new RunningClock());
  return { service, events, goOn: () => goOn() };
}

async function connect(
  service: RunningService,
  key: string | undefined,
  options: IHttpConnectionOptions = {},
  policy: number[] | IRetryPolicy = AT_ONCE,
  path = "/chat",
): Promise<HubConnection> {
  const builder = service.build(key === undefined ? path : `${path}?resume=${key}`, options);
  const connection = service.track(
    (Array.isArray(policy) ? builder.withAutomaticReconnect(policy) : builder.withAutomaticReconnect(policy)).build(),
  );
  await connection.start();
  return connection;
}

const reconnected = (connection: HubConnection) =>
  new Promise<string | undefined>((resolve) => connection.onreconnected(resolve));
const reconnecting = (connection: HubConnection) => new Promise((resolve) => connection.onreconnecting(resolve));

/** The newest socket. */
function socketOf({ server }: RunningService): string {
  return server.transports().at(-1)?.id ?? "";
}

/** Moves time on from sleep to sleep, none of them longer than `longest`, until `event` has happened. */
async function advanceUntil(clock: TestClock, event: Promise<unknown>, longest = SWEEPER_TICK): Promise<void> {
  let happened = false;
  void event.then(() => {
    happened = true;
  });
  while (!happened) {
    if (clock.nextWake <= longest) await clock.advance(clock.nextWake);
    else await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a client that comes back with its key", () => {
  it.each<[string, number[] | IRetryPolicy]>([
    ["an array of delays", AT_ONCE],
    [
      "a policy object",
      { nextRetryDelayInMilliseconds: ({ elapsedMilliseconds }) => (elapsedMilliseconds < 5000 ? 10 : null) },
    ],
  ])("keeps id, groups and items, by %s", async (_name, policy) => {
    const { service, events } = await start();
    const connection = await connect(service, KEY, {}, policy);
    const { connectionId } = connection;
    await connection.invoke("join", "room");
    await connection.invoke("remember", "me");
    const back = reconnected(connection);
    service.server.faults.cut(socketOf(service));
    expect(await back).toBe(connectionId);
    expect(await connection.invoke("recall")).toEqual(["me", ["room"]]);
    await connection.stop();
    const seen = [await events.next(), await events.next(), await events.next()];
    expect(seen).toEqual(["connected", "reconnected", "disconnected true undefined"]);
  });

  it("keeps them again and again, and with skipNegotiation", async () => {
    const { service, events } = await start();
    const connection = await connect(service, KEY, { skipNegotiation: true, transport: HttpTransportType.WebSockets });
    await connection.invoke("remember", "me");
    for (let time = 0; time < 3; time++) {
      const back = reconnected(connection);
      service.server.faults.cut(socketOf(service));
      await back;
      expect(await connection.invoke("recall")).toEqual(["me", []]);
    }
    expect(events.all).toEqual(["connected", "reconnected", "reconnected", "reconnected"]);
  });

  it("gets in order, and once, what was sent while it was away", async () => {
    const { service } = await start();
    const receiver = await connect(service, KEY);
    const told = calls(receiver, "told");
    await receiver.invoke("join", "room");
    const socket = socketOf(service);
    const sender = await connect(service, undefined);
    service.server.faults.throwIn("negotiate", 3);
    const [lost, back] = [reconnecting(receiver), reconnected(receiver)];
    service.server.faults.cut(socket);
    await lost;
    const texts = Array.from({ length: 20 }, (_, index) => String(index));
    // A sender that meets the one who empties the outbox waits for it.
    for (const text of texts) await advanceUntil(service.clock, sender.invoke("tell", "room", text), PAUSE);
    await back;
    for (const text of texts) expect(await told.next()).toEqual([text]);
    await sender.invoke("tell", "room", "last");
    expect(await told.next()).toEqual(["last"]);
  });

  it("is served by the method that was running, whose answer goes nowhere", async () => {
    const { service, events, goOn } = await start();
    const connection = await connect(service, KEY);
    const asked = connection.invoke("work");
    expect([await events.next(), await events.next()]).toEqual(["connected", "working"]);
    const back = reconnected(connection);
    service.server.faults.cut(socketOf(service));
    await expect(asked).rejects.toThrow();
    await back;
    goOn();
    expect(await connection.invoke("recall")).toEqual(["worked", []]);
    expect(events.all).toContain("reconnected");
  });

  it("is found behind a half-open socket, which is closed, whatever becomes of its $disconnect", async () => {
    const { service, events } = await start();
    const first = await service.open(`/chat?resume=${KEY}`);
    expect(await first.handshake()).toEqual({});
    service.server.faults.duplicateDisconnects();
    service.server.faults.halfOpen(socketOf(service));
    const second = await service.open(`/chat?resume=${KEY}`);
    expect(await second.handshake()).toEqual({});
    await expect.poll(() => service.server.transports().length).toBe(1);
    expect([await events.next(), await events.next()]).toEqual(["connected", "reconnected"]);
    service.server.faults.reset();
  });

  it("comes back from the gateway's two hours as the same connection", async () => {
    const { service, events } = await start();
    const connection = await connect(service, KEY, {}, [0]);
    const { connectionId } = connection;
    connection.keepAliveIntervalInMilliseconds = 5;
    connection.serverTimeoutInMilliseconds = 10_000;
    const back = reconnected(connection);
    await advanceUntil(service.clock, back);
    expect(await back).toBe(connectionId);
    expect(events.all.filter((event) => event.startsWith("disconnected"))).toEqual([]);
  });
});

describe("a client that does not", () => {
  it("is disconnected once, when its time is up, and gets a new id after that", async () => {
    const { service, events } = await start();
    const connection = await connect(service, KEY, {}, []);
    const { connectionId } = connection;
    const closed = closing(connection);
    service.server.faults.cut(socketOf(service));
    await closed;
    expect(await events.next()).toBe("connected");
    const ended = events.next();
    await service.clock.advance(SCHEDULE);
    await advanceUntil(service.clock, ended);
    expect(await ended).toBe("disconnected false transport_lost");
    const later = await connect(service, KEY);
    expect(later.connectionId).not.toBe(connectionId);
    expect(await events.next()).toBe("connected");
  });

  it("and stopped, has given its key up", async () => {
    const { service, events } = await start();
    const connection = await connect(service, KEY);
    const { connectionId } = connection;
    await connection.stop();
    await service.table.ended();
    expect((await connect(service, KEY)).connectionId).not.toBe(connectionId);
    const seen = [await events.next(), await events.next(), await events.next()];
    expect(seen).toEqual(["connected", "disconnected true undefined", "connected"]);
  });

  it("is ended when more waits for it than the outbox holds", async () => {
    const { service, events } = await start();
    const receiver = await connect(service, KEY, {}, []);
    await receiver.invoke("join", "room");
    const closed = closing(receiver);
    const socket = socketOf(service);
    const sender = await connect(service, undefined);
    service.server.faults.cut(socket);
    await closed;
    const texts = Array.from({ length: 5 }, () => "x".repeat(30_000));
    // The last sender waits for room before it gives the connection up.
    for (const text of texts) await advanceUntil(service.clock, sender.invoke("tell", "room", text), PAUSE);
    await sender.stop();
    const seen = [await events.next(), await events.next(), await events.next()];
    expect(seen).toEqual(["connected", "connected", "disconnected true undefined"]);
    const ended = events.next();
    await service.clock.advance(SCHEDULE);
    await advanceUntil(service.clock, ended);
    expect(await ended).toBe("disconnected false outbox_full");
  });
});

describe("a key", () => {
  it("resumes nothing for another user, on another hub, or when it is short", async () => {
    const { service, events } = await start();
    const ada = { headers: { "x-user": "ada" } };
    const first = await connect(service, KEY, ada);
    const others = [
      await connect(service, KEY, { headers: { "x-user": "bob" } }),
      await connect(service, KEY),
      await connect(service, KEY, ada, AT_ONCE, "/other"),
      await connect(service, "short", ada),
      await connect(service, "short", ada),
    ];
    const ids = new Set([first, ...others].map(({ connectionId }) => connectionId));
    expect(ids.size).toBe(6);
    for (let count = 0; count < 6; count++) expect(await events.next()).toBe("connected");
    expect(service.lines.all.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("A resume key is ignored"),
    );
  });

  it("of two clients belongs to the newer; the older is told and stays away", async () => {
    const { service, events } = await start();
    const older = await connect(service, KEY);
    const { connectionId } = older;
    const closed = closing(older);
    const newer = await connect(service, KEY);
    expect((await closed)?.message).toContain("resumed by another client");
    expect(newer.connectionId).toBe(connectionId);
    expect([await events.next(), await events.next()]).toEqual(["connected", "reconnected"]);
  });

  it("is shown to nobody", async () => {
    const { service } = await start();
    const connection = await connect(service, `${KEY}&room=a`);
    expect(await connection.invoke("query")).toEqual({ room: "a" });
    expect(JSON.stringify(service.lines.all)).not.toContain(KEY);
    expect((await service.table.keys()).join()).not.toContain(KEY);
  });
});
