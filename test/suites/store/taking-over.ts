// What a transport takes over from the one before.

import { describe, expect, it } from "vitest";
import type { Harness } from "./harness.ts";
import { HOSTILE_NAMES } from "./hostile-names.ts";
import {
  frozenOf,
  HUB,
  NOTHING_COUNTED,
  NOW,
  QUIET_UNTIL,
  receiptOf,
  sessionOf,
  takeoverOf,
  trimOf,
  turnOf,
} from "./samples.ts";

export function takingOverSuite(harness: Harness): void {
  const { connectResumable, connectStateful, counted, freeze, id, numberAndPut, reopen, rows, store, takeOver } =
    harness;

  describe("takeOver", () => {
    it("brings a transport that waits for its handshake, with the turn and the count of the one before", async () => {
      const connection = await connectResumable();
      const { transportId, connectionId } = connection;
      await store.take(transportId, NOW, { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] });
      await store.count(transportId);
      const taken = await takeOver(connection);
      expect(taken).toStrictEqual({
        ...taken,
        transportId: id("next"),
        connectionId,
        hub: HUB,
        phase: "open",
        deadline: NOW + 15_000,
        rotateAt: NOW + 6_600_000,
        turn: turnOf("holder"),
        waiting: 1,
        resumable: true,
        resuming: true,
        lost: false,
        next: undefined,
        end: undefined,
      });
      expect(await store.connection(connectionId)).toMatchObject({
        transportId: id("next"),
        outbox: { last: 0, sent: 0, flusher: id("next"), flushingSince: NOW },
      });
    });

    it("is authenticated until its own token expires, whatever the one before was", async () => {
      const connection = await connectResumable({ authenticatedUntil: NOW + 1 });
      expect(await takeOver(connection, id("next"), { authenticatedUntil: NOW + 2 })).toMatchObject({
        authenticatedUntil: NOW + 2,
      });
      const again = { ...connection, transportId: id("next") };
      expect((await takeOver(again, id("last")))?.authenticatedUntil).toBeUndefined();
    });

    it("takes the counts of a stateful client over, and the notes of what it still waits for", async () => {
      const connection = await connectStateful();
      const { transportId, connectionId } = connection;
      const invocations = HOSTILE_NAMES.slice(0, 8).map((name) => ({ id: name, target: name }));
      await store.take(transportId, NOW, { ...turnOf("holder"), invocations });
      await store.trim(transportId, trimOf(await counted(transportId, 5), 2, 3));
      const taken = await takeOver(connection, id("next"), { issuedAt: NOW + 1 });
      const tally = {
        received: 5,
        acknowledged: 3,
        recent: [2, 3, 4].map((index) => receiptOf(index)),
        expected: [],
        quietUntil: 0,
      };
      expect(taken).toMatchObject({
        stateful: true,
        handshakes: 1,
        base: 0,
        turn: { holder: "holder", invocations },
      });
      expect(taken.tally).toStrictEqual(tally);
      expect(await store.connection(connectionId)).toMatchObject({
        stateful: true,
        issuedAt: NOW + 1,
        handshakes: 1,
      });
    });

    it("takes over what is expected still, where the outbox begins, and how many handshakes there were", async () => {
      const connection = await connectStateful();
      await takeOver(connection);
      await reopen(id("next"), { base: 7 });
      await counted(id("next"), 3);
      const second = await takeOver({ ...connection, transportId: id("next") }, id("third"));
      expect(second).toMatchObject({
        handshakes: 2,
        base: 7,
        replay: { after: 7, upTo: 7 },
        tally: { received: 3, expected: [] },
      });
      const replay = { after: 8, upTo: 11 };
      const reopened = await reopen(id("third"), { expected: ["*2", "1x2y"], replay });
      const third = await takeOver({ ...connection, transportId: id("third") }, id("fourth"));
      expect(third).toMatchObject({ handshakes: 2, base: 7, replay });
      const tally = { ...NOTHING_COUNTED, received: 3, expected: ["*2", "1x2y"] };
      expect(reopened?.tally).toStrictEqual({ ...tally, quietUntil: QUIET_UNTIL });
      expect(third.tally).toStrictEqual(tally);
    });

    it.each([
      [false, true],
      [true, false],
    ])("may bring a client that counts, or no longer does: before %s, now %s", async (before, now) => {
      const connection = await connectResumable({ stateful: before, issuedAt: NOW });
      const invocations = [{ id: "1", target: "a" }];
      await store.take(connection.transportId, NOW, { ...turnOf("holder"), invocations });
      const taken = await takeOver(connection, id("next"), { stateful: now, issuedAt: NOW + 5 });
      expect(taken).toMatchObject({ stateful: now, turn: { invocations: before ? invocations : [] } });
      expect(await store.connection(connection.connectionId)).toMatchObject({ stateful: now, issuedAt: NOW + 5 });
    });

    it("leaves the outbox where it was, for the client that says what it has", async () => {
      const connection = await connectStateful();
      const { connectionId, transportId } = connection;
      await numberAndPut(connectionId, "first", 10);
      await numberAndPut(connectionId, "first", 20);
      await store.acknowledge(connectionId, transportId, 1, 1_000);
      await store.leaveFlush(connectionId, "first", 2, "left");
      await takeOver(connection);
      expect((await store.connection(connectionId))?.outbox).toStrictEqual({
        last: 2,
        sent: 2,
        acknowledged: 1,
        bytes: 30,
        flusher: id("next"),
        flushingSince: NOW,
      });
    });

    it("takes the session over: who it is now, and the items as they were", async () => {
      const connection = await connectResumable();
      await store.saveItems(connection.transportId, { a: "1", b: "2" });
      const session = { ...sessionOf({ userIdentifier: "ada" }), request: { query: { room: "2" }, headers: {} } };
      const from = await freeze(connection);
      await store.takeOver({ ...takeoverOf(from, id("next")), session });
      expect(await store.session(id("next"))).toEqual({ ...session, items: { a: "1", b: "2" } });
      expect(await store.session(connection.transportId)).toBeUndefined();
      expect(await store.saveItems(connection.transportId, { c: "3" })).toBe(false);
    });

    it("is one when it is made twice, as by a retry", async () => {
      const connection = await connectResumable();
      const from = await freeze(connection);
      expect(await store.takeOver(takeoverOf(from, id("next")))).toBe(true);
      expect(await store.connection(connection.connectionId)).toMatchObject({ transportId: id("next") });
    });

    it("can go on from one transport to the next", async () => {
      const connection = await connectResumable();
      await takeOver(connection);
      const second = { ...connection, transportId: id("next") };
      await takeOver(second, id("third"));
      expect((await store.connection(connection.connectionId))?.transportId).toBe(id("third"));
      expect((await store.transport(id("next")))?.next).toBe(id("third"));
    });

    it("leaves nothing behind when the connection has ended or moved", async () => {
      const connection = await connectResumable();
      const from = await freeze(connection);
      await store.bury(connection.connectionId, NOW + 60_000);
      const before = await rows();
      expect(await store.takeOver(takeoverOf(from, id("next")))).toBe(false);
      expect(await rows()).toEqual(before);
      const moved = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
      await takeOver(moved, id("n2"));
      const after = await rows();
      const stale = { ...frozenOf(id("c2")), transportId: id("t2 before") };
      expect(await store.takeOver(takeoverOf(stale, id("n3")))).toBe(false);
      expect(await rows()).toEqual(after);
    });

    it("leaves nothing behind of a race with bury", { timeout: 60_000 }, async () => {
      for (let round = 0; round < 20; round++) {
        const before = (await rows()).length;
        const connection = await connectResumable({
          transportId: id(`t${round}`),
          connectionId: id(`c${round}`),
          resumeKey: id(`k${round}`),
        });
        const next = id(`n${round}`);
        const from = await freeze(connection, next);
        const [taken, buried] = await Promise.all([
          store.takeOver(takeoverOf(from, next)),
          store.bury(connection.connectionId, NOW + 60_000),
        ]);
        if (buried === undefined) throw new Error("It is not buried.");
        expect((await store.transport(next)) !== undefined).toBe(taken);
        expect((await store.session(next)) !== undefined).toBe(taken);
        await store.clear(buried);
        await store.dropReplaced(connection.transportId);
        if (taken) await store.dropUnused(next);
        expect(await rows()).toHaveLength(before + 1);
      }
    });

    it("loses no item that is written meanwhile", { timeout: 60_000 }, async () => {
      for (let round = 0; round < 20; round++) {
        const connection = await connectResumable({ transportId: id(`t${round}`), connectionId: id(`c${round}`) });
        await store.saveItems(connection.transportId, { old: "1", gone: "1" });
        const next = id(`n${round}`);
        const from = await freeze(connection, next);
        // As a caller does: to the transport it knows, then to the next.
        const save = async (changes: Record<string, string | undefined>): Promise<void> => {
          if (!(await store.saveItems(connection.transportId, changes))) await store.saveItems(next, changes);
        };
        const saves = async (): Promise<void> => {
          for (let index = 0; index < 10; index++) await save({ [`key ${index}`]: "1" });
          await save({ gone: undefined });
        };
        await Promise.all([store.takeOver(takeoverOf(from, next)), saves()]);
        const items = (await store.session(next))?.items ?? {};
        expect(Object.keys(items).sort()).toEqual(["old", ...Array.from({ length: 10 }, (_, i) => `key ${i}`)].sort());
      }
    });
  });
}
