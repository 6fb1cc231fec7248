// Who is connected, as a hub asks for it, with stock clients that are.

import type { HubConnection } from "@microsoft/signalr";
import {
  type ClientInterface,
  CursorError,
  defineHub,
  type HubCaller,
  HubException,
  type PresenceSelector,
} from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { HOSTILE_NAMES } from "../suites/store/hostile-names.ts";
import { serve } from "./running-service.ts";

type Ask = PresenceSelector & { limit?: number; after?: string };
interface Page {
  readonly connectionIds: readonly string[];
  readonly next?: string;
}

function open() {
  const left = new Arrivals<unknown>();
  const chat = defineHub()({
    methods: {
      join: (hub, group: string) => hub.groups.add(group),
      async page(hub, ask: Ask) {
        try {
          return await hub.presence.connections(ask);
        } catch (error) {
          throw error instanceof CursorError ? new HubException(error.message) : error;
        }
      },
      async each(hub, ask: PresenceSelector) {
        const ids: string[] = [];
        for await (const id of hub.presence.eachConnection(ask)) ids.push(id);
        return ids;
      },
      whole: async (hub) => [(await hub.presence.connections()).connectionIds.length, await hub.presence.count()],
      count: (hub, ask: PresenceSelector) => hub.presence.count(ask),
      groups: (hub, connectionId: string) => hub.presence.groups(connectionId),
      isOnline: (hub, user: string) => hub.presence.isOnline(user),
    },
    async onDisconnected(hub) {
      left.push(await others(hub));
    },
  });
  // No issuer here: the token is the name.
  const auth = ({ token }: { token: string | undefined }) => (token === undefined ? null : { sub: token });
  return { left, options: { hubs: { chat, other: chat }, auth, enableDetailedErrors: true } };
}

/** What a hub asks as somebody leaves. */
async function others({ presence, groups, userIdentifier = "" }: HubCaller<ClientInterface<unknown>>) {
  const [group = "none"] = await groups.list();
  return {
    online: await presence.isOnline(userIdentifier),
    counts: [await presence.count(), await presence.count({ group }), await presence.count({ user: userIdentifier })],
    listed: (await presence.connections({ group })).connectionIds,
  };
}

const as = (user: string) => ({ accessTokenFactory: () => user });

async function pages(connection: HubConnection, ask: Ask): Promise<readonly string[]> {
  const page: Page = await connection.invoke("page", ask);
  expect(page.connectionIds.length).toBeLessThanOrEqual(ask.limit ?? 100);
  if (page.next === undefined) return page.connectionIds;
  return [...page.connectionIds, ...(await pages(connection, { ...ask, after: page.next }))];
}

