// Server-to-client streaming: generators and iterables, cancelled, failing, long, many at a time, left behind.

import { type HubConnection, HubConnectionState, type IStreamResult } from "@microsoft/signalr";
import { defineHub, HubException } from "signalr-lambda";
import { expect, it } from "vitest";
import { z } from "zod";
import { dynamoDBStore } from "../../lambdas/aws/index.ts";
import { Arrivals } from "../local/local-gateway.ts";
import { VirtualTime } from "./virtual-time.ts";

interface Heard {
  readonly items: readonly unknown[];
  readonly error?: string;
}

function streamingHub() {
  const stopped = new Arrivals<string>();
  const hub = defineHub<{ note(text: string): void }>()({
    methods: {
      counter: {
        args: [z.number().int(), z.number()],
        async *handler(hub, count, delay) {
          try {
            for (let index = 0; index < count; index++) {
              if (delay > 0) await pause(delay, hub.aborted);
              if (hub.aborted.aborted) break;
              yield index;
            }
          } finally {
            stopped.push("counter");
          }
        },
      },
      *letters() {
        yield* ["a", "b", "c"];
      },
      listed: { args: [], streams: true, handler: async () => [1, { two: 2 }, null] },
      liar: { args: [], streams: true, handler: async () => 7 as never },
      async *breaks(_hub, text: string) {
        yield 1;
        throw text === "secret" ? new Error(text) : new HubException(text);
      },
      async *idle(hub) {
        hub.aborted.addEventListener("abort", () => stopped.push(String((hub.aborted.reason as Error).message)));
        await new Promise(() => undefined);
        yield 1;
      },
      async *unserialisable() {
        yield 1;
        yield 2n ** 64n;
      },
      async *speaks(hub) {
        await hub.clients.caller.note("hello");
        yield hub.connectionId;
        hub.items.set("seen", true);
      },
      seen: (hub) => hub.items.get("seen") ?? false,
      echo: (_hub, value: unknown) => value,
      slow: {
        args: [z.number()],
        longRunning: true,
        async handler(hub, milliseconds) {
          await pause(milliseconds, hub.aborted);
          if (hub.aborted.aborted) stopped.push("slow");
          return "done";
        },
      },
    },
  });
  let clock: { sleep(milliseconds: number, signal?: AbortSignal): Promise<void> } | undefined;
  const pause = (milliseconds: number, signal: AbortSignal) => clock?.sleep(milliseconds, signal);
  return { hubs: { chat: hub }, stopped, use: (given: typeof clock) => (clock = given) };
}

async function start(path = "/chat") {
  const { hubs, stopped, use } = streamingHub();
  const time = await VirtualTime.serve({ hubs });
  use(time.service.clock);
  const connect = async (to = path): Promise<HubConnection> => {
    const connection = time.service.track(time.service.build(to, time.network.options).build());
    await time.until(connection.start());
    return connection;
  };
  return { time, stopped, connect, connection: await connect() };
}

/** Everything a stream brings, and how it ends. */
function hear(stream: IStreamResult<unknown>): Promise<Heard> {
  const items: unknown[] = [];
  return new Promise((resolve) => {
    stream.subscribe({
      next: (item) => items.push(item),
      error: (error) => resolve({ items, error: error.message }),
      complete: () => resolve({ items }),
    });
  });
}

it("brings every item in order, of generators and of what a method returns", async () => {
  const { time, connection } = await start();
  expect(await time.until(hear(connection.stream("counter", 500, 0)))).toEqual({
    items: Array.from({ length: 500 }, (_, index) => index),
  });
  expect(await time.until(hear(connection.stream("letters")))).toEqual({ items: ["a", "b", "c"] });
  expect(await time.until(hear(connection.stream("listed")))).toEqual({ items: [1, { two: 2 }, null] });
  expect(await time.until(hear(connection.stream("counter", 0, 0)))).toEqual({ items: [] });
});

it("runs beside other invocations, and may send and keep items as any method", async () => {
  const { time, connection } = await start();
  const notes = new Arrivals<string>();
  connection.on("note", (text) => notes.push(text));
  const slow = hear(connection.stream("counter", 3, 2_000));
  expect(await time.until(connection.invoke("echo", 1))).toBe(1);
  expect(await time.until(hear(connection.stream("speaks")))).toEqual({ items: [connection.connectionId] });
  expect(await time.until(notes.next())).toBe("hello");
  expect(await time.until(slow)).toEqual({ items: [0, 1, 2] });
  expect(await time.until(connection.invoke("seen"))).toBe(true);
});

