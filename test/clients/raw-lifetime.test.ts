// How long raw connections live whose clients say nothing: no pings tell that they are there.

import { Socket } from "node:net";
import { defineConnection } from "signalr-lambda";
import { expect, it } from "vitest";
import type { ClientOptions } from "ws";
import { Arrivals } from "../local/local-gateway.ts";
import { openSocket } from "./raw-client.ts";
import { VirtualTime } from "./virtual-time.ts";

const MINUTE = 60_000;

async function serving() {
  const events = new Arrivals<string>();
  const feed = defineConnection({
    onConnected: () => events.push("connected"),
    onReceived: (connection, text) => connection.clients.all.send(text),
    onDisconnected: (_connection, { stopCalled, error }) => events.push(`disconnected ${stopCalled} ${error?.code}`),
  });
  const time = await VirtualTime.serve({ hubs: { feed } });
  const url = `${time.service.url.replace("localhost", "127.0.0.1")}/feed`;
  const createConnection = ({ port }: { port: number }) => new Socket().connect(port, "127.0.0.1");
  return {
    time,
    events,
    url,
    async open() {
      const options = { createConnection } as unknown as ClientOptions;
      const client = await time.until(openSocket(url, options));
      expect(await time.until(events.next())).toBe("connected");
      return client;
    },
  };
}

it("a socket that only listens stays for as long as there is something to hear", async () => {
  const { time, events, open } = await serving();
  const listener = await open();
  for (const minutes of [6, 5]) {
    await time.pass(minutes * MINUTE);
    const speaker = await open();
    speaker.send(`after ${minutes}`);
    expect(await time.until(listener.messages.next())).toBe(`after ${minutes}`);
    speaker.webSocket.close();
    expect(await time.until(events.next())).toBe("disconnected true undefined");
  }
  listener.webSocket.close();
  expect(await time.until(events.next())).toBe("disconnected true undefined");
});

it("an idle socket is the gateway's to end, after ten minutes", async () => {
  const { time, events, open } = await serving();
  const client = await open();
  await time.pass(10 * MINUTE - 1_000);
  expect(events.all).toEqual(["connected"]);
  await time.pass(2_000);
  expect(await time.until(client.closed)).toMatchObject({ code: 1001 });
  expect(await time.until(events.next())).toBe("disconnected false transport_lost");
});

it("a socket that is gone without a word is found out", async () => {
  const { time, events, open } = await serving();
  const client = await open();
  time.service.server.faults.dropDisconnects();
  client.webSocket.terminate();
  await time.pass(10 * MINUTE);
  expect(events.all).toEqual(["connected"]);
  await time.pass(MINUTE);
  expect(events.all).toEqual(["connected", "disconnected false transport_lost"]);
});

it("an event stream that nobody reads ends when its function does", async () => {
  const { time, events, url } = await serving();
  const { connectionToken } = await time.until(time.service.offer("/feed"));
  const leaving = new AbortController();
  const headers = { accept: "text/event-stream" };
  await time.until(fetch(`${url}?id=${connectionToken}`, { headers, signal: leaving.signal }));
  expect(await time.until(events.next())).toBe("connected");
  leaving.abort();
  await time.pass(11 * MINUTE);
  expect(events.all).toEqual(["connected"]);
  await time.pass(4 * MINUTE);
  expect(events.all).toEqual(["connected", "disconnected false rotated"]);
});
