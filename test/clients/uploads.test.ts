// Client-to-server streaming: items in order, several streams, errors, ends, floods.

import { type HubConnection, Subject } from "@microsoft/signalr";
import { defineHub, upload } from "signalr-lambda";
import { expect, it } from "vitest";
import { z } from "zod";
import { Arrivals } from "../local/local-gateway.ts";
import { VirtualTime } from "./virtual-time.ts";

function uploadHub(options: { streamBufferCapacity?: number }) {
  const collected = new Arrivals<readonly unknown[]>();
  let goOn = (): void => undefined;
  const hub = defineHub()({
    ...options,
    methods: {
      collect: {
        args: [z.string(), upload(z.unknown())],
        async handler(_hub, label, items) {
          const all: unknown[] = [];
          for await (const item of items) all.push(item);
          collected.push([label, ...all]);
          return [label, ...all];
        },
      },
      zip: {
        args: [upload(z.number()), z.number(), upload(z.string())],
        async *handler(_hub, numbers, factor, texts) {
          const left = numbers[Symbol.asyncIterator]();
          for await (const text of texts) {
            const { value, done } = await left.next();
            if (done) return;
            yield `${text}${value * factor}`;
          }
        },
      },
      first: {
        args: [upload(z.number())],
        async handler(_hub, numbers) {
          for await (const number of numbers) return number;
          return "none";
        },
      },
      outcome: {
        args: [upload(z.number())],
        async handler(_hub, numbers) {
          try {
            for await (const _ of numbers);
            return "complete";
          } catch (error) {
            collected.push([(error as Error).message]);
            return (error as Error).message;
          }
        },
      },
      block: () =>
        new Promise<void>((resolve) => {
          goOn = resolve;
        }),
      late: {
        args: [upload(z.number())],
        async handler(_hub, numbers) {
          await new Promise<void>((resolve) => {
            goOn = resolve;
          });
          const all: number[] = [];
          try {
            for await (const number of numbers) all.push(number);
          } catch (error) {
            return [all, (error as Error).message];
          }
        },
      },
      echo: (_hub, value: unknown) => value,
    },
  });
  return { hubs: { chat: hub }, collected, goOn: () => goOn() };
}

async function start(options: { streamBufferCapacity?: number } = {}) {
  const { hubs, collected, goOn } = uploadHub(options);
  const time = await VirtualTime.serve({ hubs });
  const connection: HubConnection = time.service.track(time.service.build("/chat", time.network.options).build());
  await time.until(connection.start());
  return { time, connection, collected, goOn };
}

/** Frames that the gateway receives in one millisecond have no order. */
async function send(time: VirtualTime, subject: Subject<unknown>, items: readonly unknown[]): Promise<void> {
  for (const item of items) {
    subject.next(item);
    await time.pass(2);
  }
  subject.complete();
}

const NUMBERS = Array.from({ length: 60 }, (_, index) => index);

it("arrive in order, however many, whatever they are", async () => {
  const { time, connection } = await start();
  for (const items of [NUMBERS, [], [null, "", { deep: [1] }, "x".repeat(10_000)]]) {
    const subject = new Subject<unknown>();
    const invoked = connection.invoke("collect", "label", subject);
    await send(time, subject, items);
    expect(await time.until(invoked)).toEqual(["label", ...items]);
  }
});

it("arrive over seconds, while others run", async () => {
  const { time, connection } = await start();
  const subject = new Subject<unknown>();
  const invoked = connection.invoke("collect", "slow", subject);
  for (const item of [1, 2, 3]) {
    subject.next(item);
    expect(await time.until(connection.invoke("echo", item))).toBe(item);
    await time.pass(3_000);
  }
  subject.complete();
  expect(await time.until(invoked)).toEqual(["slow", 1, 2, 3]);
});

it("come in several streams with plain arguments beside them, and may be answered with a stream", async () => {
  const { time, connection } = await start();
  const [numbers, texts] = [new Subject<number>(), new Subject<string>()];
  const items: string[] = [];
  const heard = new Promise<void>((resolve, reject) =>
    connection.stream("zip", numbers, 10, texts).subscribe({
      next: (item) => items.push(item as string),
      complete: resolve,
      error: reject,
    }),
  );
  await send(time, numbers, [1, 2, 3]);
  await send(time, texts, ["a", "b", "c"]);
  await time.until(heard);
  expect(items).toEqual(["a10", "b20", "c30"]);
});