it("tells in the reference's words what went wrong", async () => {
  const { time, connection } = await start();
  const broken = "An error occurred on the server while streaming results.";
  expect(await time.until(hear(connection.stream("breaks", "secret")))).toEqual({ items: [1], error: broken });
  expect(await time.until(hear(connection.stream("breaks", "told")))).toEqual({
    items: [1],
    error: `${broken} HubException: told`,
  });
  expect(await time.until(hear(connection.stream("unserialisable")))).toEqual({ items: [1], error: broken });
  expect(await time.until(hear(connection.stream("liar")))).toEqual({
    items: [],
    error: "The value returned by the streaming method 'liar' is not an AsyncIterable or Iterable.",
  });
  expect(await time.until(hear(connection.stream("counter", "many", 0)))).toEqual({
    items: [],
    error: expect.stringMatching(/^Failed to invoke 'counter' .* HubException: Validation failed: argument 1: /),
  });
  expect(await time.until(hear(connection.stream("echo", 1)))).toEqual({
    items: [],
    error: "The client attempted to invoke the non-streaming 'echo' method with a streaming invocation.",
  });
  await expect(time.until(connection.invoke("letters"))).rejects.toThrow(
    "The client attempted to invoke the streaming 'letters' method with a non-streaming invocation.",
  );
});

it("stops within seconds when the client does not want it any more", async () => {
  const { time, connection, stopped } = await start();
  const items: unknown[] = [];
  const subscription = connection.stream("counter", 1_000_000, 100).subscribe({
    next: (item) => items.push(item),
    complete: () => undefined,
    error: () => undefined,
  });
  await time.pass(2_000);
  subscription.dispose();
  await time.pass(3_000);
  const before = items.length;
  expect(before).toBeGreaterThan(5);
  expect(stopped.all).toEqual(["counter"]);
  expect(await time.until(connection.invoke("echo", 1))).toBe(1);
});

it("stops within seconds when the client is gone, also a generator that yields nothing", async () => {
  const { time, connect, stopped } = await start();
  const leaving = await connect();
  for (const name of ["idle", "counter"]) {
    leaving.stream(name, ...(name === "counter" ? [1_000_000, 100] : [])).subscribe({
      next: () => undefined,
      complete: () => undefined,
      error: () => undefined,
    });
  }
  await time.pass(1_000);
  await time.until(leaving.stop());
  await time.pass(3_000);
  expect(stopped.all.toSorted()).toEqual(["The client is gone.", "counter"]);
});

it("lasts for minutes, and ends with an error after 14", async () => {
  const { time, connection } = await start();
  const long = hear(connection.stream("counter", 10, 60_000));
  const tooLong = hear(connection.stream("counter", 20, 60_000));
  expect(await time.until(long)).toEqual({ items: Array.from({ length: 10 }, (_, index) => index) });
  const { items, error } = await time.until(tooLong);
  expect(items.length).toBeGreaterThanOrEqual(13);
  expect(error).toBe("An error occurred on the server while streaming results.");
  expect(connection.state).toBe(HubConnectionState.Connected);
});

it("runs a hundred at a time for one client, and says so to the next", async () => {
  const { time, connection } = await start();
  const streams = Array.from({ length: 100 }, () => hear(connection.stream("counter", 2, 20_000)));
  await time.pass(5_000);
  expect(await time.until(hear(connection.stream("letters")))).toEqual({
    items: [],
    error: expect.stringContaining("A connection has at most 100 streams and long invocations at a time."),
  });
  for (const heard of await time.until(Promise.all(streams))) expect(heard).toEqual({ items: [0, 1] });
  expect(await time.until(hear(connection.stream("letters")))).toEqual({ items: ["a", "b", "c"] });
});

it("runs what takes long beside everything else", async () => {
  const { time, connection } = await start();
  const slow = connection.invoke("slow", 120_000);
  expect(await time.until(connection.invoke("echo", 1))).toBe(1);
  expect(await time.until(slow)).toBe("done");
});

it("runs once more when its worker did not begin", async () => {
  const { time, connection } = await start();
  time.service.server.faults.throwIn("work", 1);
  expect(await time.until(hear(connection.stream("letters")))).toEqual({ items: ["a", "b", "c"] });
});

it("tells when its worker died", async () => {
  const { time, connection } = await start();
  const { server, clock } = time.service;
  server.faults.throwIn("work", 1);
  const heard = hear(connection.stream("letters"));
  await time.pass(1_000);
  const claim = { worker: "dead", now: clock.now(), until: clock.now() + 35_000 };
  const store = dynamoDBStore(server.table.client, server.table.name);
  expect(await time.until(store.claimWork(connection.connectionId ?? "", "1#asked#0", claim))).toBe("claimed");
  expect(await time.until(heard)).toEqual({
    items: [],
    error: "An unexpected error occurred invoking 'letters' on the server.",
  });
});
