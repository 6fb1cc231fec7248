// How a connection ends: marked, claimed by one, and gone but for its tombstone.

import { describe, expect, it } from "vitest";
import type { EndClaim, EndReason, NewConnection, Turn } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import {
  changeOf,
  claimOf,
  EMPTY,
  FAILED,
  frameOf,
  HUB,
  LOST,
  memberOf,
  NOTHING_READ,
  NOW,
  STOPPED,
  trimOf,
  turnOf,
} from "./samples.ts";

export function endingSuite(harness: Harness): void {
  const { accept, connect, end, id, rows, store } = harness;

  describe("markEnd", () => {
    it("asks the next sweep to end it, and refuses every further frame", async () => {
      const { transportId } = await connect();
      const marked = await store.markEnd(transportId, STOPPED, 0);
      if (marked === undefined) throw new Error("It is not marked.");
      expect(marked).toMatchObject({ phase: "open", deadline: 0, end: STOPPED });
      expect(await store.tally(transportId, marked, changeOf(marked))).toBeUndefined();
      await store.trim(transportId, trimOf(marked, 0, 1));
      expect(await store.touch(transportId, NOW + 30_000)).toBeUndefined();
      expect(await store.take(transportId, NOW + 30_000, turnOf("holder"))).toBeUndefined();
      expect(await store.count(transportId)).toBeUndefined();
      expect(await store.steal(transportId, turnOf("thief"), undefined)).toBe(false);
      expect(await store.transport(transportId)).toStrictEqual(marked);
    });

    it("keeps the first of 50 reasons", async () => {
      const { transportId } = await connect();
      const reasons = Array.from({ length: 50 }, (_, index): EndReason => ({ ...LOST, message: String(index) }));
      const marks = await Promise.all(reasons.map((reason) => store.markEnd(transportId, reason, 0)));
      const [winner, ...others] = marks.filter((mark) => mark !== undefined);
      expect(others).toEqual([]);
      expect((await store.transport(transportId))?.end).toStrictEqual(winner?.end);
    });

    it("lets the holder of the turn finish", async () => {
      const { transportId } = await connect();
      await store.take(transportId, NOW, turnOf("holder"));
      await store.markEnd(transportId, LOST, 0);
      expect(await store.release(transportId, "holder", 0, false)).toBe(true);
    });
  });

  describe("markLost", () => {
    it("asks the next sweep to end it, unless a frame proves otherwise", async () => {
      const { transportId } = await connect();
      await store.markLost(transportId);
      expect(await store.transport(transportId)).toMatchObject({ deadline: 0, end: undefined });
      expect(await store.touch(transportId, NOW + 30_000)).toMatchObject({ deadline: NOW + 30_000 });
    });

    it("takes no lease from the one who ends it", async () => {
      const connection = await connect();
      const claimed = await store.claimEnd(claimOf(connection));
      await store.markLost(connection.transportId);
      expect(await store.transport(connection.transportId)).toStrictEqual(claimed);
    });
  });

  describe("claimEnd", () => {
    it("has one winner among 50", async () => {
      const connection = await connect();
      const claims = Array.from({ length: 50 }, (_, index) => claimOf(connection, { ender: `ender ${index}` }));
      const states = await Promise.all(claims.map((claim) => store.claimEnd(claim)));
      const winners = states.filter((state) => state !== undefined);
      expect(winners).toHaveLength(1);
      expect(winners[0]).toMatchObject({ phase: "ended", deadline: NOW + 35_000, end: LOST });
      expect(await store.transport(connection.transportId)).toStrictEqual(winners[0]);
    });

    it("is one claim when it is made twice, as by a retry of the SDK", async () => {
      const connection = await connect();
      const claimed = await store.claimEnd(claimOf(connection));
      expect(await store.claimEnd(claimOf(connection))).toStrictEqual(claimed);
    });

    it("refuses frames from then on", async () => {
      const connection = await connect();
      const { transportId } = connection;
      const claimed = await store.claimEnd(claimOf(connection));
      if (claimed === undefined) throw new Error("It is not claimed.");
      expect(await store.tally(transportId, claimed, changeOf(claimed))).toBeUndefined();
      await store.trim(transportId, trimOf(claimed, 0, 1));
      expect(await store.touch(transportId, NOW)).toBeUndefined();
      expect(await store.take(transportId, NOW, turnOf("holder"))).toBeUndefined();
      expect(await store.count(transportId)).toBeUndefined();
      expect(await store.steal(transportId, turnOf("thief"), undefined)).toBe(false);
      expect(await store.markEnd(transportId, STOPPED, 0)).toBeUndefined();
      expect(await store.transport(transportId)).toStrictEqual(claimed);
    });

    const dead = turnOf("dead", NOW - 1);
    it.each<[string, (connection: NewConnection) => Promise<unknown>, EndClaim["from"], boolean]>([
      ["open, when it is", async () => {}, { phase: "open" }, true],
      ["open with the deadline that was read", async () => {}, { phase: "open", deadline: NOW + 30_000 }, true],
      ["open with a deadline that has moved", async () => {}, { phase: "open", deadline: NOW + 29_999 }, false],
      ["accepted, when it is open", async () => {}, { phase: "accepted", turn: undefined }, false],
      ["accepted, by the opener that has let go", async () => {}, { phase: "accepted", turn: turnOf("opener") }, false],
      ["ended, when it is open", async () => {}, { phase: "ended", ender: undefined, deadline: NOW + 30_000 }, false],
      [
        "open, when somebody has the turn",
        ({ transportId }) => store.take(transportId, NOW, turnOf("holder")),
        { phase: "open" },
        true,
      ],
      ["open, when it is marked", ({ transportId }) => store.markEnd(transportId, STOPPED, 0), { phase: "open" }, true],
      [
        "ended, with the ender's lease that was read",
        (connection) => store.claimEnd(claimOf(connection, { ender: "first", until: NOW - 1 })),
        { phase: "ended", ender: "first", deadline: NOW - 1 },
        true,
      ],
      [
        "ended, with another's lease",
        (connection) => store.claimEnd(claimOf(connection, { ender: "first", until: NOW - 1 })),
        { phase: "ended", ender: "another", deadline: NOW - 1 },
        false,
      ],
      [
        "ended, with a lease that was renewed",
        (connection) => store.claimEnd(claimOf(connection, { ender: "first", until: NOW })),
        { phase: "ended", ender: "first", deadline: NOW - 1 },
        false,
      ],
    ])("claims from %s", async (_title, before, from, claimed) => {
      const connection = await connect();
      await before(connection);
      expect((await store.claimEnd(claimOf(connection, { from }))) !== undefined).toBe(claimed);
    });

    it.each<[string, Turn | undefined, EndClaim["from"], boolean]>([
      ["without a turn, when nobody came", undefined, { phase: "accepted", turn: undefined }, true],
      ["without a turn, when one was taken", dead, { phase: "accepted", turn: undefined }, false],
      ["with the turn that was read", dead, { phase: "accepted", turn: dead }, true],
      ["with a turn of another time", dead, { phase: "accepted", turn: turnOf("dead", NOW) }, false],
      ["with another's turn", dead, { phase: "accepted", turn: turnOf("another", NOW - 1) }, false],
      ["as open", dead, { phase: "open" }, false],
    ])("claims from accepted %s", async (_title, turn, from, claimed) => {
      const connection = await accept();
      if (turn !== undefined) await store.take(connection.transportId, NOW, turn);
      expect((await store.claimEnd(claimOf(connection, { from }))) !== undefined).toBe(claimed);
    });

    it("keeps the reason that was marked, unless its own is silent", async () => {
      const marked = await connect();
      await store.markEnd(marked.transportId, STOPPED, 0);
      expect((await store.claimEnd(claimOf(marked)))?.end).toStrictEqual(STOPPED);

      const failed = await accept({ transportId: id("failed"), connectionId: id("failed") });
      await store.markEnd(failed.transportId, STOPPED, 0);
      const claim = claimOf(failed, { from: { phase: "accepted", turn: undefined }, reason: FAILED });
      expect((await store.claimEnd(claim))?.end).toStrictEqual(FAILED);
    });

    it("lets one of 50 finish for an ender whose lease has run out", async () => {
      const connection = await connect();
      await store.claimEnd(claimOf(connection, { ender: "first", until: NOW - 1 }));
      const from = { phase: "ended", ender: "first", deadline: NOW - 1 } as const;
      const claims = Array.from({ length: 50 }, (_, index) => claimOf(connection, { from, ender: `next ${index}` }));
      const states = await Promise.all(claims.map((claim) => store.claimEnd(claim)));
      expect(states.filter((state) => state !== undefined)).toHaveLength(1);
    });
  });

  describe("an ending", () => {
    it("leaves the tombstone alone", async () => {
      const before = await rows();
      const connection = await connect({ userIdentifier: id("ada") });
      await store.join(memberOf(connection), HUB, id("group"));
      await store.enqueue(connection.connectionId, frameOf(connection));
      await end(connection);
      expect(await rows()).toHaveLength(before.length + 1);
      expect(await store.connection(connection.connectionId)).toStrictEqual({
        connectionId: connection.connectionId,
        hub: HUB,
        transportId: connection.transportId,
        userIdentifier: id("ada"),
        ended: true,
        resumeKey: undefined,
        stateful: false,
        issuedAt: 0,
        handshakes: 1,
        outbox: EMPTY,
        protocol: undefined,
        reading: NOTHING_READ,
      });
    });

    it("can be done twice over", async () => {
      const connection = await connect({ userIdentifier: id("ada") });
      await end(connection);
      const after = await rows();
      const buried = await store.bury(connection.connectionId, NOW + 90_000);
      expect(buried).toMatchObject({ ended: true, userIdentifier: id("ada") });
      await store.dropSession(connection.transportId);
      if (buried !== undefined) await store.clear(buried);
      await store.dropTransport(connection.transportId, "ender");
      expect(await rows()).toEqual(after);
    });

    it("drops the transport of its own claim only", async () => {
      const connection = await connect();
      await store.claimEnd(claimOf(connection, { ender: "ender" }));
      await store.dropTransport(connection.transportId, "another");
      expect(await store.transport(connection.transportId)).toBeDefined();
      await store.dropTransport(connection.transportId, "ender");
      expect(await store.transport(connection.transportId)).toBeUndefined();
    });

    it("drops no transport that nobody claimed", async () => {
      const connection = await connect();
      await store.dropTransport(connection.transportId, "ender");
      expect(await store.transport(connection.transportId)).toBeDefined();
    });

    it("leaves nothing of joins that race it", { timeout: 60_000 }, async () => {
      for (let round = 0; round < 20; round++) {
        const before = await rows();
        const names = { transportId: id(`t${round}`), connectionId: id(`c${round}`), userIdentifier: id("ada") };
        const connection = await connect(names);
        const joins = Array.from({ length: 10 }, (_, index) => store.join(memberOf(connection), HUB, `race ${index}`));
        const enter = store.enter(memberOf(connection), HUB, id("ada"));
        await Promise.all([...joins, enter, end(connection)]);
        expect(await rows()).toHaveLength(before.length + 1);
        expect(await store.groups(connection.connectionId)).toEqual([]);
      }
    });
  });
}
