// From the hub to clients: every selector reaches the connections it names and no others.

import type { HubConnection } from "@microsoft/signalr";
import { defineHub, type HubCaller } from "signalr-lambda";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { calls, type RunningService, serve, start } from "./running-service.ts";

interface Client {
  receive(text: unknown): void;
}

const hub = defineHub<Client>()({
  methods: {
    /** Sends to whom `hub.clients[selector]` names, called with `args` if it takes any. */
    async sendTo(hub, selector: keyof HubCaller<Client>["clients"], ...args: unknown[]) {
      const named = hub.clients[selector];
      const proxy = typeof named === "function" ? Reflect.apply(named, undefined, args) : named;
      await proxy.receive(selector);
    },
    sendUntyped: (hub, target: string, ...args: unknown[]) => hub.clients.caller.send(target, ...args),
    async sendBefore(hub, count: number) {
      for (let index = 0; index < count; index++) void hub.clients.caller.receive(index);
      return "done";
    },
    sendTooMuch: (hub) => hub.clients.all.receive("x".repeat(128 * 1024)),
    sendNoJson: (hub) => hub.clients.all.receive(2n ** 64n),
    join: (hub, ...groups: string[]) => Promise.all(groups.map((group) => hub.groups.add(group))),
    barrier: () => undefined,
  },
});

const greeting = defineHub<Client>()({
  methods: {},
  onConnected: (hub) => hub.clients.all.receive("joined"),
});

describe("clients", () => {
  const people = ["ada", "ada2", "bob", "eve", "stranger"] as const;
  type Person = (typeof people)[number];
  let service: RunningService;
  let connections: Record<Person, HubConnection>;
  let received: Person[] = [];

  beforeAll(async () => {
    service = await start({
      hubs: { chat: hub, other: hub },
      auth: ({ query }) => (query.user === undefined ? null : { sub: query.user }),
    });
    connections = {
      ada: await service.connect("/chat?user=ada"),
      ada2: await service.connect("/chat?user=ada"),
      bob: await service.connect("/chat?user=bob"),
      eve: await service.connect("/chat"),
      stranger: await service.connect("/other?user=ada"),
    };
    await connections.ada.invoke("join", "red");
    await connections.ada2.invoke("join", "red", "blue");
    await connections.bob.invoke("join", "blue", "Red");
    await connections.stranger.invoke("join", "red", "blue");
    for (const person of people) connections[person].on("receive", () => received.push(person));
    return () => service.close();
  });

  beforeEach(() => {
    received = [];
  });

  const id = (person: Person) => connections[person].connectionId;
  const ids = (...named: Person[]) => named.map(id);

  it.each<[string, () => readonly unknown[], readonly Person[]]>([
    ["all", () => [], ["ada", "ada2", "bob", "eve"]],
    ["allExcept", () => [ids("bob", "eve")], ["ada", "ada2"]],
    ["allExcept", () => [[...ids("stranger"), "nobody"]], ["ada", "ada2", "bob", "eve"]],
    ["caller", () => [], ["ada"]],
    ["others", () => [], ["ada2", "bob", "eve"]],
    ["client", () => [id("bob")], ["bob"]],
    ["client", () => [id("ada")], ["ada"]],
    ["client", () => ["nobody"], []],
    ["client", () => [id("stranger")], []],
    ["clients", () => [[...ids("ada2", "bob", "bob", "stranger"), "nobody"]], ["ada2", "bob"]],
    ["clients", () => [[]], []],
    ["group", () => ["red"], ["ada", "ada2"]],
    ["group", () => ["nobody's"], []],
    ["groups", () => [["red", "blue"]], ["ada", "ada2", "ada2", "bob"]],
    ["groups", () => [["red", "red"]], ["ada", "ada", "ada2", "ada2"]],
    ["groupExcept", () => ["red", ids("ada2", "bob")], ["ada"]],
    ["othersInGroup", () => ["red"], ["ada2"]],
    ["othersInGroup", () => ["blue"], ["ada2", "bob"]],
    ["user", () => ["ada"], ["ada", "ada2"]],
    ["user", () => ["Ada"], []],
    ["users", () => [["ada", "bob", "bob", "nobody"]], ["ada", "ada2", "bob"]],
  ])(".%s is whom it names, and nobody of another hub", async (selector, args, recipients) => {
    await connections.ada.invoke("sendTo", selector, ...args());
    // What was sent to a connection before is there before the answer to its next call.
    await Promise.all(people.map((person) => connections[person].invoke("barrier")));
    expect(received.sort()).toEqual(recipients);
  });

  it.each([
    ["group", "", "Cannot send to an empty group name."],
    ["groups", ["red", ""], "Cannot send to an empty group name."],
    ["group", "x".repeat(901), "The name of a group or user has at most 900 bytes."],
    ["user", "ü".repeat(451), "The name of a group or user has at most 900 bytes."],
  ])(".%s refuses a name that cannot be one", async (selector, name, message) => {
    const caller = await service.connect("/chat");
    const before = service.lines.all.length;
    await expect(caller.invoke("sendTo", selector, name)).rejects.toThrow("An unexpected error occurred");
    const errors = service.lines.all.slice(before).filter(({ level }) => level === "error");
    expect(errors).toMatchObject([{ error: { message } }]);
    await caller.stop();
  });
});

describe("a client", () => {
  it("hears what onConnected sends, first of all", async () => {
    const service = await serve({ hubs: { chat: greeting } });
    const connection = service.track(service.build("/chat").build());
    const received = calls(connection, "receive");
    await connection.start();
    expect(await received.next()).toEqual(["joined"]);
  });

  it("hears everything a method sent before it hears its result, in the order it was sent", async () => {
    const client = await (await serve({ hubs: { chat: hub } })).greet();
    client.send({ type: 1, invocationId: "1", target: "sendBefore", arguments: [50] });
    for (let index = 0; index < 50; index++) {
      expect(await client.next()).toEqual({ type: 1, target: "receive", arguments: [index] });
    }
    expect(await client.next()).toMatchObject({ type: 3, result: "done" });
  });

  it("finds its methods in any case, and may lack one", async () => {
    const connection = await (await serve({ hubs: { chat: hub } })).connect();
    const received = calls(connection, "RECEIVE");
    await connection.invoke("sendUntyped", "unknown", 1);
    await connection.invoke("sendUntyped", "receive", 1, "two", null);
    expect(await received.next()).toEqual([1, "two", null]);
  });

  it.each(["sendTooMuch", "sendNoJson"])("hears nothing of a message that cannot be sent: %s", async (method) => {
    const service = await serve({ hubs: { chat: hub } });
    const connection = await service.connect();
    const received = calls(connection, "receive");
    await expect(connection.invoke(method)).rejects.toThrow(
      `An unexpected error occurred invoking '${method}' on the server.`,
    );
    await connection.invoke("sendTo", "caller");
    expect(await received.next()).toEqual(["caller"]);
  });

  it("that vanishes keeps no message from the others, and is forgotten", async () => {
    const service = await serve({ hubs: { chat: hub } });
    const [gone, there] = [await service.greet(), await service.connect()];
    const received = calls(there, "receive");
    service.server.faults.dropDisconnects(1);
    await gone.vanish();
    await there.invoke("sendTo", "all");
    expect(await received.next()).toEqual(["all"]);
    // The post that found nobody there asked the sweeper to end the connection; it ticks within the minute.
    await Promise.all([service.clock.advance(60_000), there.stop()]);
  });
});
