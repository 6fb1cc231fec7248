// Stateful reconnect with the stock client: what breaks below it, neither its user nor its server's author notices.

import type { HubConnection, IHttpConnectionOptions } from "@microsoft/signalr";
import { describe, expect, it } from "vitest";
import { disorder, recordedHub } from "./recorded-hub.ts";
import { RunningClock } from "./running-clock.ts";
import { calls, type RunningService, serve } from "./running-service.ts";
import { VirtualTime } from "./virtual-time.ts";

async function start() {
  const hub = recordedHub();
  const auth = ({ headers }: { headers: Readonly<Record<string, string | undefined>> }) =>
    headers["x-user"] === undefined ? null : { sub: headers["x-user"] };
  return { ...hub, service: await serve({ hubs: hub.hubs, auth }, new RunningClock()) };
}

async function connect(service: RunningService, options: IHttpConnectionOptions = {}) {
  const connection = service.track(service.build("/chat", options).withStatefulReconnect().build());
  const noticed: string[] = [];
  connection.onreconnecting(() => noticed.push("reconnecting"));
  connection.onclose(() => noticed.push("closed"));
  await connection.start();
  return { connection, noticed };
}

/** Cuts every socket but those of `others`. */
function cut({ server }: RunningService, others: ReadonlySet<string> = new Set()): void {
  for (const { id } of server.transports()) if (!others.has(id)) server.faults.cut(id);
}

const idsOf = ({ server }: RunningService) => new Set(server.transports().map(({ id }) => id));
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("a stateful client", () => {
  it("goes on as if nothing had been when its socket is cut", async () => {
    const { service, events, names } = await start();
    const { connection, noticed } = await connect(service);
    const told = calls(connection, "told");
    const { connectionId } = connection;
    await connection.invoke("join", "room");
    await connection.invoke("remember", "me");
    expect(await events.next()).toMatchObject({ name: "connected" });
    for (const time of numbers(3)) {
      cut(service);
      expect(await connection.invoke("echo", time)).toBe(time);
      await connection.invoke("tell", "room", `text ${time}`);
      expect(await told.next()).toEqual([`text ${time}`]);
      expect(await events.next()).toMatchObject({ name: "reconnected" });
    }
    expect(await connection.invoke("recall")).toEqual(["me", ["room"]]);
    expect(connection.connectionId).toBe(connectionId);
    expect(noticed).toEqual([]);
    await connection.stop();
    expect(await events.next()).toMatchObject({ name: "disconnected true undefined" });
    expect(names()).toHaveLength(5);
  });

  it("gets the result of the method that ran when its socket was cut", async () => {
    const { service, started, goOn } = await start();
    const { connection } = await connect(service);
    const asked = connection.invoke("work", "late");
    await started.next();
    cut(service);
    await expect.poll(() => service.server.transports().length).toBe(1);
    goOn();
    expect(await asked).toBe("late");
    expect(await connection.invoke("echo", 1)).toBe(1);
  });

  it("gets what everybody sends once, and in the order of each sender, while it is cut again and again", async () => {
    const { service, events } = await start();
    const senders = await Promise.all(numbers(4).map(() => service.connect()));
    const sockets = idsOf(service);
    const { connection, noticed } = await connect(service, { headers: { "x-user": "ada" } });
    const told = calls(connection, "told");
    const { connectionId } = connection;
    await connection.invoke("join", "room");
    const ways = [["tell", "room"], ["tellUser", "ada"], ["tellOne", connectionId], ["tellAll"]] as const;
    const sending = senders.map(async (sender, from) => {
      const [method, ...to] = ways[from] as (typeof ways)[number];
      for (const number of numbers(50)) {
        await sender.invoke(method, ...to, [from, number]);
        if (from === 0 && number % 7 === 3) cut(service, sockets);
      }
    });
    await Promise.all(sending);
    await connection.invoke("tellMe", "last");
    const received: unknown[] = [];
    for (let [text] = await told.next(); text !== "last"; [text] = await told.next()) received.push(text);
    for (const from of numbers(4)) {
      const ofSender = (received as number[][]).filter(([sender]) => sender === from).map(([, number]) => number);
      expect(ofSender).toEqual(numbers(50));
    }
    expect(connection.connectionId).toBe(connectionId);
    expect(noticed).toEqual([]);
    expect(disorder(events.all)).toBeUndefined();
  });

  it("has each of its sends and invocations run once, while it is cut again and again", async () => {
    const { hubs, runs } = recordedHub();
    const time = await VirtualTime.serve({ hubs });
    const builder = time.service.build("/chat", time.network.options).withStatefulReconnect();
    const connection = time.service.track(builder.build());
    await time.until(connection.start());
    const asked: Promise<unknown>[] = [];
    for (const number of numbers(10)) {
      asked.push(...numbers(10).map((each) => connection.send("note", `send ${number} ${each}`)));
      if (number % 2 === 0) cut(time.service);
      asked.push(connection.invoke("echo", number));
      if (number % 3 === 0) cut(time.service);
      asked.push(connection.invoke("echo", number + 10));
      await time.until(Promise.all(asked));
      // What was acknowledged is not repeated.
      await time.pass(20_000);
    }
    expect(runs.filter((run) => typeof run === "number").toSorted()).toEqual(numbers(20).toSorted());
    const sent = numbers(10).flatMap((number) => numbers(10).map((each) => `send ${number} ${each}`));
    expect(runs.filter((run) => typeof run === "string").toSorted()).toEqual(sent);
  });
});

describe("of two stateful clients, one that is cut", () => {
  it("leaves the other alone", async () => {
    const { service } = await start();
    const one: HubConnection = (await connect(service)).connection;
    const sockets = idsOf(service);
    const other: HubConnection = (await connect(service)).connection;
    cut(service, sockets);
    expect(await Promise.all([one.invoke("echo", 1), other.invoke("echo", 2)])).toEqual([1, 2]);
    expect(one.connectionId).not.toBe(other.connectionId);
  });
});
