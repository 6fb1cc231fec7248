// Users who come and go: onUserOnline and onUserOffline, as stock clients cause them.

import type { HubConnection } from "@microsoft/signalr";
import { defineHub, type HubPresenceOptions } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { calls } from "./running-service.ts";
import { VirtualTime } from "./virtual-time.ts";

/** Of the sweeper while there is somebody, and of its schedule. Milliseconds. */
const TICK = 5_000;
const SCHEDULE = 60_000;
const GRACE = 10_000;
const KEY = "0123456789abcdef0123456789abcdef";

interface Client {
  told(text: string): void;
}

async function open(given: { presence?: HubPresenceOptions; fails?: boolean } = {}) {
  const events = new Arrivals<string>();
  const chat = defineHub<Client>()({
    methods: { echo: (_hub, text: string) => text, count: (hub) => hub.presence.count() },
    ...(given.presence && { presence: given.presence }),
    onConnected: (hub) => void events.push(`${hub.userIdentifier} connected`),
    async onUserOnline(hub, { userIdentifier }) {
      events.push(`${userIdentifier} online${hub.redelivered ? " again" : ""}`);
      await hub.clients.all.told(`${userIdentifier} is there`);
      if (given.fails) throw new Error("The author's mistake.");
    },
    async onUserOffline(hub, { userIdentifier }) {
      const isThere = await hub.presence.isOnline(userIdentifier);
      events.push(`${userIdentifier} offline${isThere ? ", but there" : ""}${hub.redelivered ? " again" : ""}`);
      await hub.clients.all.told(`${userIdentifier} is gone`);
      if (given.fails) throw new Error("The author's mistake.");
    },
  });
  const quiet = defineHub()({ methods: {} });
  const auth = ({ token }: { token: string | undefined }) => (token === undefined ? null : { sub: token });
  const time = await VirtualTime.serve({ hubs: { chat, quiet }, auth });
  const { service } = time;
  return {
    time,
    service,
    /** What was told, but for the connections. */
    told: () => events.all.filter((event) => !event.endsWith(" connected")),
    events,
    async connect(user: string | undefined, path = "/chat"): Promise<HubConnection> {
      const identity = user === undefined ? {} : { accessTokenFactory: () => user };
      const builder = service.build(path, { ...time.network.options, ...identity });
      const connection = service.track(builder.withAutomaticReconnect().build());
      await time.until(connection.start());
      return connection;
    },
    /** Whoever is to be offline is so then. */
    goneFor: (grace = GRACE) => time.pass(grace + SCHEDULE + 2 * TICK),
  };
}

describe("a user", () => {
  it("is online with the first tab, and offline once, when the last has been gone for the grace", async () => {
    const { time, connect, told, goneFor } = await open();
    const first = await connect("ada");
    expect(told()).toEqual(["ada online"]);
    const second = await connect("ada");
    await time.until(first.stop());
    await goneFor();
    await time.until(second.stop());
    await time.pass(GRACE - 1_000);
    expect(told()).toEqual(["ada online"]);
    await time.pass(1_000 + 2 * TICK);
    expect(told()).toEqual(["ada online", "ada offline"]);
    await time.pass(10 * 60_000);
    expect(told()).toEqual(["ada online", "ada offline"]);
  });

  it("is told of behind its onConnected, to those who are there, and itself", async () => {
    const { time, connect, events, goneFor } = await open();
    const bob = await connect("bob");
    const heard = calls(bob, "told");
    const ada = await connect("ada");
    expect(events.all).toEqual(["bob connected", "bob online", "ada connected", "ada online"]);
    await time.until(ada.stop());
    await goneFor();
    expect(heard.all).toEqual([["ada is there"], ["ada is gone"]]);
  });

  it("does not flap when pages reload, however often, within the grace", async () => {
    const { time, connect, told, goneFor } = await open();
    for (let reload = 0; reload < 5; reload++) {
      const tab = await connect("ada");
      await time.pass(7_000);
      await time.until(tab.stop());
      await time.pass(GRACE - 2_000);
    }
    await connect("ada");
    await goneFor();
    expect(told()).toEqual(["ada online"]);
  });

  it("comes and goes as often as it likes", async () => {
    const { time, connect, told, goneFor } = await open();
    for (let visit = 0; visit < 3; visit++) {
      await time.until((await connect("ada")).stop());
      await goneFor();
    }
    expect(told()).toEqual(Array(3).fill(["ada online", "ada offline"]).flat());
  });

  it("has the grace that its hub gives it", async () => {
    const { time, connect, told, goneFor } = await open({ presence: { grace: 60_000 } });
    await time.until((await connect("ada")).stop());
    await time.pass(59_000);
    expect(told()).toEqual(["ada online"]);
    await goneFor(1_000);
    expect(told()).toEqual(["ada online", "ada offline"]);
  });

  it("is online while a transport is lost and its client may come back, and offline when it does not", async () => {
    const { time, connect, service, told } = await open();
    await connect("ada", `/chat?resume=${KEY}`);
    const [transport] = service.server.transports();
    time.network.shut();
    service.server.faults.cut(transport?.id ?? "");
    await time.pass(25_000);
    expect(told()).toEqual(["ada online"]);
    await time.pass(60_000);
    expect(told()).toEqual(["ada online", "ada offline"]);
  });

  it("that comes back in time with the same connection was never gone", async () => {
    const { time, connect, service, told } = await open();
    await connect("ada", `/chat?resume=${KEY}`);
    const [transport] = service.server.transports();
    service.server.faults.cut(transport?.id ?? "");
    await time.pass(3 * 60_000);
    expect(told()).toEqual(["ada online"]);
  });

  it("without a name is nobody, and so is one of a hub that does not ask", async () => {
    const { time, connect, service, told } = await open();
    const [nobody, quiet] = [await connect(undefined), await connect("ada", "/quiet")];
    expect((await time.until(service.table.keys())).filter((key) => key.startsWith("P#"))).toEqual([]);
    for (const connection of [nobody, quiet]) await time.until(connection.stop());
    await time.pass(60_000);
    expect(told()).toEqual([]);
  });

  it.each(["constructor", "__proto__", "a#c/+&%20", "x".repeat(900)])("may be called %j", async (name) => {
    const { time, connect, told, goneFor } = await open();
    await time.until((await connect(name)).stop());
    await goneFor();
    expect(told()).toEqual([`${name} online`, `${name} offline`]);
  });

  it("is told of once, also by code that throws", async () => {
    const { time, connect, service, told, goneFor } = await open({ fails: true });
    const tab = await connect("ada");
    expect(await time.until(tab.invoke("echo", "here"))).toBe("here");
    await time.until(tab.stop());
    await goneFor();
    await time.pass(120_000);
    expect(told()).toEqual(["ada online", "ada offline"]);
    const messages = service.lines.all.map(({ message }) => message);
    expect(messages).toContain("onUserOnline failed.");
    expect(messages).toContain("onUserOffline failed.");
  });

  it("is offline, a little late, though nobody says that its transport is gone and the sweeper was away", async () => {
    const { time, connect, service, told } = await open();
    await connect("ada");
    const [transport] = service.server.transports();
    service.server.faults.dropDisconnects();
    service.server.faults.throwIn("sweep");
    time.network.shut();
    service.server.faults.cut(transport?.id ?? "");
    await time.pass(5 * 60_000);
    expect(told()).toEqual(["ada online"]);
    service.server.faults.reset();
    await time.pass(4 * 60_000);
    expect(told()).toEqual(["ada online", "ada offline"]);
  });
});

