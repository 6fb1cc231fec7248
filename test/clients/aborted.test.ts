// `hub.aborted` of a method that nobody waits for any more, because its client is gone.

import { defineHub } from "signalr-lambda";
import { expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { resumableClient } from "./resumable-client.ts";
import { VirtualTime } from "./virtual-time.ts";

/** The least there is, so that a method may outlast it. Milliseconds. */
const DISCONNECT_TIMEOUT = 6_000;
const GONE = "aborted: The client is gone.";

async function start() {
  const events = new Arrivals<string>();
  const hub = defineHub<{ told(text: string): void }>()({
    methods: {
      async wait(hub, milliseconds: number) {
        events.push("begun");
        await clock.sleep(milliseconds, hub.aborted);
        events.push(hub.aborted.aborted ? `aborted: ${(hub.aborted.reason as Error).message}` : "waited");
        await hub.clients.all.told("goes on");
        events.push("told");
      },
      async waitForOther(hub, connectionId: string) {
        events.push("begun");
        hub.aborted.addEventListener("abort", () => events.push(`aborted: ${(hub.aborted.reason as Error).message}`));
        await hub.clients
          .client(connectionId)
          .invoke("answer", [], { signal: hub.aborted })
          .catch(() => undefined);
      },
    },
    onDisconnected: () => void events.push("disconnected"),
  });
  const time = await VirtualTime.serve({
    hubs: { chat: hub },
    lifetime: { disconnectTimeout: DISCONNECT_TIMEOUT, clientTimeoutInterval: 6_000, keepAliveInterval: 3_000 },
  });
  const { clock } = time.service;
  const connect = async (path = "/chat") => {
    const connection = time.service.track(time.service.build(path, time.network.options).build());
    await time.until(connection.start());
    return connection;
  };
  return { time, events, connect };
}

type Started = Awaited<ReturnType<typeof start>>;

function cutAll({ time }: Started): void {
  for (const { id } of time.service.server.transports()) time.service.server.faults.cut(id);
}

it("fires within seconds when the client stops, and the method may go on", async () => {
  const { time, events, connect } = await start();
  const connection = await connect();
  const left = expect(connection.invoke("wait", 20_000)).rejects.toThrow();
  await time.pass(1_000);
  await time.until(connection.stop());
  await left;
  await time.pass(3_000);
  expect(events.all.toSorted()).toEqual([GONE, "begun", "disconnected", "told"]);
});

it("fires for each method, also for one that waits for another client", async () => {
  const { time, events, connect } = await start();
  const other = await connect();
  other.on("answer", () => new Promise(() => undefined));
  const connection = await connect();
  for (const each of [1, 2]) {
    connection.invoke("waitForOther", other.connectionId).catch(() => each);
  }
  connection.invoke("wait", 20_000).catch(() => undefined);
  await time.pass(2_000);
  expect(events.all).toEqual(["begun", "begun", "begun"]);
  await time.until(connection.stop());
  await time.pass(4_000);
  expect(events.all.filter((event) => event === GONE)).toHaveLength(3);
});

it("stays silent while the client is there, for as long as a method may run", async () => {
  const { time, events, connect } = await start();
  const connection = await connect();
  await time.until(connection.invoke("wait", 24_000));
  expect(events.all).toEqual(["begun", "waited", "told"]);
});

it("fires when the transport is lost of a client that comes back without its question", async () => {
  const started = await start();
  const { time, events, connect } = started;
  const connection = await connect(`/chat?resume=${"aborted".padEnd(32, "-")}`);
  const left = expect(connection.invoke("wait", 20_000)).rejects.toThrow();
  await time.pass(500);
  cutAll(started);
  await left;
  await time.pass(3_000);
  expect(events.all).toEqual(["begun", GONE, "told"]);
});

it("stays silent for a stateful client that is cut off, and comes back for the answer", async () => {
  const started = await start();
  const { time, events } = started;
  const { connection } = resumableClient(time, "stateful");
  await time.until(connection.start());
  const answer = connection.invoke("wait", 15_000);
  await time.pass(1_000);
  cutAll(started);
  await time.until(answer);
  expect(events.all).toEqual(["begun", "waited", "told"]);
});

it("fires when a stateful client did not come back in time", async () => {
  const started = await start();
  const { time, events } = started;
  const connection = time.service.track(
    time.service.build("/chat", time.network.options).withStatefulReconnect().build(),
  );
  await time.until(connection.start());
  // A sweeper that found nobody comes back within the minute.
  await time.pass(60_000);
  connection.invoke("wait", 24_000).catch(() => undefined);
  await time.pass(1_000);
  time.network.shut();
  cutAll(started);
  await time.pass(22_000);
  expect(events.all.toSorted()).toEqual([GONE, "begun", "disconnected", "told"]);
});
