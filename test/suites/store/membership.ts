// Who is in a hub, a user and a group, and where.

import { describe, expect, it } from "vitest";
import type { Harness } from "./harness.ts";
import { HOSTILE_NAMES } from "./hostile-names.ts";
import { groupOf, HUB, memberOf, userOf } from "./samples.ts";

export function membershipSuite(harness: Harness): void {
  const { accept, connect, end, id, membersOf, newConnection, rows, store } = harness;

  describe("membership", () => {
    it("of hub and user begins with enter", async () => {
      const connection = await accept({ userIdentifier: id("ada") });
      expect(await store.enter(memberOf(connection), HUB, id("ada"))).toBe(true);
      expect(await store.member(connection.connectionId, HUB)).toStrictEqual(memberOf(connection));
      expect(await store.member(connection.connectionId, "another")).toBeUndefined();
      expect(await membersOf(userOf(id("ada")))).toStrictEqual([memberOf(connection)]);
      expect(await membersOf({ kind: "hub", hub: HUB })).toContainEqual(memberOf(connection));
    });

    it("is in the hub alone for a connection without a user", async () => {
      const connection = await connect();
      expect(await store.member(connection.connectionId, HUB)).toStrictEqual(memberOf(connection));
      expect(await membersOf(userOf("undefined"))).toEqual([]);
    });

    it.each(["", "x".repeat(1025), "é".repeat(513), "__proto__"])(
      "is not of an id that nobody has: %j",
      async (other) => {
        expect(await store.member(other, HUB)).toBeUndefined();
      },
    );

    it("of a group lasts from join to leave, however often they are said", async () => {
      const connection = await connect();
      const group = id("group");
      expect(await store.join(memberOf(connection), HUB, group)).toBe(true);
      expect(await store.join(memberOf(connection), HUB, group)).toBe(true);
      expect(await membersOf(groupOf(group))).toStrictEqual([memberOf(connection)]);
      expect(await store.groups(connection.connectionId)).toStrictEqual([group]);
      await store.leave(connection.connectionId, HUB, group);
      await store.leave(connection.connectionId, HUB, group);
      expect(await membersOf(groupOf(group))).toEqual([]);
      expect(await store.groups(connection.connectionId)).toEqual([]);
    });

    it("is per hub", async () => {
      const connection = await connect();
      await store.join(memberOf(connection), HUB, id("group"));
      expect(await membersOf({ kind: "group", hub: "another", group: id("group") })).toEqual([]);
    });

    it("is refused to a connection that has ended or never was, and leaves nothing of it", async () => {
      const connection = await connect();
      await end(connection);
      const before = await rows();
      const never = { connectionId: id("never"), transportId: id("never") };
      for (const member of [memberOf(connection), never]) {
        expect(await store.join(member, HUB, id("group"))).toBe(false);
        expect(await store.enter(member, HUB, id("ada"))).toBe(false);
      }
      expect(await rows()).toEqual(before);
    });

    it("takes any name for a group", async () => {
      const connection = await connect();
      for (const name of HOSTILE_NAMES) expect(await store.join(memberOf(connection), HUB, name)).toBe(true);
      expect(await store.groups(connection.connectionId)).toEqual([...HOSTILE_NAMES].sort(compareBytes));
      for (const name of HOSTILE_NAMES) expect(await membersOf(groupOf(name))).toStrictEqual([memberOf(connection)]);
      expect(await store.connection(connection.connectionId)).toMatchObject({ ended: false });
      await end(connection);
      for (const name of HOSTILE_NAMES) expect(await membersOf(groupOf(name))).toEqual([]);
    });

    it("takes any name for a user", async () => {
      const connections = HOSTILE_NAMES.map((user, index) =>
        newConnection({ transportId: id(`t${index}`), connectionId: id(`c${index}`), userIdentifier: user }),
      );
      for (const connection of connections) await connect({ ...connection });
      for (const connection of connections) {
        const { userIdentifier = "" } = connection.session;
        expect(await membersOf(userOf(userIdentifier))).toStrictEqual([memberOf(connection)]);
        expect((await store.connection(connection.connectionId))?.userIdentifier).toBe(userIdentifier);
      }
      for (const connection of connections) await end(connection);
      for (const user of HOSTILE_NAMES) expect(await membersOf(userOf(user))).toEqual([]);
    });

    it("is forgotten only while it names the transport that was found gone", async () => {
      const connection = await connect();
      const group = groupOf(id("group"));
      await store.join(memberOf(connection), HUB, id("group"));
      await store.forget(group, { ...memberOf(connection), transportId: "another" });
      expect(await membersOf(group)).toHaveLength(1);
      await store.forget(group, memberOf(connection));
      expect(await membersOf(group)).toEqual([]);
      await store.forget(group, memberOf(connection));
      expect(await membersOf(group)).toEqual([]);
    });
  });

  describe("redirect", () => {
    it("corrects a hint that is as it was read", async () => {
      const connection = await connect();
      await store.join(memberOf(connection), HUB, id("group"));
      const group = groupOf(id("group"));
      await store.redirect(group, { ...memberOf(connection), transportId: "another" }, id("next"));
      expect(await membersOf(group)).toStrictEqual([memberOf(connection)]);
      await store.redirect(group, memberOf(connection), id("next"));
      expect(await membersOf(group)).toStrictEqual([{ ...memberOf(connection), transportId: id("next") }]);
      await store.leave(connection.connectionId, HUB, id("group"));
      await store.redirect(group, { ...memberOf(connection), transportId: id("next") }, id("third"));
      expect(await membersOf(group)).toEqual([]);
    });
  });
}

function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}
