// What an invocation knows of its connection.

import { describe, expect, it } from "vitest";
import type { Harness } from "./harness.ts";
import { HOSTILE_NAMES } from "./hostile-names.ts";
import { LOST, NOW } from "./samples.ts";

export function sessionSuite(harness: Harness): void {
  const { accept, connect, id, store } = harness;

  describe("items", () => {
    it("are set, changed and deleted key by key", async () => {
      const { transportId } = await accept();
      await store.saveItems(transportId, { a: "1", b: "2", c: "3" });
      await store.saveItems(transportId, { a: undefined, b: '"two"', d: "{}" });
      expect({ ...(await store.session(transportId))?.items }).toStrictEqual({ b: '"two"', c: "3", d: "{}" });
    });

    it("of different keys do not overwrite each other", async () => {
      const { transportId } = await accept();
      const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`);
      await Promise.all(keys.map((key) => store.saveItems(transportId, { [key]: "1" })));
      expect(Object.keys((await store.session(transportId))?.items ?? {}).sort()).toEqual(keys.sort());
    });

    it("may have any key", async () => {
      const connection = await accept();
      const items: [string, string][] = HOSTILE_NAMES.map((name) => [name, JSON.stringify(name)]);
      await store.saveItems(connection.transportId, withoutPrototype(items));
      const session = await store.session(connection.transportId);
      expect(Object.entries(session?.items ?? {}).sort()).toEqual(items.sort());
      expect(session).toMatchObject({ user: connection.session.user, request: connection.session.request });
      await store.saveItems(connection.transportId, withoutPrototype(items.map(([name]) => [name, undefined])));
      expect(Object.keys((await store.session(connection.transportId))?.items ?? {})).toEqual([]);
    });

    it("may be as many as 4 KB hold, all replaced at once", async () => {
      const { transportId } = await accept();
      const many = (prefix: string) => Array.from({ length: 550 }, (_, index) => prefix + index.toString(36));
      await store.saveItems(transportId, Object.fromEntries(many("").map((key) => [key, "1"])));
      const others = many("ü").map((key): [string, string] => [key, "2"]);
      await store.saveItems(
        transportId,
        Object.fromEntries([...others, ...many("").map((key) => [key, undefined] as const)]),
      );
      expect(Object.entries((await store.session(transportId))?.items ?? {}).sort()).toEqual(others.sort());
    });

    it("bring back no session that was dropped", async () => {
      const { transportId } = await accept();
      await store.dropSession(transportId);
      await store.saveItems(transportId, { a: "1", b: undefined });
      expect(await store.session(transportId)).toBeUndefined();
    });
  });

  describe("renewal", () => {
    it("replaces the user and the request, and nothing else", async () => {
      const connection = await accept();
      const { transportId, session } = connection;
      await store.saveItems(transportId, { a: "1" });
      const claims = withoutPrototype(HOSTILE_NAMES.map((name): [string, string] => [name, name]));
      const user = { isAuthenticated: true, name: "new", roles: ["other"], claims };
      expect(await store.renewSession(transportId, { user, request: session.request })).toBe(true);
      const renewed = await store.session(transportId);
      expect(Object.entries(renewed?.user.claims ?? {}).sort()).toEqual(Object.entries(claims).sort());
      expect(renewed).toMatchObject({ user: { name: "new", roles: ["other"] }, request: session.request });
      expect(renewed?.userIdentifier).toBe(session.userIdentifier);
      expect({ ...renewed?.items }).toEqual({ a: "1" });
    });

    it("moves the time at which the access token ends the connection, or forgets it", async () => {
      const { transportId } = await accept({ authenticatedUntil: NOW + 1_000 });
      expect(await store.renewAuthentication(transportId, NOW + 60_000)).toMatchObject({
        authenticatedUntil: NOW + 60_000,
      });
      expect((await store.transport(transportId))?.authenticatedUntil).toBe(NOW + 60_000);
      expect((await store.renewAuthentication(transportId, undefined))?.authenticatedUntil).toBeUndefined();
    });

    it("is refused when the connection is to end, or is taken over", async () => {
      const ending = await accept();
      await store.markEnd(ending.transportId, LOST, NOW);
      expect(await store.renewAuthentication(ending.transportId, NOW)).toBeUndefined();
      const moving = await connect({ transportId: id("moving"), connectionId: id("moving"), stateful: true });
      await store.freeze(moving.transportId, id("next"), NOW + 60_000);
      expect(await store.renewAuthentication(moving.transportId, NOW)).toBeUndefined();
    });
  });

  describe("a session", () => {
    it("keeps hostile names of claims, query and headers as names", async () => {
      const values: [string, string][] = HOSTILE_NAMES.map((name) => [name, name]);
      const request = { query: withoutPrototype(values), headers: withoutPrototype(values) };
      const user = {
        isAuthenticated: true,
        name: "__proto__",
        roles: ["constructor"],
        claims: withoutPrototype(values),
      };
      const { transportId } = await accept({ session: { userIdentifier: "__proto__", user, request, items: {} } });
      const session = await store.session(transportId);
      expect(session?.userIdentifier).toBe("__proto__");
      expect(session?.user).toMatchObject({ isAuthenticated: true, name: "__proto__", roles: ["constructor"] });
      expect(Object.entries(session?.user.claims ?? {}).sort()).toEqual(values.sort());
      expect(Object.entries(session?.request.query ?? {}).sort()).toEqual(values.sort());
      expect(Object.entries(session?.request.headers ?? {}).sort()).toEqual(values.sort());
    });
  });
}

function withoutPrototype<Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> {
  const values: Record<string, Value> = Object.create(null);
  for (const [name, value] of entries) values[name] = value;
  return values;
}