describe("hub.presence", () => {
  it("lists and counts the connections of hub, group and user, and no others", async () => {
    const service = await serve(open().options);
    const tabs = [await service.connect("/chat", as("ada")), await service.connect("/chat", as("ada"))] as const;
    const bob = await service.connect("/chat", as("bob"));
    await service.connect("/other", as("eve"));
    for (const connection of [tabs[0], bob]) await connection.invoke("join", "red");
    const ids = (...connections: readonly HubConnection[]) => connections.map((each) => each.connectionId).sort();
    for (const [ask, expected] of [
      [{}, ids(...tabs, bob)],
      [{ group: "red" }, ids(tabs[0], bob)],
      [{ user: "ada" }, ids(...tabs)],
      [{ group: "Red" }, []],
      [{ user: "eve" }, []],
    ] as const) {
      expect([...(await pages(bob, ask))].sort()).toEqual(expected);
      expect((await bob.invoke("each", ask)).sort()).toEqual(expected);
      expect(await bob.invoke("count", ask)).toBe(expected.length);
    }
    expect(await bob.invoke("whole")).toEqual([3, 3]);
    for (const [user, online] of Object.entries({ ada: true, bob: true, eve: false, nobody: false })) {
      expect(await bob.invoke("isOnline", user)).toBe(online);
    }
  });

  it("knows the groups of any connection of this hub", async () => {
    const service = await serve(open().options);
    const [ada, bob, eve] = [await service.connect(), await service.connect(), await service.connect("/other")];
    for (const connection of [ada, eve]) for (const group of ["b", "a"]) await connection.invoke("join", group);
    expect(await bob.invoke("groups", ada.connectionId)).toEqual(["a", "b"]);
    expect(await bob.invoke("groups", bob.connectionId)).toEqual([]);
    expect(await bob.invoke("groups", eve.connectionId)).toEqual([]);
    for (const hostile of ["nobody", ...HOSTILE_NAMES]) expect(await bob.invoke("groups", hostile)).toEqual([]);
  });

  it("pages through hundreds, each once", async () => {
    const service = await serve(open().options);
    const asker = await service.connect("/chat", as("asker"));
    await Promise.all(Array.from({ length: 200 }, () => service.greet()));
    expect(await asker.invoke("count", {})).toBe(201);
    const all = await pages(asker, { limit: 50 });
    expect(new Set(all).size).toBe(201);
    expect(await pages(asker, { limit: 201 })).toEqual(all);
    expect(await asker.invoke("each", {})).toEqual(all);
    expect((await asker.invoke<Page>("page", {})).connectionIds).toEqual(all.slice(0, 100));
  });

  it("takes any name", async () => {
    const service = await serve(open().options);
    const connection = await service.connect("/chat", as("__proto__"));
    for (const name of HOSTILE_NAMES) {
      await connection.invoke("join", name);
      expect(await connection.invoke("count", { group: name })).toBe(1);
      expect(await pages(connection, { group: name })).toEqual([connection.connectionId]);
      expect(await connection.invoke("isOnline", name)).toBe(name === "__proto__");
    }
  });

  it("refuses what names nobody, and never takes it for the whole hub", async () => {
    const connection = await (await serve(open().options)).connect();
    const refused = (method: string, ask: unknown) => expect(connection.invoke(method, ask)).rejects;
    for (const method of ["page", "each", "count"]) {
      await refused(method, { group: "" }).toThrow("TypeError: A group needs a name.");
      await refused(method, { group: null }).toThrow("TypeError: A group needs a name.");
      await refused(method, { user: 7 }).toThrow("TypeError: A user needs a name.");
      await refused(method, { group: "a", user: "b" }).toThrow("takes a group or a user, not both.");
      await refused(method, { room: "a" }).toThrow("does not know 'room'. It takes group, user");
      await refused(method, { group: "x".repeat(901) }).toThrow("at most 900 bytes");
    }
    await refused("isOnline", "").toThrow("A user needs a name.");
    await refused("groups", "").toThrow("A connection needs an id.");
    for (const limit of [0, -1, 1.5, 1001, "10"]) await refused("page", { limit }).toThrow(`\`limit\` is ${limit};`);
  });

  it("refuses a cursor that it did not hand out for the list", async () => {
    const service = await serve(open().options);
    const [connection] = [await service.connect(), await service.connect()];
    for (const group of ["red", "blue"]) await connection.invoke("join", group);
    const { next = "" }: Page = await connection.invoke("page", { limit: 1 });
    expect(next).toMatch(/^[\w-]+$/);
    const forged = (text: string) => Buffer.from(text).toString("base64url");
    const cursors = ["", "x", `${next}=`, `${next}A`, next.slice(1), forged("chat x"), forged(" "), "é", 7, {}, null];
    for (const after of [...cursors, ...HOSTILE_NAMES, "A".repeat(30_000)]) {
      await expect(connection.invoke("page", { after })).rejects.toThrow("`after` is not a `next` of this list.");
    }
    await expect(connection.invoke("page", { group: "red", after: next })).rejects.toThrow("with the same group");
    expect((await connection.invoke<Page>("page", { after: next })).connectionIds).toHaveLength(1);
  });

  it("leaves the one out that leaves, in its onDisconnected", async () => {
    const { left, options } = open();
    const service = await serve(options);
    const [tab, second] = [await service.connect("/chat", as("ada")), await service.connect("/chat", as("ada"))];
    for (const connection of [tab, second]) await connection.invoke("join", "red");
    await tab.stop();
    expect(await left.next()).toEqual({ online: true, counts: [1, 1, 1], listed: [second.connectionId] });
  });

  it("is nobody to the last one that leaves", async () => {
    const { left, options } = open();
    const connection = await (await serve(options)).connect("/chat", as("ada"));
    await connection.invoke("join", "red");
    await connection.stop();
    expect(await left.next()).toEqual({ online: false, counts: [0, 0, 0], listed: [] });
  });
});
