// How messages of a stateful client are counted, each once.

import { describe, expect, it } from "vitest";
import type { Receipt, TallyChange, TransportState, Turn } from "../../../lambdas/hub/index.ts";
import { MOST_RECEIPTS } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { changeOf, HANDSHAKE, LOST, NOTHING_COUNTED, NOW, printOf, receiptOf, trimOf, turnOf } from "./samples.ts";

export function countingSuite(harness: Harness): void {
  const { connectStateful, counted, id, reopen, store, takeOver } = harness;

  describe.each<[string, (transportId: string, receipts?: readonly Receipt[]) => Promise<TransportState | undefined>]>([
    ["touch", (transportId, receipts) => store.touch(transportId, NOW + 40_000, receipts)],
    ["take", (transportId, receipts) => store.take(transportId, NOW + 40_000, turnOf("holder"), receipts)],
  ])("%s with messages", (verb, arrive) => {
    it("counts them, and notes them in order behind those before", async () => {
      const { transportId } = await connectStateful();
      expect((await arrive(transportId))?.tally).toStrictEqual(NOTHING_COUNTED);
      const first = [receiptOf(3), receiptOf(1)];
      expect((await arrive(transportId, first))?.tally).toStrictEqual({
        ...NOTHING_COUNTED,
        received: 2,
        recent: first,
      });
      // Equal messages count each.
      const second = [receiptOf(2), receiptOf(2), receiptOf(0)];
      const state = await arrive(transportId, second);
      expect(state?.tally).toStrictEqual({ ...NOTHING_COUNTED, received: 5, recent: [...first, ...second] });
      expect(await store.transport(transportId)).toStrictEqual(state);
    });

    it("does what it does without", async () => {
      const { transportId } = await connectStateful();
      const before = await store.transport(transportId);
      const state = await arrive(transportId, [receiptOf(1)]);
      expect(state).toStrictEqual({
        ...before,
        deadline: NOW + 40_000,
        previousDeadline: before?.deadline,
        turn: verb === "take" ? turnOf("holder") : undefined,
        tally: { ...NOTHING_COUNTED, received: 1, recent: [receiptOf(1)] },
      });
    });

    it("keeps times to the millisecond, whatever their order", async () => {
      const { transportId } = await connectStateful();
      const receipts = [NOW, 0, 1, Date.UTC(2099, 11, 31, 23, 59, 59, 999)].map((receivedAt) => ({
        fingerprint: "1z141z3",
        frame: "f",
        receivedAt,
      }));
      expect((await arrive(transportId, receipts))?.tally.recent).toStrictEqual(receipts);
    });

    it("counts every one of 15 frames at once, each of them as one", async () => {
      const { transportId } = await connectStateful();
      const frames = Array.from({ length: 15 }, (_, index) => [receiptOf(2 * index), receiptOf(2 * index + 1)]);
      const states = await Promise.all(frames.map((frame) => arrive(transportId, frame)));
      expect(states.map((state) => state?.tally.received).sort((a = 0, b = 0) => a - b)).toEqual(
        Array.from({ length: 15 }, (_, index) => 2 * index + 2),
      );
      const { received, recent } = (await store.transport(transportId))?.tally ?? NOTHING_COUNTED;
      expect(received).toBe(30);
      // In the order in which they were counted, and a frame's messages side by side.
      for (const [index, frame] of frames.entries()) {
        const behind = states[index]?.tally.received ?? 0;
        expect(recent.slice(behind - 2, behind)).toStrictEqual(frame);
      }
    });

    it("is refused when as many are noted as there may be, unless nothing counts in it", async () => {
      const { transportId } = await connectStateful();
      const seen = await counted(transportId, MOST_RECEIPTS);
      expect(await arrive(transportId, [receiptOf(99)])).toBeUndefined();
      expect((await store.transport(transportId))?.tally).toStrictEqual(seen.tally);
      expect(await arrive(transportId)).toBeDefined();
    });

    it("is refused while its client owes a Sequence, and while it repeats unless nothing counts in it", async () => {
      const connection = await connectStateful();
      await counted(connection.transportId, 2);
      const resuming = await takeOver(connection);
      expect(await arrive(id("next"), [receiptOf(5)])).toBeUndefined();
      expect(await arrive(id("next"))).toBeUndefined();
      expect(await store.transport(id("next"))).toStrictEqual(resuming);

      await reopen(id("next"), { expected: ["print1"] });
      const repeating = await store.transport(id("next"));
      expect(await arrive(id("next"), [receiptOf(1)])).toBeUndefined();
      expect(await store.transport(id("next"))).toStrictEqual(repeating);
      expect(await arrive(id("next"))).toMatchObject({ deadline: NOW + 40_000, tally: { expected: ["print1"] } });
    });
  });

  describe("tally", () => {
    it("counts what those two refuse, by what was seen, and ends the repetition", async () => {
      const connection = await connectStateful();
      await counted(connection.transportId, 3);
      await takeOver(connection);
      const seen = await reopen(id("next"), { expected: ["*1", "print2"] });
      if (seen === undefined) throw new Error("It is not open.");
      const first = { received: 4, recent: [receiptOf(2), receiptOf(9)], expected: ["*1"] };
      const half = await store.tally(id("next"), seen, { ...first, deadline: NOW + 40_000 });
      expect(half).toStrictEqual({
        ...seen,
        deadline: NOW + 40_000,
        previousDeadline: seen.deadline,
        tally: { ...seen.tally, ...first },
      });
      expect(await store.transport(id("next"))).toStrictEqual(half);
      expect(await store.touch(id("next"), NOW, [receiptOf(3)])).toBeUndefined();
      if (half === undefined) throw new Error("It is not counted.");
      const all = { received: 4, recent: [...first.recent, receiptOf(3)], expected: [] };
      expect((await store.tally(id("next"), half, all))?.tally).toStrictEqual({ ...half.tally, ...all });
      expect((await store.touch(id("next"), NOW, [receiptOf(4)]))?.tally.received).toBe(5);
    });

    it("moves the deadline only when it is given one", async () => {
      const { transportId } = await connectStateful();
      const lost = await store.lose(transportId, NOW + 60_000);
      if (lost === undefined) throw new Error("It is not lost.");
      const receipt = { received: 1, recent: [receiptOf(1)] };
      const late = await store.tally(transportId, lost, changeOf(lost, receipt));
      expect(late).toStrictEqual({ ...lost, tally: { ...NOTHING_COUNTED, ...receipt } });
      expect(await store.transport(transportId)).toStrictEqual(late);
    });

    it("takes the turn if it is given one and nobody has it, else says who does", async () => {
      const { transportId } = await connectStateful();
      const turn: Turn = { ...turnOf("first"), invocations: [{ id: "1", target: "__proto__" }] };
      const seen = await counted(transportId, 1);
      expect((await store.tally(transportId, seen, changeOf(seen)))?.turn).toBeUndefined();
      const taken = await store.tally(transportId, seen, changeOf(seen, { turn }));
      expect(taken).toStrictEqual({ ...seen, turn });
      const late: Turn = { ...turnOf("second", NOW + 99_000), invocations: [{ id: "2", target: "b" }] };
      expect((await store.tally(transportId, seen, changeOf(seen, { turn: late })))?.turn).toStrictEqual(turn);
      expect((await store.tally(transportId, seen, changeOf(seen)))?.turn).toStrictEqual(turn);
    });

    it("keeps what was acknowledged", async () => {
      const { transportId } = await connectStateful();
      await store.trim(transportId, trimOf(await counted(transportId, 3), 1, 2));
      const seen = await store.transport(transportId);
      if (seen === undefined) throw new Error("It is not there.");
      const state = await store.tally(transportId, seen, changeOf(seen, { received: 4, expected: ["a"] }));
      expect(state?.tally).toStrictEqual({ ...seen.tally, received: 4, acknowledged: 2, expected: ["a"] });
    });

    it.each<[string, (seen: TransportState) => TransportState]>([
      ["messages were counted since", (seen) => ({ ...seen, tally: { ...seen.tally, received: 1 } })],
      ["none was counted, as it looked", (seen) => ({ ...seen, tally: NOTHING_COUNTED })],
      ["more were seen than there are", (seen) => ({ ...seen, tally: { ...seen.tally, received: 3 } })],
      ["others are expected", (seen) => ({ ...seen, tally: { ...seen.tally, expected: ["print2"] } })],
      ["fewer are expected", (seen) => ({ ...seen, tally: { ...seen.tally, expected: ["print1", "print1"] } })],
      ["some are expected", (seen) => ({ ...seen, tally: { ...seen.tally, expected: [] } })],
      ["it is not lost", (seen) => ({ ...seen, lost: true })],
      ["its client does not owe a Sequence", (seen) => ({ ...seen, resuming: true })],
    ])("is refused when %s", async (_title, misread) => {
      const connection = await connectStateful();
      await counted(connection.transportId, 2);
      await takeOver(connection);
      const seen = await reopen(id("next"), { expected: ["print1"] });
      if (seen === undefined) throw new Error("It is not open.");
      const change = changeOf(seen, { received: 9, deadline: NOW + 40_000, turn: turnOf("holder") });
      expect(await store.tally(id("next"), misread(seen), change)).toBeUndefined();
      expect(await store.transport(id("next"))).toStrictEqual(seen);
      expect(await store.tally(id("next"), seen, change)).toBeDefined();
    });

    it.each<[string, (transportId: string) => Promise<TransportState | undefined>]>([
      ["it was lost since", (transportId) => store.lose(transportId, NOW + 60_000)],
      ["its client was let in since", (transportId) => reopen(transportId, { expected: [] })],
      ["its client has shaken hands since", (transportId) => reopen(transportId, HANDSHAKE)],
      ["it was taken over since", (transportId) => store.freeze(transportId, id("third"), NOW + 35_000)],
      ["it is to end", (transportId) => store.markEnd(transportId, LOST, 0)],
    ])("is refused when %s", async (_title, change) => {
      const connection = await connectStateful();
      await counted(connection.transportId, 2);
      const seen = await takeOver(connection);
      const changed = await change(id("next"));
      expect(changed).toBeDefined();
      expect(await store.tally(id("next"), seen, changeOf(seen, { received: 3 }))).toBeUndefined();
      expect(await store.transport(id("next"))).toStrictEqual(changed);
    });

    it("counts a message once for one of 50 that have seen the same", async () => {
      const { transportId } = await connectStateful();
      await counted(transportId, 2);
      const lost = await store.lose(transportId, NOW + 60_000);
      if (lost === undefined) throw new Error("It is not lost.");
      const changes = Array.from({ length: 50 }, (_, index) =>
        changeOf(lost, { received: 3, recent: [...lost.tally.recent, receiptOf(100 + index)] }),
      );
      const states = await Promise.all(changes.map((change) => store.tally(transportId, lost, change)));
      const winners = states.filter((state) => state !== undefined);
      expect(winners).toHaveLength(1);
      expect(await store.transport(transportId)).toStrictEqual(winners[0]);
      expect(winners[0]?.tally.recent).toStrictEqual(changes[states.findIndex((state) => state !== undefined)]?.recent);
    });

    it("loses none of 50 messages when each looks again", { timeout: 60_000 }, async () => {
      const connection = await connectStateful();
      await takeOver(connection);
      await reopen(id("next"), { expected: Array.from({ length: 5 }, (_, index) => printOf(index)) });
      const arrive = async (index: number): Promise<void> => {
        for (;;) {
          const seen = await store.transport(id("next"));
          if (seen === undefined) throw new Error("It is not there.");
          const { received, recent, expected } = seen.tally;
          const repeated = expected.includes(printOf(index));
          const change: TallyChange = {
            received: repeated ? received : received + 1,
            recent: [...recent, receiptOf(index)],
            expected: expected.filter((print) => print !== printOf(index)),
          };
          if ((await store.tally(id("next"), seen, change)) !== undefined) return;
        }
      };
      // Ten at once: each round has one winner.
      for (let start = 0; start < 20; start += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, index) => arrive(start + index)));
      }
      const tally = (await store.transport(id("next")))?.tally;
      expect(tally).toMatchObject({ received: 15, expected: [] });
    });
  });
}
