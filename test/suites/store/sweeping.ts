// What a sweep finds, and that one sweeps.

import { describe, expect, it } from "vitest";
import type { Harness, OpenStore } from "./harness.ts";
import { claimOf, LOST, NOW, turnOf } from "./samples.ts";

export function sweepingSuite(harness: Harness, openStore: () => Promise<OpenStore>): void {
  const { accept, connect, dueAt, id, store } = harness;

  async function total(): Promise<number> {
    let sum = 0;
    for await (const page of store.due(NOW)) sum += page.total;
    return sum;
  }

  describe("due", () => {
    it("finds exactly what is due, past its time and not at it", async () => {
      const at = NOW + 1_000;
      const names = (text: string) => ({ transportId: id(text), connectionId: id(text), deadline: at + 1 });
      await accept({ ...names("silent"), deadline: at - 1 });
      await accept({ ...names("just in time"), deadline: at });
      await accept({ ...names("to rotate"), rotateAt: at - 1 });
      await accept({ ...names("not to rotate"), rotateAt: at });
      await accept({ ...names("expired"), authenticatedUntil: at - 1 });
      await accept({ ...names("not expired"), authenticatedUntil: at });
      for (const [name, until] of Object.entries({ dead: at - 1, alive: at })) {
        await accept(names(name));
        await store.take(id(name), at + 1, turnOf("holder", until));
      }
      await connect(names("marked"));
      await store.markEnd(id("marked"), LOST, 0);
      await connect(names("lost"));
      await store.markLost(id("lost"));
      const ending = await connect(names("ending"));
      await store.claimEnd(claimOf(ending, { until: at }));
      const unfinished = await connect(names("unfinished"));
      await store.claimEnd(claimOf(unfinished, { until: at - 1 }));
      const due = await dueAt(at);
      expect(due.map(({ transportId }) => transportId).sort()).toEqual(
        ["dead", "expired", "lost", "marked", "silent", "to rotate", "unfinished"].map(id),
      );
      for (const state of due) expect(state).toStrictEqual(await store.transport(state.transportId));
    });

    it("counts all transports beside those", async () => {
      const before = await total();
      await accept();
      await accept({ transportId: id("due"), connectionId: id("due"), deadline: NOW - 1 });
      expect(await total()).toBe(before + 2);
    });

    it("finds a frame that was counted when nobody had the turn", async () => {
      const { transportId } = await connect();
      await store.touch(transportId, NOW + 30_000);
      expect(await dueAt(NOW)).toEqual([]);
      await store.count(transportId);
      expect(await dueAt(NOW)).toHaveLength(1);
      await store.steal(transportId, turnOf("holder"), undefined);
      expect(await dueAt(NOW)).toEqual([]);
    });
  });

  describe("the sweeper's lease", () => {
    it("gives each of 20 sweepers a generation of its own, and keeps the last one's", async () => {
      const leases = await Promise.all(Array.from({ length: 20 }, () => store.beginSweep()));
      const generations = leases.map(({ generation }) => generation).sort((a, b) => a - b);
      expect(new Set(generations).size).toBe(20);
      const outcomes = await Promise.all(
        leases.map((lease) => store.keepSweeping(lease, { ...lease, lastTick: NOW + lease.generation })),
      );
      const [kept, ...others] = leases.filter((_, index) => outcomes[index]);
      expect(others).toEqual([]);
      expect(kept?.generation).toBe(generations.at(-1));
    });

    it("carries the last tick and the end of an outage over to the next generation", async () => {
      const first = await store.beginSweep();
      await store.keepSweeping(first, { ...first, lastTick: NOW, notBefore: NOW + 30_000 });
      expect(await store.beginSweep()).toStrictEqual({
        generation: first.generation + 1,
        lastTick: NOW,
        notBefore: NOW + 30_000,
      });
    });

    it("is kept only as it was seen", async () => {
      const lease = await store.beginSweep();
      const next = { ...lease, lastTick: lease.lastTick + 1 };
      expect(await store.keepSweeping(lease, next)).toBe(true);
      // Written twice, as by a retry of the SDK, it is one tick.
      expect(await store.keepSweeping(lease, next)).toBe(true);
      const later = { ...next, lastTick: next.lastTick + 1 };
      expect(await store.keepSweeping(lease, later)).toBe(false);
      expect(await store.keepSweeping(next, later)).toBe(true);
    });

    it("is not made by keeping it", async () => {
      const unswept = await openStore();
      const lease = { generation: 0, lastTick: 0, notBefore: 0 };
      expect(await unswept.store.keepSweeping(lease, lease)).toBe(false);
      expect(await unswept.rows()).toEqual([]);
      expect(await unswept.store.beginSweep()).toStrictEqual({ ...lease, generation: 1 });
      await unswept.close();
    });
  });
}