/** Of the user's row, in one visit and the sweeps over it. */
const POINTS = 24;

const refused = () =>
  Object.assign(new Error("No."), { name: "AccessDeniedException", $metadata: { httpStatusCode: 400 } });
const lost = () =>
  Object.assign(new Error("read ECONNRESET"), { name: "TimeoutError", code: "ECONNRESET", $metadata: {} });

describe("a request for the row of a user", () => {
  it.each([
    ["is lost, and made again", "after it was made", lost, /^online offline $/],
    ["fails its function", "before it is made", refused, /^(online )+(online again )*(offline )+(offline again )*$/],
    ["fails its function", "after it was made", refused, /^(online )?(online again )*(offline )?(offline again )*$/],
  ] as const)("that %s, %s, leaves nothing untold", async (_what, when, fault, expected) => {
    const { time, connect, service, told } = await open();
    let failIn = Number.POSITIVE_INFINITY;
    service.eachTableClient((client) =>
      client.middlewareStack.add(
        (next) => async (args) => {
          const { body } = args.request as { body: Uint8Array };
          if (new TextDecoder().decode(body).includes('"P#')) failIn -= 1;
          if (failIn !== 0) return next(args);
          failIn = Number.POSITIVE_INFINITY;
          if (when === "after it was made") await next(args);
          throw fault();
        },
        // Below the SDK's retries.
        { step: "finalizeRequest", priority: "low", name: "tableFaults" },
      ),
    );
    for (let point = 1; point <= POINTS; point++) {
      const before = told().length;
      failIn = point;
      const tab = await connect("ada");
      await time.pass(1_000);
      await time.until(tab.stop());
      await time.pass(3 * 60_000);
      failIn = Number.POSITIVE_INFINITY;
      const events = told().slice(before);
      const text = events.map((event) => `${event.slice("ada ".length)} `).join("");
      expect(text, `point ${point}`).toMatch(expected);
      expect(text, `point ${point}`).toContain("online");
      expect(text, `point ${point}`).toContain("offline");
      const keys = await time.until(service.table.keys());
      expect(keys.filter((key) => key.startsWith("P#"))).toEqual([]);
    }
  });
});

it("tells of many users each, exactly once", async () => {
  const { time, service, connect, told, goneFor } = await open();
  const users = Array.from({ length: 30 }, (_, index) => `user-${index}`);
  const tabs: HubConnection[] = [];
  for (const user of users) tabs.push(await connect(user), await connect(user));
  expect(told()).toEqual(users.map((user) => `${user} online`));
  expect(await time.until(tabs[0]?.invoke("count") ?? Promise.resolve())).toBe(60);
  await time.until(Promise.all(tabs.map((tab) => tab.stop())));
  await goneFor();
  await time.pass(60_000);
  expect([...told()].sort()).toEqual(users.flatMap((user) => [`${user} online`, `${user} offline`]).sort());
  expect(await time.until(service.table.keys())).not.toContainEqual(expect.stringMatching(/^P#/));
});
