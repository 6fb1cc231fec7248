// That what fills more than a page is read wholly.

import { describe, expect, it } from "vitest";
import type { Turn } from "../../../lambdas/hub/index.ts";
import { type OpenStore, openHarness } from "./harness.ts";
import { groupOf, HUB, memberOf, NOW, turnOf } from "./samples.ts";

export function pagingSuite(openStore: () => Promise<OpenStore>): void {
  // In a store of its own, which the other tests need not scan.
  describe("more rows than fit a page of 1 MB", { timeout: 60_000 }, () => {
    const { accept, connect, dueAt, end, id, membersOf, rows, store } = openHarness(openStore);

    it("are all read when they are members", async () => {
      const connectionIds = Array.from({ length: 1_200 }, (_, index) => `${index}.${"m".repeat(900)}`).sort();
      await inBatches(connectionIds, async (connectionId) => {
        const member = { connectionId, transportId: connectionId.slice(0, 5) };
        await accept(member);
        expect(await store.join(member, HUB, id("group"))).toBe(true);
      });
      const members = await membersOf(groupOf(id("group")));
      expect(members.map((member) => member.connectionId)).toEqual(connectionIds);
      const group = groupOf(id("group"));
      expect(await store.countMembers(group)).toBe(connectionIds.length);
      expect(await store.connectionIds(group, undefined, 1_150)).toEqual(connectionIds.slice(0, 1_150));
      expect(await store.connectionIds(group, connectionIds[9], 2_000)).toEqual(connectionIds.slice(10));
    });

    it("are all read and cleared when they are groups", async () => {
      const connection = await connect();
      const before = (await rows()).length;
      const groups = Array.from({ length: 1_500 }, (_, index) => `${index}.${"g".repeat(800)}`).sort();
      await inBatches(groups, async (group) => void (await store.join(memberOf(connection), HUB, group)));
      expect(await store.groups(connection.connectionId)).toEqual(groups);
      await end(connection);
      expect(await store.groups(connection.connectionId)).toEqual([]);
      // Of four rows (transport, session, connection, membership) the tombstone is left.
      expect(await rows()).toHaveLength(before - 3);
    });

    it("are all found when they are transports with something due", async () => {
      const ids = Array.from({ length: 300 }, (_, index) => id(String(index)));
      const turn: Turn = { ...turnOf("dead", NOW - 1), invocations: [{ id: "1", target: "n".repeat(90_000) }] };
      await inBatches(ids, async (name) => {
        await accept({ transportId: name, connectionId: name });
        await store.take(name, NOW + 30_000, turn);
      });
      expect((await dueAt(NOW)).map(({ transportId }) => transportId).sort()).toEqual([...ids].sort());
    });
  });
}

/** All at once would be more sockets than an engine over HTTP takes. */
async function inBatches<Item>(items: readonly Item[], action: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += 50) {
    await Promise.all(items.slice(start, start + 50).map(action));
  }
}
