// Stock clients that poll: what they can do, and what their connections live through.

import { GetItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { HttpTransportType, type HubConnection, type IHttpConnectionOptions, Subject } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { defineHub, upload } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { dynamoDBStore } from "../../lambdas/aws/index.ts";
import { Arrivals } from "../local/local-gateway.ts";
import { PollingClient } from "./polling-client.ts";
import { disorder, recordedHub } from "./recorded-hub.ts";
import { RunningClock } from "./running-clock.ts";
import { calls, closing, type RunningService, serve } from "./running-service.ts";

const KEY = "0123456789abcdef0123456789abcdef";
const POLLS = { transport: HttpTransportType.LongPolling };
const SOCKET_OR_POLLS = { transport: HttpTransportType.WebSockets | HttpTransportType.LongPolling };
/** Milliseconds. */
const HOLD = 25_000;
const SILENCE = 30_000;
const DISCONNECT = 30_000;
const TICK = 10_000;
/** Of the sweeper. */
const STEP = 5_000;

async function start() {
  const hub = recordedHub();
  const clock = new RunningClock();
  const service = await serve({ hubs: hub.hubs }, clock);
  const ended = async () => {
    while (!(await hub.events.next()).name.startsWith("disconnected"));
    return hub.names();
  };
  const lastTick = async () => {
    const { client, name } = service.server.table;
    const key = { pk: { S: "SWEEP" }, sk: { S: "SWEEP" } };
    const { Item } = await client.send(new GetItemCommand({ TableName: name, Key: key, ConsistentRead: true }));
    return Item?.lastTick?.N;
  };
  async function passTick(milliseconds: number): Promise<void> {
    const before = await lastTick();
    clock.jump(milliseconds);
    while ((await lastTick()) === before);
  }
  /** Lets time pass for everybody but the clients, while the sweeper is awake. */
  async function pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += STEP) await passTick(STEP);
  }
  /** When silence ends the connection. */
  async function deadlineOf({ offer }: PollingClient): Promise<number> {
    const store = dynamoDBStore(service.server.table.client, service.server.table.name);
    const connection = await store.connection(String(offer.connectionId));
    const transport = await store.transport(String(connection?.transportId));
    return transport?.deadline ?? Number.NaN;
  }
  /** Until the sweeper has begun to look at what was due by then. What that leads to takes time of its own. */
  async function passBeyond(deadline: number): Promise<void> {
    while (Number(await lastTick()) < deadline) await passTick(STEP);
  }
  /** One that finds nobody goes home for a minute. */
  async function wakeSweeper(): Promise<void> {
    await PollingClient.open(service);
    await passTick(60_000);
  }
  async function untilLost(): Promise<void> {
    const { client, name } = service.server.table;
    const rows = { TableName: name, FilterExpression: "attribute_exists(lost)" };
    while ((await client.send(new ScanCommand(rows))).Count === 0) await pass(STEP);
  }
  return { ...hub, clock, service, ended, pass, passBeyond, deadlineOf, wakeSweeper, untilLost };
}

/** With a key, and soon back. */
async function resumable(service: RunningService, options: IHttpConnectionOptions) {
  const builder = service.build(`/chat?resume=${KEY}`, options).withAutomaticReconnect([0, 50, 100, 200, 400, 800]);
  const connection = service.track(builder.build());
  await connection.start();
  const back = () => new Promise<string | undefined>((resolve) => connection.onreconnected(resolve));
  const away = () => new Promise<unknown>((resolve) => connection.onreconnecting(resolve));
  return { connection, told: calls(connection, "told"), back, away, connectionId: connection.connectionId };
}

const transportOf = (connection: HubConnection) =>
  (connection as unknown as { connection: { transport?: object } }).connection.transport?.constructor.name;

const texts = async (told: Arrivals<readonly unknown[]>, count: number) => {
  const all: unknown[] = [];
  while (all.length < count) all.push((await told.next())[0]);
  return all;
};

