// A network that lets no sockets pass: stock clients find another transport by themselves.

import type { HubConnection, IHttpConnectionOptions } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import type { ServiceOptions } from "signalr-lambda";
import { expect, it } from "vitest";
import { recordedHub } from "./recorded-hub.ts";
import { resumableClient } from "./resumable-client.ts";
import { RunningClock } from "./running-clock.ts";
import { serve } from "./running-service.ts";
import { VirtualTime } from "./virtual-time.ts";

const KEY = "0123456789abcdef0123456789abcdef";

async function start(options: Partial<ServiceOptions> = {}) {
  const hub = recordedHub();
  const service = await serve({ hubs: hub.hubs, ...options }, new RunningClock());
  service.server.faults.blockSockets(Number.POSITIVE_INFINITY);
  return { ...hub, service };
}

/** Where its messages come from. */
function transportOf(connection: HubConnection): string {
  const { transport } = (connection as unknown as { connection: { transport: object } }).connection;
  return transport.constructor.name;
}

/** Notes what is asked of negotiate: a client asks anew for each further transport. */
function counting(): IHttpConnectionOptions & { readonly negotiations: string[] } {
  const negotiations: string[] = [];
  const logger = {
    log(_level: number, message: string) {
      if (message.startsWith("Sending negotiation request")) negotiations.push(message);
    },
  };
  return { negotiations, logger };
}

it.each([
  ["event streams", undefined, "ServerSentEventsTransport", 2],
  ["long polling", ["WebSockets", "LongPolling"] as const, "LongPollingTransport", 2],
])("a stock client without any option goes over to %s", async (_title, transports, transport, times) => {
  const { service, names } = await start(transports === undefined ? {} : { transports });
  const { negotiations, ...options } = counting();
  const connection = service.track(
    service
      .build("/chat")
      .configureLogging(options.logger as never)
      .build(),
  );
  await connection.start();
  expect(transportOf(connection)).toBe(transport);
  expect(negotiations).toHaveLength(times);
  expect(await connection.invoke("echo", "here")).toBe("here");
  expect(names(connection.connectionId)).toEqual(["connected"]);
});

it("a client of MessagePack polls, whether sockets pass or not", async () => {
  const { service } = await start();
  for (const passes of [false, true]) {
    if (passes) service.server.faults.reset();
    const { negotiations, ...options } = counting();
    const builder = service.build("/chat").withHubProtocol(new MessagePackHubProtocol());
    const connection = service.track(builder.configureLogging(options.logger as never).build());
    await connection.start();
    expect(transportOf(connection)).toBe("LongPollingTransport");
    expect(negotiations).toHaveLength(1);
    expect(await connection.invoke("echo", new Uint8Array([1, 200]))).toEqual(new Uint8Array([1, 200]));
  }
});

it.each([
  ["an event stream", undefined, "ServerSentEventsTransport"],
  ["long polling", ["WebSockets", "LongPolling"] as const, "LongPollingTransport"],
])("a client of stateful reconnect does without it by %s", async (_title, transports, transport) => {
  const { service } = await start(transports === undefined ? {} : { transports });
  const builder = service.build(`/chat?resume=${KEY}`).withAutomaticReconnect().withStatefulReconnect();
  const connection = service.track(builder.build());
  await connection.start();
  expect(transportOf(connection)).toBe(transport);
  expect(await connection.invoke("echo", 1)).toBe(1);
  await connection.invoke("join", "room");
  await connection.invoke("tell", "room", 1);
  expect(await connection.invoke("echo", 2)).toBe(2);
});

it("a client that has had stateful reconnect waits for a socket: by another transport it would not send or hear anything", async () => {
  const hub = recordedHub();
  const time = await VirtualTime.serve({ hubs: hub.hubs });
  const { faults, transports } = time.service.server;
  const { connection, noticed } = resumableClient(time, KEY);
  await time.until(connection.start());
  const { connectionId } = connection;
  await time.until(connection.invoke("join", "room"));
  faults.blockSockets(9_000);
  for (const { id } of transports()) faults.cut(id);
  await time.pass(5_000);
  expect(noticed).toEqual(["reconnecting"]);
  await time.pass(10_000);
  expect(noticed).toEqual(["reconnecting", `reconnected ${connectionId}`]);
  expect(transportOf(connection)).toBe("WebSocketTransport");
  expect(await time.until(connection.invoke("echo", "here"))).toBe("here");
});

it("a connection with a key stays the same from one transport to another, both ways", async () => {
  const hub = recordedHub();
  const time = await VirtualTime.serve({ hubs: hub.hubs });
  const { service, network } = time;
  const { faults } = service.server;
  const builder = service.build(`/chat?resume=${KEY}`, network.options).withAutomaticReconnect();
  const connection = service.track(builder.build());
  const ids: unknown[] = [];
  const told: unknown[] = [];
  connection.onreconnected((id) => ids.push(id));
  connection.on("told", (text) => told.push(text));
  faults.blockSockets(Number.POSITIVE_INFINITY);
  await time.until(connection.start());
  const { connectionId } = connection;
  await time.until(connection.invoke("join", "room"));
  expect(transportOf(connection)).toBe("ServerSentEventsTransport");
  for (const [count, transport] of ["WebSocketTransport", "ServerSentEventsTransport"].entries()) {
    if (count === 0) faults.reset();
    else faults.blockSockets(Number.POSITIVE_INFINITY);
    faults.cutRequests();
    for (const { id } of service.server.transports()) faults.cut(id);
    await time.pass(3_000);
    expect(ids).toHaveLength(count + 1);
    expect(transportOf(connection)).toBe(transport);
    await time.until(connection.invoke("tell", "room", count));
    await time.pass(500);
  }
  expect(ids).toEqual([connectionId, connectionId]);
  expect(told).toEqual([0, 1]);
  expect(hub.names()).toEqual(["connected", "reconnected", "reconnected"]);
});
