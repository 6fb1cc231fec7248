// What a resume key does not do, and what it does when the network is at its worst.

import type { HubConnection, IHttpConnectionOptions } from "@microsoft/signalr";
import { HttpTransportType } from "@microsoft/signalr";
import { defineHub } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { closing, type RunningService, serve } from "./running-service.ts";

const KEY = "0123456789abcdef0123456789abcdef";

function open() {
  const events = new Arrivals<string>();
  const release = new Arrivals<undefined>();
  const chat = defineHub<{ told(text: string): void }>()({
    methods: {
      echo: (_hub, value: unknown) => value,
      async hold() {
        events.push("held");
        await release.next();
        return "late";
      },
      query: (hub) => hub.request.query,
    },
    onConnected: () => void events.push("connected"),
    onReconnected: () => void events.push("reconnected"),
    onDisconnected: (_hub, { stopCalled, error }) => void events.push(`disconnected ${stopCalled} ${error?.code}`),
  });
  return { events, release, hubs: { chat } };
}

/** The recommended client, started: a key and automatic reconnect. */
async function connect(
  service: RunningService,
  path = `/chat?resume=${KEY}`,
  options?: IHttpConnectionOptions,
  delays = [0, 20, 50],
): Promise<HubConnection> {
  const connection = service.track(service.build(path, options).withAutomaticReconnect(delays).build());
  await connection.start();
  return connection;
}

function reconnected(connection: HubConnection): Promise<string | undefined> {
  return new Promise((resolve) => connection.onreconnected(resolve));
}

function transportId(service: RunningService): string {
  return service.server.transports()[0]?.id ?? "";
}

/** Cuts the only socket, and waits until its client is back. */
async function cut(service: RunningService, connection: HubConnection): Promise<string | undefined> {
  const back = reconnected(connection);
  service.server.faults.cut(transportId(service));
  return back;
}

describe("a client with a resume key comes back with its id", () => {
  it.each<[string, (service: RunningService) => void]>([
    ["$disconnect is dropped", ({ server }) => server.faults.dropDisconnects()],
    ["$disconnect arrives twice", ({ server }) => server.faults.duplicateDisconnects()],
  ])("when %s", async (_title, prepare) => {
    const { events, hubs } = open();
    const service = await serve({ hubs });
    const connection = await connect(service);
    const id = connection.connectionId;
    prepare(service);
    expect(await cut(service, connection)).toBe(id);
    expect(await connection.invoke("echo", 1)).toBe(1);
    service.server.faults.reset();
    await connection.stop();
    await service.table.ended();
    expect(events.all).toEqual(["connected", "reconnected", "disconnected true undefined"]);
  });

  it("when a method runs: its invoke rejects, its completion is not for the new transport", async () => {
    const { events, release, hubs } = open();
    const service = await serve({ hubs });
    const connection = await connect(service);
    const id = connection.connectionId;
    const held = connection.invoke("hold").catch((error: Error) => error);
    while ((await events.next()) !== "held");
    expect(await cut(service, connection)).toBe(id);
    expect(await held).toBeInstanceOf(Error);
    const echoed = connection.invoke("echo", "mine");
    release.push(undefined);
    expect(await echoed).toBe("mine");
    expect(events.all).toEqual(["connected", "held", "reconnected"]);
  });

  it("and hears in hub.request and in the log nothing of its key", async () => {
    const { hubs } = open();
    const service = await serve({ hubs });
    const connection = await connect(service, `/chat?resume=${KEY}&room=1`);
    await cut(service, connection);
    expect(await connection.invoke("query")).toEqual({ room: "1" });
    expect(JSON.stringify(service.lines.all)).not.toContain(KEY);
  });

  it("without negotiation", async () => {
    const { events, hubs } = open();
    const service = await serve({ hubs });
    const direct = { skipNegotiation: true, transport: HttpTransportType.WebSockets };
    const connection = await connect(service, undefined, direct);
    await cut(service, connection);
    await connection.invoke("echo", 1);
    expect(events.all).toEqual(["connected", "reconnected"]);
  });
});

it("frees its key when it stops", async () => {
  const { events, hubs } = open();
  const service = await serve({ hubs });
  const first = await connect(service);
  const id = first.connectionId;
  await first.stop();
  await service.table.ended();
  const second = await connect(service);
  expect(second.connectionId).not.toBe(id);
  expect(events.all).toEqual(["connected", "disconnected true undefined", "connected"]);
});

it("tells the older of two live clients with one key, which stays away", async () => {
  const { events, hubs } = open();
  const service = await serve({ hubs });
  const older = await connect(service);
  const id = older.connectionId;
  const closed = closing(older);
  const newer = await connect(service);
  expect((await closed)?.message).toContain("resumed by another client");
  expect(newer.connectionId).toBe(id);
  expect(await newer.invoke("echo", 1)).toBe(1);
  expect(events.all).toEqual(["connected", "reconnected"]);
});

describe("a key resumes nothing", () => {
  it("when it is short, which is logged without it", async () => {
    const { hubs } = open();
    const service = await serve({ hubs });
    const connection = await connect(service, "/chat?resume=tooshort");
    const id = connection.connectionId;
    expect(await cut(service, connection)).not.toBe(id);
    expect(service.lines.all).toContainEqual(expect.objectContaining({ level: "warn", length: 8 }));
    expect(JSON.stringify(service.lines.all)).not.toContain("tooshort");
  });

  it("of another user, or of another hub", async () => {
    const { hubs } = open();
    const service = await serve({
      hubs: { ...hubs, other: hubs.chat },
      auth: ({ query }) => (query.user === undefined ? null : { sub: query.user }),
    });
    const clients = [
      await connect(service, `/chat?user=ada&resume=${KEY}`),
      await connect(service, `/chat?user=bob&resume=${KEY}`),
      await connect(service),
      await connect(service, `/other?user=ada&resume=${KEY}`),
    ];
    expect(new Set(clients.map(({ connectionId }) => connectionId)).size).toBe(4);
    expect(await Promise.all(clients.map((client) => client.invoke("echo", 1)))).toEqual([1, 1, 1, 1]);
  });
});
