// `maximumParallelInvocationsPerClient`: how many invocations of one client run at a time.

import type { HubConnection } from "@microsoft/signalr";
import { defineHub, HubException } from "signalr-lambda";
import { expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { closing } from "./running-service.ts";
import { VirtualTime } from "./virtual-time.ts";

async function start({ parallel, own }: { parallel?: number; own?: number } = {}) {
  const events = new Arrivals<string>();
  const gates = new Map<string, () => void>();
  let running = 0;
  let most = 0;
  const open = (name: string): void => gates.get(name)?.();
  const counted = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    running += 1;
    most = Math.max(most, running);
    try {
      return await run();
    } finally {
      running -= 1;
    }
  };
  const chat = defineHub<{ answer(): string }>()({
    methods: {
      /** Until somebody opens its gate. */
      block: (_hub, name: string) =>
        counted(async () => {
          events.push(name);
          await new Promise<void>((resolve) => gates.set(name, resolve));
          return name;
        }),
      open: (_hub, name: string) => open(name),
      wait: (_hub, milliseconds: number) => counted(() => clock.sleep(milliseconds)),
      fail: (_hub, text: string) =>
        counted(async () => {
          await clock.sleep(100);
          throw text === "secret" ? new Error(text) : new HubException(text);
        }),
      async set(hub, key: string, value: number, milliseconds: number) {
        await clock.sleep(milliseconds);
        hub.items.set(key, value);
      },
      async drop(hub, key: string) {
        await clock.sleep(200);
        hub.items.delete(key);
      },
      get: (hub) => Object.fromEntries(hub.items),
      async ask(hub) {
        return await hub.clients.caller.invoke("answer", []);
      },
      leave: (hub) => counted(async () => hub.abort()),
    },
    ...(own !== undefined && { maximumParallelInvocationsPerClient: own }),
    onDisconnected: (_hub, { error }) => void events.push(`disconnected ${error?.code}`),
  });
  const time = await VirtualTime.serve({
    hubs: { chat },
    ...(parallel !== undefined && { maximumParallelInvocationsPerClient: parallel }),
  });
  const { clock } = time.service;
  const connect = async (): Promise<HubConnection> => {
    const connection = time.service.track(time.service.build("/chat", time.network.options).build());
    await time.until(connection.start());
    return connection;
  };
  return { time, events, open, connect, most: () => most };
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

it("runs so many at a time, completed in any order; one more waits", async () => {
  const { time, events, open, connect, most } = await start({ parallel: 3 });
  const connection = await connect();
  const completed: string[] = [];
  const results = ["a", "b", "c", "d"].map((name) =>
    connection.invoke<string>("block", name).then((result) => completed.push(result)),
  );
  await time.pass(2_000);
  expect(events.all.toSorted()).toEqual(["a", "b", "c"]);
  open("b");
  await time.pass(1_000);
  expect(completed).toEqual(["b"]);
  expect(events.all.at(-1)).toBe("d");
  for (const name of ["d", "c", "a"]) {
    open(name);
    await time.pass(100);
  }
  await time.until(Promise.all(results));
  expect(completed).toEqual(["b", "d", "c", "a"]);
  expect(most()).toBe(3);
});

it("lets a method wait for another one of its client", async () => {
  const { time, events, connect } = await start({ own: 2 });
  const connection = await connect();
  const blocked = connection.invoke("block", "a");
  await time.until(events.next());
  await time.until(connection.invoke("open", "a"));
  expect(await time.until(blocked)).toBe("a");
});

it.each([{}, { parallel: 1 }, { parallel: 5, own: 1 }])("runs one after the other with %j", async (options) => {
  const { time, events, open, connect, most } = await start(options);
  const connection = await connect();
  const results = ["a", "b", "c"].map((name) => connection.invoke<string>("block", name));
  for (const [at, name] of ["a", "b", "c"].entries()) {
    await time.pass(1_000);
    expect(events.all).toEqual(["a", "b", "c"].slice(0, at + 1));
    open(name);
  }
  expect(await time.until(Promise.all(results))).toEqual(["a", "b", "c"]);
  expect(most()).toBe(1);
});

it("keeps to the limit with a crowd, also when its function is too old to take more", async () => {
  const { time, connect, most } = await start({ parallel: 10 });
  const connection = await connect();
  await time.until(Promise.all(numbers(100).map((each) => connection.invoke("wait", 100 * (1 + (each % 40))))));
  expect(most()).toBe(10);
});

it("is of each client", async () => {
  const { time, connect, most } = await start({ parallel: 2 });
  const connections = await Promise.all([connect(), connect()]);
  await time.until(Promise.all(connections.flatMap((each) => numbers(4).map(() => each.invoke("wait", 1_000)))));
  expect(most()).toBe(4);
});

it("answers one that fails, and runs the others on", async () => {
  const { time, connect } = await start({ parallel: 3 });
  const connection = await connect();
  const texts = await time.until(
    Promise.allSettled(["secret", "told", "secret", "told"].map((text) => connection.invoke("fail", text))),
  );
  const prefix = "An unexpected error occurred invoking 'fail' on the server.";
  expect(texts.map((each) => each.status === "rejected" && each.reason.message)).toEqual([
    prefix,
    `${prefix} HubException: told`,
    prefix,
    `${prefix} HubException: told`,
  ]);
  await time.until(connection.invoke("wait", 1));
});

it("keeps the items of all of them", async () => {
  const { time, connect } = await start({ parallel: 10 });
  const connection = await connect();
  await time.until(connection.invoke("set", "gone", 1, 0));
  await time.until(
    Promise.all([
      ...["a", "__proto__", "constructor"].map((key, at) => connection.invoke("set", key, at, 300 - 100 * at)),
      connection.invoke("drop", "gone"),
    ]),
  );
  const expected = [
    ["__proto__", 1],
    ["a", 0],
    ["constructor", 2],
  ];
  const items = await time.until(connection.invoke("get"));
  expect(Object.entries(items).toSorted()).toEqual(expected);
  const all = [
    connection.invoke("set", "b", 3, 200),
    connection.invoke("set", "c", 4, 100),
    connection.invoke("wait", 2_000),
  ];
  await time.pass(1_000);
  // In the function that ran them.
  expect(await time.until(connection.invoke("get"))).toMatchObject({ a: 0, b: 3, c: 4 });
  await time.until(Promise.all(all));
});

it("lets a method ask its client, beside others that do", async () => {
  const { time, connect } = await start({ parallel: 2 });
  const connection = await connect();
  connection.on("answer", () => "yes");
  const answers = numbers(5).map(() => connection.invoke("ask"));
  expect(await time.until(Promise.all(answers))).toEqual(numbers(5).map(() => "yes"));
});

it("ends the connection when one of them says so", async () => {
  const { time, events, connect } = await start({ parallel: 3 });
  const leaving = await connect();
  const closed = closing(leaving);
  const waiting = leaving.invoke("wait", 20_000).catch(() => "rejected");
  await time.pass(500);
  leaving.invoke("leave").catch(() => undefined);
  await time.until(closed);
  expect(await waiting).toBe("rejected");
  await time.pass(5_000);
  expect(events.all).toEqual(["disconnected aborted"]);
});

it("goes on with what runs and what waits when the socket of a stateful client is cut", async () => {
  const { time, events, open } = await start({ parallel: 3 });
  const connection = time.service.track(
    time.service.build("/chat", time.network.options).withStatefulReconnect().build(),
  );
  await time.until(connection.start());
  const results = ["a", "b", "c", "d"].map((name) => connection.invoke<string>("block", name));
  await time.pass(1_000);
  for (const { id } of time.service.server.transports()) time.service.server.faults.cut(id);
  await time.pass(1_000);
  expect(events.all.toSorted()).toEqual(["a", "b", "c"]);
  open("a");
  expect(await time.until(results[0] as Promise<string>)).toBe("a");
  await time.pass(1_000);
  expect(events.all.at(-1)).toBe("d");
  for (const name of ["b", "c", "d"]) open(name);
  expect(await time.until(Promise.all(results))).toEqual(["a", "b", "c", "d"]);
});