it("may be sent without waiting for an answer", async () => {
  const { time, connection, collected } = await start();
  const subject = new Subject<unknown>();
  await time.until(connection.send("collect", "sent", subject));
  await send(time, subject, [1, 2]);
  expect(await time.until(collected.next())).toEqual(["sent", 1, 2]);
});

it("wait for a method that waits for its turn", async () => {
  const { time, connection, goOn } = await start();
  const blocked = connection.invoke("block");
  const subject = new Subject<unknown>();
  const invoked = connection.invoke("collect", "later", subject);
  await send(time, subject, [1, 2]);
  await time.pass(12_000);
  goOn();
  await time.until(blocked);
  expect(await time.until(invoked)).toEqual(["later", 1, 2]);
});

it("are dropped when nobody reads them any more", async () => {
  const { time, connection } = await start();
  const subject = new Subject<unknown>();
  const invoked = connection.invoke("first", subject);
  subject.next(7);
  expect(await time.until(invoked)).toBe(7);
  for (const item of NUMBERS) subject.next(item);
  subject.complete();
  expect(await time.until(connection.invoke("echo", 1))).toBe(1);
});

it("bring the client's error, a refusal of the schema, and that the client is gone", async () => {
  const { time, connection, collected } = await start();
  const failing = new Subject<unknown>();
  const outcome = connection.invoke("outcome", failing);
  failing.next(1);
  failing.error(new Error("I am out of numbers."));
  expect(await time.until(outcome)).toBe("I am out of numbers.");
  const wrong = new Subject<unknown>();
  const refused = connection.invoke("outcome", wrong);
  wrong.next("no number");
  expect(await time.until(refused)).toMatch(/^Validation failed: stream item: /);
  const left = new Subject<unknown>();
  connection.invoke("outcome", left).catch(() => undefined);
  left.next(1);
  await time.pass(2_000);
  await time.until(connection.stop());
  await time.pass(5_000);
  expect(collected.all.at(-1)).toEqual(["The client is gone."]);
});

it("are refused in the wrong number", async () => {
  const { time, connection } = await start();
  await expect(time.until(connection.invoke("collect", "none"))).rejects.toThrow(
    "An unexpected error occurred invoking 'collect' on the server. HubException: Client sent 0 stream(s), Hub method expects 1.",
  );
  await expect(time.until(connection.invoke("echo", 1, new Subject()))).rejects.toThrow(
    "HubException: Client sent 1 stream(s), Hub method expects 0.",
  );
});

it("end with an error when more wait than the stream holds", async () => {
  const { time, connection, goOn } = await start({ streamBufferCapacity: 5 });
  const subject = new Subject<unknown>();
  const outcome = connection.invoke("late", subject);
  for (let index = 0; index < 8; index++) {
    subject.next(index);
    await time.pass(2);
  }
  await time.pass(10_000);
  goOn();
  expect(await time.until(outcome)).toEqual([
    [0, 1, 2, 3, 4],
    expect.stringMatching(/^More items wait than the stream holds/),
  ]);
});

it("of streams that nobody knows are ignored, whatever they are called", async () => {
  const { time } = await start();
  const offer = await time.negotiate("?negotiateVersion=1");
  const client = await time.open(`/chat?id=${offer.connectionToken}`);
  await time.until(client.handshake());
  for (const invocationId of ["constructor", "__proto__", "9", "#", "x".repeat(2_000)]) {
    client.send({ type: 2, invocationId, item: 1 });
    client.send({ type: 3, invocationId, result: null });
    client.send({ type: 5, invocationId });
  }
  client.send({ type: 1, invocationId: "1", target: "echo", arguments: ["here"] });
  await time.pass(25_000);
  client.send({ type: 1, invocationId: "2", target: "echo", arguments: ["still here"] });
  await time.pass(1_000);
  expect(client.received.all).toContainEqual({ type: 3, invocationId: "1", result: "here" });
  expect(client.received.all).toContainEqual({ type: 3, invocationId: "2", result: "still here" });
});

it("leave nothing behind in a hub that takes none", async () => {
  const time = await VirtualTime.serve({ hubs: { chat: defineHub()({ methods: { echo: (_hub, value) => value } }) } });
  const offer = await time.negotiate("?negotiateVersion=1");
  const client = await time.open(`/chat?id=${offer.connectionToken}`);
  await time.until(client.handshake());
  const before = await time.until(time.service.table.keys());
  client.send({ type: 2, invocationId: "9", item: 1 });
  client.send({ type: 3, invocationId: "9", result: null });
  await time.pass(1_000);
  expect(await time.until(time.service.table.keys())).toEqual(before);
});
