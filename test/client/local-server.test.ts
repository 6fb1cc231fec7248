// What a watch tells when the socket is real: the stock client on the local server, whose sockets go wrong.

import type { HubConnection } from "@microsoft/signalr";
import { defineHub } from "signalr-lambda";
import { watchTransport } from "signalr-lambda/client";
import { describe, expect, it, onTestFinished } from "vitest";
import { type RunningService, serve } from "../clients/running-service.ts";
import { Arrivals } from "../local/local-gateway.ts";
import { FakeTimers } from "./fake-timers.ts";
import { telling } from "./stock-client.ts";

/** Of the client's default timeout. Milliseconds. */
const TWO_THIRDS = 20_000;
/** Nothing answers a client that cannot be reached, so this much is really waited for. Milliseconds. */
const SHORT_TIMEOUT = 50;

const chat = defineHub()({ methods: { echo: (_hub, value: unknown) => value } });

interface Watched {
  readonly service: RunningService;
  readonly connection: HubConnection;
  readonly timers: FakeTimers;
  readonly told: Arrivals<string>;
  /** The gateway's id of the client's socket. */
  readonly transportId: string;
}

/** A connection that waits for nothing: the answers to its handshake and to its first ping have come. */
async function connect(retryDelays = [0, 20, 50, 100, 200, 400], isStateful = false): Promise<Watched> {
  const service = await serve({ hubs: { chat } });
  onTestFinished(() => service.server.faults.reset());
  const timers = new FakeTimers();
  const told = new Arrivals<string>();
  const frames = new Arrivals<string>();
  const transport = watchTransport({ timers });
  const log = (_level: number, line: string) => void (line.includes("data received") && frames.push(line));
  const builder = service
    .build("/chat")
    .configureLogging(transport.logger({ log }))
    .withAutomaticReconnect(retryDelays);
  const connection = service.track((isStateful ? builder.withStatefulReconnect() : builder).build());
  connection.onreconnecting(() => told.push("onreconnecting"));
  connection.onreconnected(() => told.push("onreconnected"));
  connection.onclose(() => told.push("onclose"));
  transport.observe(connection, telling(told));
  await connection.start();
  await frames.next();
  await frames.next();
  return { service, connection, timers, told, transportId: service.server.transports()[0]?.id ?? "" };
}

describe("on the local server", () => {
  it("a half-open socket is slow, and has recovered when something passes again", async () => {
    const { service, connection, timers, told, transportId } = await connect();
    service.server.faults.halfOpen(transportId);
    const answer = connection.invoke("echo", "late");
    timers.advance(TWO_THIRDS);
    expect(told.all).toEqual(["onConnectionSlow"]);
    service.server.faults.release(transportId);
    expect(await answer).toBe("late");
    timers.advance(TWO_THIRDS - 1);
    expect(told.all).toEqual(["onConnectionSlow", "onConnectionRecovered"]);
  });

  it("a half-open socket that the client gives up is lost, and restored by the next", async () => {
    const { service, connection, timers, told, transportId } = await connect();
    connection.serverTimeoutInMilliseconds = SHORT_TIMEOUT;
    await connection.invoke("echo", "last");
    connection.serverTimeoutInMilliseconds = 30_000;
    service.server.faults.halfOpen(transportId);
    timers.advance(SHORT_TIMEOUT);
    for (const event of ["onConnectionSlow", "onTransportLost", "onreconnecting", "onreconnected"]) {
      expect(await told.next()).toBe(event);
    }
    expect(await told.next()).toBe("onTransportRestored");
    expect(await connection.invoke("echo", "back")).toBe("back");
  });

  it("a socket that stateful reconnect replaces unnoticed is lost and restored", async () => {
    const { service, connection, told, transportId } = await connect(undefined, true);
    service.server.faults.cut(transportId);
    expect([await told.next(), await told.next()]).toEqual(["onTransportLost", "onTransportRestored"]);
    expect(await connection.invoke("echo", "on")).toBe("on");
    expect(told.all).toEqual(["onTransportLost", "onTransportRestored"]);
  });

  it("a socket that is cut is never slow", async () => {
    const { service, timers, told, transportId } = await connect();
    timers.advance(TWO_THIRDS - 1);
    service.server.faults.cut(transportId);
    for (const event of ["onTransportLost", "onreconnecting", "onreconnected", "onTransportRestored"]) {
      expect(await told.next()).toBe(event);
    }
    expect(told.all.length).toBe(4);
  });

  it("a socket that is cut for good is lost, and then the connection is closed", async () => {
    const { service, timers, told, transportId } = await connect([]);
    service.server.faults.cut(transportId);
    expect([await told.next(), await told.next()]).toEqual(["onTransportLost", "onclose"]);
    expect(timers.due).toBeUndefined();
  });

  it("a stop is only that, and a start after it is watched again", async () => {
    const { service, connection, timers, told } = await connect();
    await connection.stop();
    timers.advance(TWO_THIRDS);
    expect(told.all).toEqual(["onclose"]);
    await connection.start();
    await connection.invoke("echo", "again");
    timers.advance(TWO_THIRDS - 1);
    service.server.faults.cut(service.server.transports()[0]?.id ?? "");
    expect([await told.next(), await told.next()]).toEqual(["onclose", "onTransportLost"]);
    expect(await told.next()).toBe("onreconnecting");
  });
});
