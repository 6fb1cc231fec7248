// How a connection that was taken over opens again, is lost again, and what that leaves.

import { describe, expect, it } from "vitest";
import type { Receipt, TransportState, Turn } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import {
  HANDSHAKE,
  LOST,
  NO_REPLAY,
  NOTHING_COUNTED,
  NOW,
  QUIET_UNTIL,
  receiptOf,
  TIMES,
  trimOf,
  turnOf,
} from "./samples.ts";

export function reopeningSuite(harness: Harness): void {
  const { accept, connect, connectResumable, connectStateful, counted, freeze, id, reopen, store, takeOver } = harness;

  describe("reopen", () => {
    it("dispatches again, once", async () => {
      await takeOver(await connectResumable());
      const states = await Promise.all(Array.from({ length: 50 }, () => reopen(id("next"), HANDSHAKE)));
      const winners = states.filter((state) => state !== undefined);
      expect(winners).toHaveLength(1);
      expect(winners[0]).toMatchObject({ resuming: false, phase: "open", handshakes: 2 });
    });

    it.each([{ base: 1 }, { expected: [], replay: NO_REPLAY }, { expected: ["print1"], replay: NO_REPLAY }])(
      "takes the turn if nobody has it: %j",
      async (by) => {
        const connection = await connectStateful();
        await counted(connection.transportId, 2);
        await takeOver(connection);
        const turn = turnOf("reopener", NOW + 77_000);
        expect((await store.reopen(id("next"), by, turn, TIMES))?.turn).toStrictEqual(turn);
        await takeOver({ ...connection, transportId: id("next") }, id("third"));
        expect((await store.reopen(id("third"), by, turnOf("another"), TIMES))?.turn).toStrictEqual(turn);
        expect((await store.transport(id("third")))?.turn).toStrictEqual(turn);
      },
    );

    it("lets one of a handshake and a Sequence win", async () => {
      for (let round = 0; round < 10; round++) {
        const connection = await connectStateful({ transportId: id(`t${round}`), connectionId: id(`c${round}`) });
        await counted(connection.transportId, 2);
        await takeOver(connection, id(`n${round}`));
        const [anew, goesOn] = await Promise.all([
          reopen(id(`n${round}`), { base: 1 }),
          reopen(id(`n${round}`), { expected: ["print"] }),
        ]);
        expect([anew, goesOn].filter((state) => state !== undefined)).toHaveLength(1);
        expect(await store.transport(id(`n${round}`))).toStrictEqual(anew ?? goesOn);
        const goneOn = { received: 2, expected: ["print"] };
        expect((anew ?? goesOn)?.tally).toStrictEqual({
          ...NOTHING_COUNTED,
          ...(anew === undefined && goneOn),
          quietUntil: QUIET_UNTIL,
        });
      }
    });

    it("by a handshake counts anew, and forgets what its client has given up on", async () => {
      const connection = await connectStateful();
      const turn: Turn = { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] };
      await store.take(connection.transportId, NOW, turn);
      await store.count(connection.transportId);
      await store.trim(connection.transportId, trimOf(await counted(connection.transportId, 5), 2, 3));
      const taken = await takeOver(connection);
      const reopened = await reopen(id("next"), { base: 12 });
      expect(reopened).toStrictEqual({
        ...taken,
        deadline: TIMES.deadline,
        previousDeadline: taken?.deadline,
        resuming: false,
        handshakes: 2,
        base: 12,
        replay: { after: 12, upTo: 12 },
        tally: { ...NOTHING_COUNTED, quietUntil: QUIET_UNTIL },
        turn: turnOf("holder"),
      });
      expect(await store.transport(id("next"))).toStrictEqual(reopened);
      // The notes of the next frame are not the holder's.
      const late: Turn = { ...turnOf("late"), invocations: [{ id: "2", target: "b" }] };
      expect((await store.take(id("next"), NOW, late))?.turn).toStrictEqual(turnOf("holder"));
    });

    it("by a handshake also forgets what was expected still", async () => {
      const connection = await connectStateful();
      await counted(connection.transportId, 2);
      await takeOver(connection);
      await reopen(id("next"), { expected: ["a", "b"] });
      await takeOver({ ...connection, transportId: id("next") }, id("third"));
      const anew = { ...NOTHING_COUNTED, quietUntil: QUIET_UNTIL };
      expect((await reopen(id("third"), { base: 0 }))?.tally).toStrictEqual(anew);
      expect((await store.touch(id("third"), NOW, [receiptOf(1)]))?.tally.received).toBe(1);
    });

    it("by a Sequence goes on with the counts, and with what the client still waits for", async () => {
      const connection = await connectStateful();
      const turn: Turn = { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] };
      await store.take(connection.transportId, NOW, turn);
      await store.trim(connection.transportId, trimOf(await counted(connection.transportId, 5), 0, 3));
      const taken = await takeOver(connection);
      const replay = { after: 3, upTo: 9 };
      const reopened = await reopen(id("next"), { expected: ["*1", "print4"], replay });
      const counts = { received: 5, acknowledged: 3, expected: ["*1", "print4"] };
      const tally = { ...NOTHING_COUNTED, ...counts, quietUntil: QUIET_UNTIL };
      expect(reopened).toStrictEqual({
        ...taken,
        deadline: TIMES.deadline,
        previousDeadline: taken?.deadline,
        resuming: false,
        replay,
        tally,
      });
      expect(reopened).toMatchObject({ handshakes: 1, base: 0, turn });
      expect(await store.transport(id("next"))).toStrictEqual(reopened);
    });

    it("by a Sequence with nothing to repeat counts at once", async () => {
      const connection = await connectStateful();
      await counted(connection.transportId, 2);
      await takeOver(connection);
      const reopened = await reopen(id("next"), { expected: [] });
      const tally = { ...NOTHING_COUNTED, received: 2, quietUntil: QUIET_UNTIL };
      expect(reopened?.tally).toStrictEqual(tally);
      expect((await store.touch(id("next"), NOW, [receiptOf(9)]))?.tally).toStrictEqual({
        ...tally,
        received: 3,
        recent: [receiptOf(9)],
      });
    });

    it("is refused to a transport that nobody resumed, and to one that is to end, was lost, or taken over", async () => {
      const connection = await connectResumable();
      expect(await reopen(connection.transportId, HANDSHAKE)).toBeUndefined();
      await takeOver(connection);
      await store.lose(id("next"), NOW + 30_000);
      expect(await reopen(id("next"), HANDSHAKE)).toBeUndefined();
      expect(await reopen(id("next"), { expected: ["a"] })).toBeUndefined();
      await takeOver({ ...connection, transportId: id("next") }, id("third"));
      expect(await reopen(id("next"), HANDSHAKE)).toBeUndefined();
      const marked = await store.markEnd(id("third"), LOST, 0);
      expect(await reopen(id("third"), HANDSHAKE)).toBeUndefined();
      expect(await reopen(id("third"), { expected: ["a"] })).toBeUndefined();
      expect(await store.transport(id("third"))).toStrictEqual(marked);
    });
  });

  describe("lose", () => {
    it("says so to one of 50, and gives the client its time", async () => {
      const { transportId } = await connectResumable();
      const states = await Promise.all(Array.from({ length: 50 }, () => store.lose(transportId, NOW + 60_000)));
      const winners = states.filter((state) => state !== undefined);
      expect(winners).toHaveLength(1);
      expect(winners[0]).toMatchObject({ lost: true, deadline: NOW + 60_000 });
      expect(await store.transport(transportId)).toStrictEqual(winners[0]);
    });

    it.each<[string, (transportId: string, receipts?: Receipt[]) => Promise<TransportState | undefined>]>([
      ["passes the turn", (transportId, receipts) => store.touch(transportId, NOW + 90_000, receipts)],
      ["takes it", (transportId, receipts) => store.take(transportId, NOW + 90_000, turnOf("holder"), receipts)],
    ])("is not taken back by a frame that %s, which is refused", async (_title, arrive) => {
      const { transportId } = await connectStateful();
      const lost = await store.lose(transportId, NOW + 60_000);
      expect(await arrive(transportId)).toBeUndefined();
      expect(await arrive(transportId, [receiptOf(1)])).toBeUndefined();
      expect(await store.transport(transportId)).toStrictEqual(lost);
    });

    it("loses no message to a race: it is counted, or refused", async () => {
      for (let round = 0; round < 10; round++) {
        const { transportId } = await connectStateful({
          transportId: id(`t${round}`),
          connectionId: id(`c${round}`),
        });
        const [lost, ...states] = await Promise.all([
          store.lose(transportId, NOW + 60_000),
          ...Array.from({ length: 5 }, (_, index) => store.touch(transportId, NOW, [receiptOf(index)])),
        ]);
        expect(lost?.tally.received).toBe(states.filter((state) => state !== undefined).length);
        expect(await store.transport(transportId)).toStrictEqual(lost);
      }
    });

    it("is refused before it is open, and when it is to end", async () => {
      const { transportId } = await accept({ resumeKey: id("key") });
      expect(await store.lose(transportId, NOW)).toBeUndefined();
      const open = await connectResumable({ transportId: id("open"), connectionId: id("open") });
      await store.markEnd(open.transportId, LOST, 0);
      expect(await store.lose(open.transportId, NOW)).toBeUndefined();
    });

    it("does not keep its client from coming back", async () => {
      const connection = await connectResumable();
      await store.lose(connection.transportId, NOW + 60_000);
      expect(await takeOver(connection)).toMatchObject({ lost: false, resuming: true });
    });
  });

  describe("what a resume leaves", () => {
    it("is removed: a transport nobody took up, with its session, but none that was", async () => {
      await takeOver(await connectResumable());
      await reopen(id("next"), HANDSHAKE);
      await store.dropUnused(id("next"));
      expect(await store.transport(id("next"))).toBeDefined();
      const other = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
      await takeOver(other, id("n2"));
      await store.dropUnused(id("n2"));
      expect(await store.transport(id("n2"))).toBeUndefined();
      expect(await store.session(id("n2"))).toBeUndefined();
    });

    it("is removed: a transport that was taken over, with a session that was left, but none that was not", async () => {
      const connection = await connectResumable();
      await freeze(connection);
      await store.dropReplaced(connection.transportId);
      expect(await store.transport(connection.transportId)).toBeUndefined();
      expect(await store.session(connection.transportId)).toBeUndefined();
      const other = await connect({ transportId: id("t2"), connectionId: id("c2") });
      await store.dropReplaced(other.transportId);
      expect(await store.transport(other.transportId)).toBeDefined();
    });
  });

  describe("yieldTurn", () => {
    it("gives up its own turn while the handshake is owed, and keeps the count", async () => {
      const connection = await connectResumable();
      await store.take(connection.transportId, NOW, turnOf("holder"));
      await store.count(connection.transportId);
      await takeOver(connection);
      await store.yieldTurn(id("next"), "another");
      expect((await store.transport(id("next")))?.turn?.holder).toBe("holder");
      await store.yieldTurn(id("next"), "holder");
      expect(await store.transport(id("next"))).toMatchObject({ turn: undefined, waiting: 1 });
    });

    it("is refused once the handshake has come, which may rely on the holder", async () => {
      const connection = await connectResumable();
      await store.take(connection.transportId, NOW, turnOf("holder"));
      await takeOver(connection);
      await reopen(id("next"), HANDSHAKE);
      await store.yieldTurn(id("next"), "holder");
      expect((await store.transport(id("next")))?.turn?.holder).toBe("holder");
    });
  });
}
