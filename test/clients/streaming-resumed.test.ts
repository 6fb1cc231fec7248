// Streams of clients that lose their socket, and ids that are used twice.

import { type HubConnection, Subject } from "@microsoft/signalr";
import { defineHub, upload } from "signalr-lambda";
import { expect, it } from "vitest";
import { z } from "zod";
import { Arrivals } from "../local/local-gateway.ts";
import { RunningClock } from "./running-clock.ts";
import { VirtualTime } from "./virtual-time.ts";

async function start() {
  const stopped = new Arrivals<string>();
  const clock = new RunningClock();
  const hub = defineHub()({
    methods: {
      counter: {
        args: [z.number(), z.number()],
        async *handler(hub, count, pause) {
          try {
            for (let index = 0; index < count && !hub.aborted.aborted; index++) {
              await clock.sleep(pause, hub.aborted);
              yield index;
            }
          } finally {
            stopped.push(hub.connectionId);
          }
        },
      },
      collect: {
        args: [upload(z.number())],
        async handler(_hub, numbers) {
          const all: number[] = [];
          for await (const number of numbers) all.push(number);
          return all;
        },
      },
      echo: (_hub, value: unknown) => value,
    },
  });
  const time = await VirtualTime.serve({ hubs: { chat: hub } }, clock);
  const { service } = time;
  const cut = () => {
    for (const { id } of service.server.transports()) service.server.faults.cut(id);
  };
  return { time, service, cut, stopped };
}

function hear(connection: HubConnection, count: number, pause: number) {
  const items: unknown[] = [];
  const end = new Promise<string>((resolve) => {
    connection.stream("counter", count, pause).subscribe({
      next: (item) => items.push(item),
      complete: () => resolve("complete"),
      error: (error) => resolve(String(error.message)),
    });
  });
  return { items, end };
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

it("goes on for a stateful client whose socket is cut again and again", async () => {
  const { time, service, cut } = await start();
  const connection = service.track(service.build("/chat", time.network.options).withStatefulReconnect().build());
  await time.until(connection.start());
  const { items, end } = hear(connection, 20, 500);
  for (let round = 0; round < 3; round++) {
    await time.pass(2_200);
    cut();
  }
  expect(await time.until(end)).toBe("complete");
  expect(items).toEqual(numbers(20));
});

it("is over for a client that comes back with its key alone", async () => {
  const { time, service, cut, stopped } = await start();
  const path = `/chat?resume=${"k".repeat(32)}`;
  const connection = service.track(service.build(path, time.network.options).withAutomaticReconnect().build());
  const back = new Promise((resolve) => connection.onreconnected(resolve));
  await time.until(connection.start());
  const { connectionId } = connection;
  const { end } = hear(connection, 1_000, 1_000);
  await time.pass(3_000);
  cut();
  expect(await time.until(end)).toMatch(/WebSocket closed|Invocation canceled/);
  expect(await time.until(back)).toBe(connectionId);
  expect(await time.until(stopped.next())).toBe(connectionId);
  // Its ids begin anew.
  const again = hear(connection, 2, 10);
  expect(await time.until(again.end)).toBe("complete");
  expect(again.items).toEqual([0, 1]);
});

it("takes what a stateful client sends over broken sockets", async () => {
  const { time, service, cut } = await start();
  const connection = service.track(service.build("/chat", time.network.options).withStatefulReconnect().build());
  await time.until(connection.start());
  const subject = new Subject<number>();
  const collected = connection.invoke("collect", subject);
  for (const number of numbers(9)) {
    subject.next(number);
    await time.pass(700);
    if (number % 3 === 1) cut();
  }
  subject.complete();
  expect(await time.until(collected)).toEqual(numbers(9));
});

it("refuses ids that are in use, and leaves their streams alone", async () => {
  const { time } = await start();
  const offer = await time.negotiate("?negotiateVersion=1");
  const client = await time.open(`/chat?id=${offer.connectionToken}`);
  await time.until(client.handshake());
  const ask = (invocationId: string) =>
    client.send({ type: 4, invocationId, target: "counter", arguments: [2, 5_000] });
  for (const id of ["__proto__", "__proto__", "constructor"]) ask(id);
  client.send({ type: 1, invocationId: "a", target: "collect", arguments: [], streamIds: ["constructor"] });
  await time.pass(100);
  client.send({ type: 1, invocationId: "b", target: "collect", arguments: [], streamIds: ["constructor"] });
  await time.pass(2_000);
  client.send({ type: 2, invocationId: "constructor", item: 7 });
  client.send({ type: 3, invocationId: "constructor" });
  await time.pass(15_000);
  const completions = client.received.all.filter(({ type }) => type === 3);
  expect(completions).toContainEqual({
    type: 3,
    invocationId: "__proto__",
    error: "Invocation ID '__proto__' is already in use.",
  });
  expect(completions).toContainEqual({ type: 3, invocationId: "__proto__" });
  expect(completions).toContainEqual({ type: 3, invocationId: "constructor" });
  expect(completions).toContainEqual({ type: 3, invocationId: "a", result: [7] });
  expect(completions).toContainEqual({
    type: 3,
    invocationId: "b",
    error: "Invocation ID 'constructor' is already in use.",
  });
  const items = client.received.all.filter(({ type }) => type === 2);
  expect(items.filter(({ invocationId }) => invocationId === "__proto__")).toHaveLength(2);
});
