// How a client that comes back finds its connection, and stops the transport it had.

import { describe, expect, it } from "vitest";
import type { NewConnection } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { HOSTILE_NAMES } from "./hostile-names.ts";
import {
  changeOf,
  claimOf,
  EMPTY,
  HANDSHAKE,
  LOST,
  NOW,
  printOf,
  receiptOf,
  STOPPED,
  trimOf,
  turnOf,
} from "./samples.ts";

export function freezingSuite(harness: Harness): void {
  const { accept, connect, connectResumable, connectStateful, end, freeze, id, newConnection, reopen, store } = harness;

  describe("a resume key", () => {
    it("names the connection that was opened with it, until it is cleared", async () => {
      const connection = await connectResumable();
      expect(await store.connectionOfKey(id("key"))).toBe(connection.connectionId);
      expect(await store.connection(connection.connectionId)).toMatchObject({ resumeKey: id("key"), outbox: EMPTY });
      expect(await store.transport(connection.transportId)).toMatchObject({ resumable: true, lost: false });
      await end(connection);
      expect(await store.connectionOfKey(id("key"))).toBeUndefined();
    });

    it("names the last of two connections, and the end of the first leaves it alone", async () => {
      const first = await connectResumable();
      const second = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
      await end(first);
      expect(await store.connectionOfKey(id("key"))).toBe(second.connectionId);
      await end(second, "another");
      expect(await store.connectionOfKey(id("key"))).toBeUndefined();
    });

    it("names nothing any more from the moment its connection is buried", async () => {
      const connection = await connectResumable();
      const first = await store.bury(connection.connectionId, NOW + 60_000);
      expect(first).toMatchObject({ ended: true, resumeKey: id("key") });
      expect(await store.connectionOfKey(id("key"))).toBeUndefined();
      const second = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
      expect(await store.bury(connection.connectionId, NOW + 60_000)).toStrictEqual(first);
      expect(await store.connectionOfKey(id("key"))).toBe(second.connectionId);
    });

    it("is not written by a connection id that is taken", async () => {
      await connect();
      expect(await store.accept(newConnection({ transportId: id("second"), resumeKey: id("key") }))).toBe("taken");
      expect(await store.connectionOfKey(id("key"))).toBeUndefined();
    });

    it.each(HOSTILE_NAMES)("may have any name: %j", async (name) => {
      const resumeKey = `${id("")}${name}`;
      const connection = await connectResumable({ resumeKey });
      expect(await store.connectionOfKey(resumeKey)).toBe(connection.connectionId);
      await end(connection);
      expect(await store.connectionOfKey(resumeKey)).toBeUndefined();
    });
  });

  describe("freeze by a client that goes on", () => {
    it.each<[string, (transportId: string) => Promise<unknown>, boolean]>([
      ["was heard after that", (name) => store.touch(name, NOW + 1), true],
      ["was not heard after that", (name) => store.touch(name, NOW), false],
      ["lost its transport", (name) => store.lose(name, NOW - 60_000), true],
      ["left its transport", (name) => store.lose(name, NOW + 60_000, true), false],
    ])("is for one that %s", async (_title, change, isGranted) => {
      const { transportId } = await connectStateful();
      await change(transportId);
      const before = await store.transport(transportId);
      const frozen = await store.freeze(transportId, id("next"), NOW + 35_000, NOW);
      expect(frozen).toStrictEqual(isGranted ? { ...before, next: id("next"), deadline: NOW + 35_000 } : undefined);
      // Whoever begins anew may.
      expect(await store.freeze(transportId, id("next"), NOW + 35_000)).toBeDefined();
    });

    it("made twice is one", async () => {
      const { transportId } = await connectStateful();
      const first = await store.freeze(transportId, id("next"), NOW + 1, NOW + 10);
      expect(first).toBeDefined();
      expect(await store.freeze(transportId, id("next"), NOW + 1, NOW + 10)).toStrictEqual(first);
    });
  });

  describe("freeze", () => {
    it("stops a transport in favour of the next", async () => {
      const connection = await connectResumable();
      const before = await store.transport(connection.transportId);
      const frozen = await freeze(connection);
      expect(frozen).toStrictEqual({
        ...before,
        next: id("next"),
        deadline: NOW + 35_000,
        previousDeadline: frozen.previousDeadline,
      });
      expect(await store.transport(connection.transportId)).toStrictEqual(frozen);
    });

    it("takes the notes of the turn along: none is written here any more", async () => {
      const connection = await connectResumable();
      await store.take(connection.transportId, NOW, turnOf("holder"));
      await freeze(connection);
      expect(await store.note(connection.transportId, "holder", [{ id: "1", target: "a" }])).toBe(false);
      expect((await store.transport(connection.transportId))?.turn).toStrictEqual(turnOf("holder"));
    });

    it("has one winner among 50", async () => {
      const { transportId } = await connectResumable();
      const nexts = Array.from({ length: 50 }, (_, index) => id(`next ${index}`));
      const states = await Promise.all(nexts.map((next) => store.freeze(transportId, next, NOW + 35_000)));
      expect(states.filter((state) => state !== undefined)).toHaveLength(1);
      const winner = nexts[states.findIndex((state) => state !== undefined)];
      expect((await store.transport(transportId))?.next).toBe(winner);
    });

    it("is one freeze when it is made twice, as by a retry of the SDK", async () => {
      const connection = await connectResumable();
      expect(await freeze(connection)).toMatchObject({ next: id("next") });
      expect(await freeze(connection)).toMatchObject({ next: id("next") });
    });

    it.each<[string, () => Promise<NewConnection>]>([
      ["has no resume key", () => connect()],
      ["is not open yet", () => accept({ resumeKey: id("key") })],
      [
        "is to end",
        async () => {
          const connection = await connectResumable();
          await store.markEnd(connection.transportId, LOST, 0);
          return connection;
        },
      ],
      [
        "has ended",
        async () => {
          const connection = await connectResumable();
          await store.claimEnd(claimOf(connection));
          return connection;
        },
      ],
    ])("is refused when the connection %s", async (_title, open) => {
      const connection = await open();
      const before = await store.transport(connection.transportId);
      expect(await store.freeze(connection.transportId, id("next"), NOW + 35_000)).toBeUndefined();
      expect(await store.transport(connection.transportId)).toStrictEqual(before);
    });

    it("makes every verb refuse the transport, whoever has the turn", async () => {
      const connection = await connectResumable();
      const { transportId } = connection;
      const holder = turnOf("holder");
      await store.take(transportId, NOW + 30_000, holder, [receiptOf(1)]);
      await store.count(transportId);
      const frozen = await freeze(connection);
      expect(await store.touch(transportId, NOW + 40_000)).toBeUndefined();
      expect(await store.touch(transportId, NOW + 40_000, [receiptOf(2)])).toBeUndefined();
      expect(await store.take(transportId, NOW + 40_000, turnOf("next"))).toBeUndefined();
      expect(await store.take(transportId, NOW + 40_000, turnOf("next"), [receiptOf(2)])).toBeUndefined();
      expect(await store.tally(transportId, frozen, changeOf(frozen, { received: 2 }))).toBeUndefined();
      await store.trim(transportId, trimOf(frozen, 1));
      expect(await store.count(transportId)).toBeUndefined();
      expect(await store.steal(transportId, turnOf("thief"), holder)).toBe(false);
      expect(await store.release(transportId, "holder", 1, false)).toBe(false);
      expect(await store.release(transportId, "holder", 1, false, trimOf(frozen, 1))).toBe(false);
      expect(await store.release(transportId, "holder", 1, true)).toBe(false);
      expect(await store.open(transportId, "holder")).toBe(false);
      expect(await reopen(transportId, HANDSHAKE)).toBeUndefined();
      expect(await reopen(transportId, { expected: [] })).toBeUndefined();
      expect(await store.lose(transportId, NOW)).toBeUndefined();
      await store.yieldTurn(transportId, "holder");
      await store.markLost(transportId);
      expect(await store.markEnd(transportId, STOPPED, 0)).toBeUndefined();
      expect(await store.claimEnd(claimOf(connection))).toBeUndefined();
      expect(await store.freeze(transportId, id("another"), NOW)).toBeUndefined();
      expect(await store.transport(transportId)).toStrictEqual(frozen);
    });

    it("loses no count to a race: it goes along, or is refused", async () => {
      for (let round = 0; round < 10; round++) {
        const { transportId } = await connectResumable({
          transportId: id(`t${round}`),
          connectionId: id(`c${round}`),
        });
        const [frozen, ...counts] = await Promise.all([
          store.freeze(transportId, id(`n${round}`), NOW + 35_000),
          ...Array.from({ length: 5 }, () => store.count(transportId)),
        ]);
        expect(frozen?.waiting).toBe(counts.filter((state) => state !== undefined).length);
      }
    });

    it("loses no message to a race: its count goes along, or it is refused", async () => {
      for (let round = 0; round < 10; round++) {
        const { transportId } = await connectStateful({
          transportId: id(`t${round}`),
          connectionId: id(`c${round}`),
        });
        const [frozen, ...states] = await Promise.all([
          store.freeze(transportId, id(`n${round}`), NOW + 35_000),
          ...Array.from({ length: 5 }, (_, index) => store.touch(transportId, NOW, [receiptOf(index)])),
        ]);
        const counted = [0, 1, 2, 3, 4].filter((index) => states[index] !== undefined).map(printOf);
        expect(frozen?.tally.received).toBe(counted.length);
        expect(frozen?.tally.recent.map(({ fingerprint }) => fingerprint).sort()).toEqual(counted.sort());
      }
    });

    it("lets one of freeze and claimEnd win", async () => {
      for (let round = 0; round < 10; round++) {
        const connection = await connectResumable({ transportId: id(`t${round}`), connectionId: id(`c${round}`) });
        const [frozen, claimed] = await Promise.all([
          store.freeze(connection.transportId, id(`n${round}`), NOW + 35_000),
          store.claimEnd(claimOf(connection)),
        ]);
        expect([frozen, claimed].filter((state) => state !== undefined)).toHaveLength(1);
      }
    });
  });

  describe("thaw", () => {
    it("takes back its own freeze, not another's", async () => {
      const connection = await connectResumable();
      const frozen = await freeze(connection);
      await store.thaw(connection.transportId, id("another"));
      expect(await store.transport(connection.transportId)).toStrictEqual(frozen);
      await store.thaw(connection.transportId, id("next"));
      expect(await store.transport(connection.transportId)).toStrictEqual({ ...frozen, next: undefined });
      expect(await store.touch(connection.transportId, NOW + 40_000)).toBeDefined();
    });
  });
}
