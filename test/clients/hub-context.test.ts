// Sending from outside of the hub, with the SDK's own clients over HTTP.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { HubConnection } from "@microsoft/signalr";
import { defineHub } from "signalr-lambda";
import { createHubContext } from "signalr-lambda/aws";
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { recordedHub } from "./recorded-hub.ts";
import { RunningClock } from "./running-clock.ts";
import { calls, closing, type RunningService, serve, start } from "./running-service.ts";
import { Network } from "./virtual-time.ts";

interface Client {
  receive(text: string): void;
  confirm(question: string): string;
}

const hub = defineHub<Client>()({
  methods: {
    join: (hub, ...groups: string[]) => Promise.all(groups.map((group) => hub.groups.add(group))),
    groups: (hub) => hub.groups.list(),
    barrier: () => undefined,
  },
});

const auth = ({ query }: { query: Readonly<Record<string, string | undefined>> }) =>
  query.user === undefined ? null : { sub: query.user };

/** As a function or a server finds its environment. */
function contextOf<Hub extends typeof hub>(service: RunningService, path = "chat") {
  for (const [name, value] of Object.entries(service.server.environment)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  return createHubContext<Hub>({ hub: path });
}

describe("a hub context", () => {
  const people = ["ada", "ada2", "bob", "eve", "stranger"] as const;
  type Person = (typeof people)[number];
  let service: RunningService;
  let connections: Record<Person, HubConnection>;
  let received: Person[] = [];

  beforeAll(async () => {
    service = await start({ hubs: { chat: hub, other: hub }, auth });
    connections = {
      ada: await service.connect("/chat?user=ada"),
      ada2: await service.connect("/chat?user=ada"),
      bob: await service.connect("/chat?user=bob"),
      eve: await service.connect("/chat"),
      stranger: await service.connect("/other?user=ada"),
    };
    await connections.ada.invoke("join", "red");
    await connections.ada2.invoke("join", "red", "blue");
    await connections.bob.invoke("join", "blue", "Red", "__proto__", "constructor");
    await connections.stranger.invoke("join", "red", "blue");
    for (const person of people) connections[person].on("receive", () => received.push(person));
    return () => service.close();
  });

  beforeEach(() => {
    received = [];
  });

  type Clients = ReturnType<typeof createHubContext<typeof hub>>["clients"];
  const id = (person: Person) => String(connections[person].connectionId);
  const ids = (...named: Person[]) => named.map(id);

  it.each<[string, (clients: Clients) => Pick<Clients["all"], "receive">, readonly Person[]]>([
    ["all", ({ all }) => all, ["ada", "ada2", "bob", "eve"]],
    ["allExcept", (clients) => clients.allExcept(ids("bob", "eve")), ["ada", "ada2"]],
    ["client", (clients) => clients.client(id("bob")), ["bob"]],
    ["client", (clients) => clients.client(id("stranger")), []],
    ["client", (clients) => clients.client("constructor"), []],
    ["client", (clients) => clients.client(""), []],
    ["clients", (clients) => clients.clients([...ids("ada2", "bob", "bob"), "nobody"]), ["ada2", "bob"]],
    ["group", (clients) => clients.group("red"), ["ada", "ada2"]],
    ["group", (clients) => clients.group("__proto__"), ["bob"]],
    ["group", (clients) => clients.group("red#G"), []],
    ["groups", (clients) => clients.groups(["red", "blue"]), ["ada", "ada2", "ada2", "bob"]],
    ["groupExcept", (clients) => clients.groupExcept("red", ids("ada2")), ["ada"]],
    ["user", (clients) => clients.user("ada"), ["ada", "ada2"]],
    ["user", (clients) => clients.user("__proto__"), []],
    ["users", (clients) => clients.users(["ada", "bob", "bob"]), ["ada", "ada2", "bob"]],
  ])("sends to .%s, and to nobody of another hub", async (_selector, select, recipients) => {
    await select(contextOf(service).clients).receive("text");
    // What was sent to a connection before is there before the answer to its next call.
    await Promise.all(people.map((person) => connections[person].invoke("barrier")));
    expect(received.sort()).toEqual(recipients);
  });

  it("has nothing that would need a caller", () => {
    const { clients, groups } = contextOf(service);
    for (const member of ["caller", "others", "othersInGroup"]) expect(clients).not.toHaveProperty(member);
    for (const member of ["add", "remove", "list"]) expect(groups).not.toHaveProperty(member);
  });

  it("refuses names that cannot be one, and messages that no gateway carries", async () => {
    const { clients, groups } = contextOf(service);
    expect(() => clients.group("")).toThrow("Cannot send to an empty group name.");
    expect(() => clients.user("")).toThrow("Cannot send to an empty user name.");
    expect(() => clients.group("x".repeat(901))).toThrow("at most 900 bytes");
    await expect(groups.addToGroup(id("ada"), "")).rejects.toThrow("A group needs a name.");
    await expect(groups.removeFromGroup(id("ada"), "")).rejects.toThrow("A group needs a name.");
    await expect(clients.all.receive("x".repeat(128 * 1024))).rejects.toMatchObject({ code: "message_too_large" });
    await Promise.all(people.map((person) => connections[person].invoke("barrier")));
    expect(received).toEqual([]);
  });

  it("asks a client, and every client of a group", async () => {
    const { clients } = contextOf(service);
    connections.ada.on("confirm", (question: string) => `ada: ${question}`);
    connections.ada2.on("confirm", () => Promise.reject(new Error("no")));
    expect(await clients.client(id("ada")).invoke("confirm", ["Sure?"], { timeout: 20_000 })).toBe("ada: Sure?");
    await expect(clients.client(id("ada2")).invoke("confirm", ["Sure?"])).rejects.toThrow("no");
    await expect(clients.client("nobody").invoke("confirm", ["Sure?"])).rejects.toThrow("nobody");
    const { results, errors, missing } = await clients.group("red").invokeAll("confirm", ["All?"]);
    expect(results).toEqual([{ connectionId: id("ada"), result: "ada: All?" }]);
    expect(errors).toEqual([{ connectionId: id("ada2"), error: expect.stringContaining("no") }]);
    expect(missing).toEqual([]);
  });

  it("puts a connection into a group and takes it out", async () => {
    const { clients, groups } = contextOf(service);
    await groups.addToGroup(id("eve"), "green");
    await groups.addToGroup(id("eve"), "constructor");
    expect(await connections.eve.invoke("groups")).toEqual(["constructor", "green"]);
    await clients.group("green").receive("text");
    await connections.eve.invoke("barrier");
    expect(received).toEqual(["eve"]);
    await groups.removeFromGroup(id("eve"), "green");
    await groups.removeFromGroup(id("eve"), "constructor");
    await groups.removeFromGroup(id("eve"), "never joined");
    expect(await connections.eve.invoke("groups")).toEqual([]);
  });

  it("lets no connection into a group that it does not know: of another hub, or none", async () => {
    const { groups } = contextOf(service);
    for (const connectionId of [id("stranger"), "nobody", "__proto__", ""]) {
      await groups.addToGroup(connectionId, "red");
      await groups.removeFromGroup(connectionId, "red");
    }
    expect(await connections.stranger.invoke("groups")).toEqual(["blue", "red"]);
  });
});

it("closes connections by id, user and group, with a reason that their clients read", async () => {
  const events = recordedHub();
  const service = await serve({ hubs: events.hubs, auth });
  const one = await service.connect("/chat?user=ada");
  const two = await service.connect("/chat?user=bob");
  const three = await service.connect();
  const other = await service.connect();
  const { groups, connections } = contextOf(service);
  const closed = [one, two, three].map(closing);
  await groups.addToGroup(String(three.connectionId), "late");
  await connections.close(String(one.connectionId), { reason: "Signed in elsewhere." });
  await connections.close({ user: "bob" }, { reason: "Banned." });
  await connections.close({ group: "late" });
  await connections.close("nobody");
  const errors = (await Promise.all(closed)).map((error) => error?.message);
  expect(errors).toEqual([
    "Server returned an error on close: Signed in elsewhere.",
    "Server returned an error on close: Banned.",
    undefined,
  ]);
  expect(await other.invoke("echo", "there")).toBe("there");
  await expect.poll(() => events.names().filter((name) => name.startsWith("disconnected"))).toHaveLength(3);
});

it("keeps messages for a stateful client that is away, also when it is the first to find out", async () => {
  const { hubs, names } = recordedHub();
  const service = await serve({ hubs, auth }, new RunningClock());
  const network = new Network();
  const connection = service.track(service.build("/chat", network.options).withStatefulReconnect().build());
  const told = calls(connection, "told");
  await connection.start();
  const { clients, groups } = contextOf(service);
  const client = clients.client(String(connection.connectionId));
  await groups.addToGroup(String(connection.connectionId), "room");
  await client.send("told", "there");
  network.shut();
  service.server.faults.dropDisconnects(1);
  for (const { id } of service.server.transports()) service.server.faults.cut(id);
  await client.send("told", "away");
  await clients.group("room").send("told", "still away");
  network.open();
  await expect.poll(() => names()).toContain("reconnected");
  await clients.all.send("told", "back");
  for (const text of ["there", "away", "still away", "back"]) expect(await told.next()).toEqual([text]);
});

it("sends from another process with nothing but its environment", async () => {
  const service = await serve({ hubs: { chat: hub }, auth });
  const connection = await service.connect("/chat?user=ada");
  const received = calls(connection, "receive");
  const script = fileURLToPath(new URL("services/sender.ts", import.meta.url));
  const env = { PATH: process.env.PATH, ...service.server.environment };
  const send = (...args: string[]) =>
    promisify(execFile)(process.execPath, ["--import", "tsx", script, ...args], { env });
  await send("user", "ada");
  expect(await received.next()).toEqual(["ada"]);
  await send("all", "hello");
  expect(await received.next()).toEqual(["hello"]);
});