describe("a stock client that polls", () => {
  it("invokes, sends in order, hears everything in order, and stops", async () => {
    const { service, runs, ended } = await start();
    const sender = await service.connect("/chat");
    const connection = await service.connect("/chat", POLLS);
    expect(transportOf(connection)).toBe("LongPollingTransport");
    const told = calls(connection, "told");
    await connection.invoke("join", "room");
    const numbers = Array.from({ length: 30 }, (_, index) => index);
    for (const value of numbers) void connection.send("note", value);
    expect(await connection.invoke("echo", "ü")).toBe("ü");
    expect(runs).toEqual([...numbers, "ü"]);
    for (const value of numbers) await sender.invoke("tell", "room", value);
    expect(await texts(told, 30)).toEqual(numbers);
    const closed = closing(connection);
    await connection.stop();
    expect(await closed).toBeUndefined();
    expect(await ended()).toEqual(["connected", "connected", "disconnected true undefined"]);
  });

  it("is answered by methods that ask it, stream to it, and read what it streams", async () => {
    const hub = defineHub<{ confirm(text: string): string }>()({
      methods: {
        ask: (hub) => hub.clients.caller.invoke("confirm", ["Sure?"]),
        async *count(_hub, count: number) {
          for (let index = 0; index < count; index++) yield index;
        },
        collect: {
          args: [upload(z.number())],
          async handler(_hub, items) {
            const all: number[] = [];
            for await (const item of items) all.push(item);
            return all;
          },
        },
      },
    });
    const service = await serve({ hubs: { chat: hub } }, new RunningClock());
    const connection = await service.connect("/chat", POLLS);
    connection.on("confirm", async (text) => `${text} Yes.`);
    expect(await connection.invoke("ask")).toBe("Sure? Yes.");
    const items: unknown[] = [];
    const streamed = new Promise<void>((resolve, error) =>
      connection.stream("count", 20).subscribe({ next: (item) => items.push(item), complete: resolve, error }),
    );
    await streamed;
    expect(items).toEqual(Array.from({ length: 20 }, (_, index) => index));
    const subject = new Subject<number>();
    const collected = connection.invoke("collect", subject);
    for (let index = 0; index < 40; index++) subject.next(index);
    subject.complete();
    expect(await collected).toEqual(Array.from({ length: 40 }, (_, index) => index));
    await connection.stop();
  });

  it("is closed by the server with a reason", async () => {
    const hub = defineHub()({
      methods: {
        end: (hub, allowReconnect: boolean) =>
          hub.connections.close(hub.connectionId, { reason: "Enough.", allowReconnect }),
      },
      onDisconnected: (hub, { error }) => void ends.push(`${hub.connectionId} ${error?.code} ${error?.message}`),
    });
    const ends = new Arrivals<string>();
    const clock = new RunningClock();
    const service = await serve({ hubs: { chat: hub } }, clock);
    const connection = await service.connect("/chat", POLLS);
    const { connectionId } = connection;
    const closed = closing(connection);
    await connection.invoke("end", false).catch(() => undefined);
    expect((await closed)?.message).toBe("Server returned an error on close: Enough.");
    // Not by the sweeper, but as soon as the client has read it.
    expect(await ends.next()).toBe(`${connectionId} aborted Enough.`);
    const builder = service.build("/chat", POLLS).withAutomaticReconnect([0]);
    const second = service.track(builder.build());
    await second.start();
    const back = new Promise((resolve) => second.onreconnected(resolve));
    await second.invoke("end", true).catch(() => undefined);
    expect(await back).not.toBe(connectionId);
  });
});

