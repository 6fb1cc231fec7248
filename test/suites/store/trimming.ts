// How the store forgets what a stateful client was told we have.

import { describe, expect, it } from "vitest";
import type { Tally, TransportState } from "../../../lambdas/hub/index.ts";
import { MOST_RECEIPTS } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { changeOf, LOST, NOTHING_COUNTED, NOW, receiptOf, trimOf, turnOf } from "./samples.ts";

export function trimmingSuite(harness: Harness): void {
  const { accept, connectStateful, counted, id, reopen, store, takeOver } = harness;

  describe("trim", () => {
    it.each([
      [0, 3],
      [1, 0],
      [2, 5],
      [47, 48],
      [50, 50],
    ])("forgets exactly the first %i, and notes that %i are acknowledged", async (drop, acknowledged) => {
      const { transportId } = await connectStateful();
      const seen = await counted(transportId, 50);
      await store.trim(transportId, trimOf(seen, drop, acknowledged));
      const recent = seen.tally.recent.slice(drop);
      expect(await store.transport(transportId)).toStrictEqual({
        ...seen,
        tally: { ...NOTHING_COUNTED, received: 50, acknowledged, recent },
      });
      // What comes next stands behind them.
      const isRoom = recent.length < MOST_RECEIPTS;
      const next = { ...NOTHING_COUNTED, received: 51, acknowledged, recent: [...recent, receiptOf(99)] };
      const touched = await store.touch(transportId, NOW, [receiptOf(99)]);
      expect(touched?.tally).toStrictEqual(isRoom ? next : undefined);
    });

    it("is refused after any newer message, and after another trim that forgot", async () => {
      const { transportId } = await connectStateful();
      const old = await counted(transportId, 3);
      const seen = await store.touch(transportId, NOW, [receiptOf(9)]);
      if (seen === undefined) throw new Error("It is not counted.");
      await store.trim(transportId, trimOf(old, 1, 3));
      expect(await store.transport(transportId)).toStrictEqual(seen);
      await store.trim(transportId, trimOf(seen, 2, 3));
      const trimmed = await store.transport(transportId);
      expect(trimmed?.tally).toMatchObject({ acknowledged: 3, recent: [receiptOf(2), receiptOf(9)] });
      await store.trim(transportId, trimOf(seen, 2, 4));
      expect(await store.transport(transportId)).toStrictEqual(trimmed);
    });

    it("is refused after a message that came again", async () => {
      const connection = await connectStateful();
      await counted(connection.transportId, 3);
      await takeOver(connection);
      const seen = await reopen(id("next"), { expected: ["print2"] });
      if (seen === undefined) throw new Error("It is not open.");
      const repeated = await store.tally(id("next"), seen, changeOf(seen, { recent: [receiptOf(2)], expected: [] }));
      await store.trim(id("next"), trimOf(seen, 0, 2));
      expect(await store.transport(id("next"))).toStrictEqual(repeated);
    });

    it("notes what is acknowledged also when nothing is remembered", async () => {
      const connection = await connectStateful();
      await counted(connection.transportId, 3);
      await takeOver(connection);
      const seen = await reopen(id("next"), { expected: [] });
      if (seen === undefined) throw new Error("It is not open.");
      await store.trim(id("next"), trimOf(seen, 0, 3));
      expect((await store.transport(id("next")))?.tally).toStrictEqual({ ...seen.tally, acknowledged: 3 });
      const trimmed = await store.transport(id("next"));
      if (trimmed === undefined) throw new Error("It is not there.");
      expect(await store.release(id("next"), "reopener", 0, false, trimOf(trimmed, 0, 3))).toBe(true);
    });

    it("loses no message to a race: it is refused, or the message stands behind", async () => {
      const { transportId } = await connectStateful();
      for (let round = 0; round < 20; round++) {
        const seen = await counted(transportId, 3);
        const { received, recent } = seen.tally;
        const [, state] = await Promise.all([
          store.trim(transportId, trimOf(seen, recent.length, received)),
          store.touch(transportId, NOW, [receiptOf(100 + round)]),
        ]);
        const now = await store.transport(transportId);
        if (now === undefined) throw new Error("It is not there.");
        expect(now.tally.received).toBe(received + 1);
        expect(now.tally.recent.at(-1)).toStrictEqual(receiptOf(100 + round));
        const trimmed = now.tally.acknowledged === received;
        expect(now.tally.recent).toHaveLength(trimmed ? 1 : recent.length + 1);
        expect(state).toBeDefined();
        // There is room for so many.
        await store.trim(transportId, trimOf(now, now.tally.recent.length, received + 1));
      }
    });

    it("is done by one of 50 that have seen the same", async () => {
      const { transportId } = await connectStateful();
      const seen = await counted(transportId, 50);
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => store.trim(transportId, trimOf(seen, index + 1, index + 1))),
      );
      const { acknowledged, recent } = (await store.transport(transportId))?.tally ?? NOTHING_COUNTED;
      expect(recent).toStrictEqual(seen.tally.recent.slice(acknowledged));
    });
  });

  describe("release, and what was acknowledged", () => {
    async function held(messages: number): Promise<TransportState> {
      const { transportId } = await connectStateful();
      await counted(transportId, messages);
      const invocations = [{ id: "1", target: "a" }];
      const state = await store.take(transportId, NOW, { ...turnOf("holder"), invocations });
      if (state === undefined) throw new Error("It is not taken.");
      return state;
    }

    it.each<[string, { acknowledged: number } | "forget" | undefined, Partial<Tally>]>([
      ["notes it", { acknowledged: 2 }, { acknowledged: 2 }],
      ["forgets all receipts", "forget", { recent: [] }],
      ["leaves all as it was", undefined, {}],
    ])("lets go of the turn and %s in one step", async (_title, tally, expected) => {
      const seen = await held(3);
      await store.count(seen.transportId);
      expect(await store.release(seen.transportId, "holder", 1, false, tally)).toBe(true);
      const free = { ...seen, turn: undefined, waiting: 0, tally: { ...seen.tally, ...expected } };
      expect(await store.transport(seen.transportId)).toStrictEqual(free);
    });

    it.each([{ acknowledged: 0 }, "forget"] as const)("opens the connection in the same step (%j)", async (tally) => {
      const { transportId } = await accept({ stateful: true });
      await store.take(transportId, NOW, turnOf("holder"));
      expect(await store.release(transportId, "holder", 0, true, tally)).toBe(true);
      expect(await store.transport(transportId)).toMatchObject({ phase: "open", turn: undefined });
    });

    it.each<[string, (seen: TransportState) => Promise<unknown>]>([
      ["a frame was counted", ({ transportId }) => store.count(transportId)],
      ["the turn was stolen", ({ transportId, turn }) => store.steal(transportId, turnOf("thief"), turn)],
    ])("is refused wholly when %s", async (_title, change) => {
      const seen = await held(3);
      await change(seen);
      const changed = await store.transport(seen.transportId);
      expect(await store.release(seen.transportId, "holder", 0, false, { acknowledged: 2 })).toBe(false);
      expect(await store.transport(seen.transportId)).toStrictEqual(changed);
    });

    it("lets the holder finish when it is to end", async () => {
      const seen = await held(3);
      await store.markEnd(seen.transportId, LOST, 0);
      expect(await store.release(seen.transportId, "holder", 0, false, { acknowledged: 2 })).toBe(true);
    });
  });
}