describe("clients of three kinds", () => {
  it("hear the same of groups, users, exceptions and the outside", async () => {
    const hub = defineHub<{ told(...args: unknown[]): void }>()({
      methods: {
        join: (hub) => hub.groups.add("room"),
        all: (hub, value: unknown) => hub.clients.all.told("all", value),
        others: (hub, value: unknown) => hub.clients.others.told("others", value),
        group: (hub, value: unknown) => hub.clients.group("room").told("group", value),
        othersInGroup: (hub, value: unknown) => hub.clients.othersInGroup("room").told("othersInGroup", value),
        user: (hub, value: unknown) => hub.clients.user("ada").told("user", value),
        one: (hub, id: string) => hub.clients.client(id).told("one"),
      },
    });
    const auth = () => ({ sub: "ada" });
    const service = await serve({ hubs: { chat: hub }, auth }, new RunningClock());
    const binary = service.track(service.build("/chat").withHubProtocol(new MessagePackHubProtocol()).build());
    await binary.start();
    expect(transportOf(binary)).toBe("LongPollingTransport");
    const clients = [await service.connect("/chat"), await service.connect("/chat", POLLS), binary];
    const told = clients.map((client) => calls(client, "told"));
    for (const client of clients) await client.invoke("join");
    const value = { text: "ü", list: [1, null, "x"] };
    const expected: unknown[][][] = [[], [], []];
    for (const [at, client] of clients.entries()) {
      for (const target of ["all", "others", "group", "othersInGroup", "user"]) {
        await client.invoke(target, value);
        for (const [other, list] of expected.entries()) {
          if (other !== at || !target.startsWith("others")) list.push([target, value]);
        }
      }
      await client.invoke("one", clients[(at + 1) % 3]?.connectionId);
      expected[(at + 1) % 3]?.push(["one"]);
    }
    for (const [at, list] of expected.entries()) {
      const got = [];
      while (got.length < list.length) got.push(await told[at]?.next());
      expect(got).toEqual(list);
    }
  });
});

describe("a polled connection", () => {
  it("that falls silent is ended, with the reference's error", async () => {
    const { service, clock, pass, passBeyond, wakeSweeper, deadlineOf, names, ended } = await start();
    await wakeSweeper();
    const before = clock.now();
    const client = await PollingClient.greet(service);
    const deadline = await deadlineOf(client);
    // From the answer to its last poll on. If that poll was there before the handshake, it may have been held all along.
    expect(deadline).toBeGreaterThanOrEqual(before + SILENCE);
    expect(deadline).toBeLessThanOrEqual(clock.now() + HOLD + SILENCE);
    const over = ended();
    await passBeyond(deadline);
    expect(await over).toEqual(["connected", "disconnected false client_timeout"]);
    expect((await client.poll()).messages).toEqual([
      { type: 7, error: "Connection closed with an error.", allowReconnect: true },
    ]);
    expect((await client.poll()).status).toBe(204);
    await pass(40_000);
    expect(names()).toHaveLength(2);
  });

  it("is kept by idle polls alone", async () => {
    const { service, clock, pass, wakeSweeper, names } = await start();
    await wakeSweeper();
    const client = await PollingClient.greet(service);
    for (let time = 0; time < 5; time++) {
      const parked = client.poll();
      await client.post({ type: 6 });
      await pass(HOLD - TICK);
      clock.jump(TICK);
      expect(await parked).toMatchObject({ status: 200, text: "" });
    }
    expect(names()).toEqual(["connected"]);
    expect((await client.delete()).status).toBe(202);
  });

  it("comes back by its key after silence: same id, groups, items, what was sent meanwhile in order", async () => {
    const { service, wakeSweeper, untilLost, names, ended } = await start();
    await wakeSweeper();
    const client = await PollingClient.greet(service, `/chat?resume=${KEY}`);
    await client.invoke("join", "room");
    await client.invoke("remember", "me");
    await untilLost();
    const sender = await PollingClient.greet(service);
    for (const text of ["one", "two", "three"]) await sender.invoke("tell", "room", text);
    await sender.delete();
    expect((await client.post({ type: 1, target: "note", arguments: [1] })).status).toBe(404);
    const back = await PollingClient.greet(service, `/chat?resume=${KEY}`);
    expect(back.connectionId).toBe(client.connectionId);
    const told = await back.take(3);
    expect(told.map((message) => (message.arguments as unknown[])[0])).toEqual(["one", "two", "three"]);
    expect(await back.invoke("recall")).toMatchObject({ result: ["me", ["room"]] });
    // Its first token is told that it is replaced, and can do nothing.
    expect(await client.poll()).toMatchObject({ status: 200, messages: [{ type: 7, error: expect.any(String) }] });
    expect([(await client.post({ type: 6 })).status, (await client.delete()).status]).toEqual([404, 404]);
    expect(names(client.connectionId)).toEqual(["connected", "reconnected"]);
    await back.delete();
    await ended();
  });

  it("that is not back in time ends once, and its key begins anew", async () => {
    const { service, pass, wakeSweeper, names, ended } = await start();
    await wakeSweeper();
    const client = await PollingClient.greet(service, `/chat?resume=${KEY}`);
    await pass(HOLD + SILENCE + TICK + DISCONNECT + 2 * TICK);
    expect(await ended()).toEqual(["connected", "disconnected false transport_lost"]);
    expect((await client.poll()).status).toBe(204);
    const next = await PollingClient.greet(service, `/chat?resume=${KEY}`);
    expect(next.connectionId).not.toBe(client.connectionId);
    expect(names(next.connectionId)).toEqual(["connected"]);
    await next.delete();
  });
});

describe("a stock client with a key", () => {
  it("comes back by polling from a gateway that was away", async () => {
    const { service, names, events } = await start();
    const sender = await service.connect("/chat");
    const { connection, connectionId, told, back, away } = await resumable(service, POLLS);
    await connection.invoke("join", "room");
    await connection.invoke("remember", "me");
    const [left, returned] = [away(), back()];
    service.server.faults.refuseConnects(300);
    await sender.invoke("tell", "room", "one");
    await left;
    await sender.invoke("tell", "room", "two");
    expect(await returned).toBe(connectionId);
    await sender.invoke("tell", "room", "three");
    // What was handed to the poll before may come twice.
    const heard: unknown[] = [];
    while (heard.at(-1) !== "three") heard.push((await told.next())[0]);
    expect(heard.filter((text, at) => heard.indexOf(text) === at)).toEqual(["one", "two", "three"]);
    expect(await connection.invoke("recall")).toEqual(["me", ["room"]]);
    expect(names(connectionId)).toEqual(["connected", "reconnected"]);
    expect(disorder(events.all)).toBeUndefined();
  });

  it("changes from a socket to polling and back, and keeps its id", async () => {
    const { service, names } = await start();
    const sender = await service.connect("/chat");
    const { connection, connectionId, told, back } = await resumable(service, SOCKET_OR_POLLS);
    await connection.invoke("join", "room");
    await connection.invoke("remember", "me");
    expect(transportOf(connection)).toBe("WebSocketTransport");
    service.server.faults.blockSockets(Number.POSITIVE_INFINITY);
    const polled = back();
    service.server.faults.cut(service.server.transports().at(-1)?.id ?? "");
    await sender.invoke("tell", "room", "one");
    expect(await polled).toBe(connectionId);
    expect(transportOf(connection)).toBe("LongPollingTransport");
    await sender.invoke("tell", "room", "two");
    expect(await texts(told, 2)).toEqual(["one", "two"]);
    expect(await connection.invoke("recall")).toEqual(["me", ["room"]]);
    service.server.faults.reset();
    const socketed = back();
    service.server.faults.refuseConnects(100);
    await sender.invoke("tell", "room", "three");
    expect(await socketed).toBe(connectionId);
    expect(transportOf(connection)).toBe("WebSocketTransport");
    await sender.invoke("tell", "room", "four");
    const heard: unknown[] = [];
    while (heard.at(-1) !== "four") heard.push((await told.next())[0]);
    expect(heard.filter((text, at) => heard.indexOf(text) === at)).toEqual(["three", "four"]);
    expect(await connection.invoke("recall")).toEqual(["me", ["room"]]);
    expect(names(connectionId)).toEqual(["connected", "reconnected", "reconnected"]);
  });

  it("is polled for what a stateful socket had not acknowledged", async () => {
    const { service, names } = await start();
    const builder = service.build(`/chat?resume=${KEY}`).withStatefulReconnect();
    const connection = service.track(builder.build());
    await connection.start();
    const { connectionId } = connection;
    const told = calls(connection, "told");
    await connection.invoke("join", "room");
    await connection.invoke("tell", "room", "one");
    await connection.invoke("tell", "room", "two");
    expect(await texts(told, 2)).toEqual(["one", "two"]);
    const closed = closing(connection);
    const client = await PollingClient.greet(service, `/chat?resume=${KEY}`);
    expect(client.connectionId).toBe(connectionId);
    await client.post({ type: 1, target: "tell", arguments: ["room", "three"] });
    const heard = (await client.take(3)).map((message) => (message.arguments as unknown[])[0]);
    expect(heard).toEqual(["one", "two", "three"]);
    expect((await closed)?.message).toContain("resumed by another client");
    expect(names(connectionId ?? "")).toEqual(["connected", "reconnected"]);
    await client.delete();
  });
});
