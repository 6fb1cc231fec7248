// What waits for a client, in the order of its numbers, and who posts it.

import { describe, expect, it } from "vitest";
import type { Harness } from "./harness.ts";
import { HOSTILE_NAMES } from "./hostile-names.ts";
import { EMPTY, flushBy, NOW, numberFor } from "./samples.ts";

export function outboxSuite(harness: Harness): void {
  const { connectResumable, connectStateful, end, id, numberAndPut, rows, store, takeOver } = harness;

  describe("the outbox", () => {
    const LIMIT = 100_000;
    const next = (connectionId: string, flusher: string, bytes = 10) =>
      store.nextNumber(connectionId, numberFor(flusher, { bytes, limit: LIMIT }));

    it("gives out numbers from 1, and makes the first sender the flusher", async () => {
      const { connectionId } = await connectResumable();
      expect(await next(connectionId, "first")).toMatchObject({
        connectionId,
        outbox: { last: 1, sent: 0, bytes: 10, flusher: "first", flushingSince: NOW },
      });
      expect(await store.nextNumber(connectionId, numberFor("second", { now: NOW + 1, bytes: 7 }))).toMatchObject({
        outbox: { last: 2, sent: 0, bytes: 17, flusher: "first", flushingSince: NOW },
      });
    });

    it("gives one number to a request that is made twice, as by a retry of the SDK, also when it is full by then", async () => {
      const { connectionId } = await connectResumable();
      const request = numberFor("sender", { bytes: LIMIT, limit: LIMIT });
      const first = await store.nextNumber(connectionId, request);
      expect(first).toMatchObject({ outbox: { last: 1, bytes: LIMIT } });
      expect(await store.nextNumber(connectionId, request)).toStrictEqual(first);
      expect(await store.nextNumber(connectionId, numberFor("another", { limit: LIMIT }))).toBe("full");
    });

    it("gives each of 50 a number of its own, and all of them one flusher", async () => {
      const { connectionId } = await connectResumable();
      const heads = await Promise.all(Array.from({ length: 50 }, (_, index) => next(connectionId, `sender ${index}`)));
      const outboxes = heads.map((head) => (typeof head === "object" ? head.outbox : undefined));
      expect(outboxes.map((outbox) => outbox?.last).sort((a = 0, b = 0) => a - b)).toEqual(
        Array.from({ length: 50 }, (_, index) => index + 1),
      );
      for (const outbox of outboxes) expect(outbox?.bytes).toBe(10 * (outbox?.last ?? 0));
      expect(new Set(outboxes.map((outbox) => outbox?.flusher)).size).toBe(1);
    });

    it("is full when as many bytes wait as it holds, and has room for as many again when all is sent", async () => {
      const { connectionId } = await connectResumable();
      await next(connectionId, "first", LIMIT - 1);
      await next(connectionId, "second", LIMIT);
      expect(await next(connectionId, "third")).toBe("full");
      expect((await store.connection(connectionId))?.outbox).toMatchObject({ last: 2, bytes: 2 * LIMIT - 1 });
      expect(await store.finishFlush(connectionId, "first", 2, LIMIT)).toBe(true);
      expect(await next(connectionId, "third", LIMIT - 1)).toMatchObject({
        outbox: { last: 3, sent: 2, flusher: "third" },
      });
      expect(await next(connectionId, "third", 1)).toMatchObject({ outbox: { last: 4 } });
      expect(await next(connectionId, "third", 0)).toBe("full");
    });

    it("has no room again when all is sent to a client that has yet to acknowledge it", async () => {
      const { connectionId } = await connectStateful();
      await next(connectionId, "first", LIMIT);
      expect(await store.finishFlush(connectionId, "first", 1, undefined)).toBe(true);
      expect(await next(connectionId, "second")).toBe("full");
    });

    it("gives out as many numbers as there is room for, to 50 at once", async () => {
      const { connectionId } = await connectStateful();
      const heads = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          store.nextNumber(connectionId, numberFor(`sender ${index}`, { bytes: 10, limit: 95 })),
        ),
      );
      expect(heads.filter((head) => head === "full")).toHaveLength(40);
      expect((await store.connection(connectionId))?.outbox).toMatchObject({ last: 10, bytes: 100 });
    });

    it("gives an answer no number when there was another handshake since it was asked for", async () => {
      const { connectionId, transportId } = await connectStateful();
      const answer = (handshakes: number, limit = LIMIT) =>
        store.nextNumber(connectionId, numberFor("flusher", { handshakes, limit }));
      expect(await answer(1)).toMatchObject({ handshakes: 1, outbox: { last: 1 } });
      expect(await answer(2)).toBeUndefined();
      expect(await store.finishFlush(connectionId, "flusher", 1, undefined)).toBe(true);
      await store.startFlush(connectionId, transportId, flushBy("new", undefined, NOW, 2));
      expect(await answer(1)).toBeUndefined();
      expect(await answer(2)).toMatchObject({ handshakes: 2, outbox: { last: 2 } });
      expect(await next(connectionId, "flusher")).toMatchObject({ outbox: { last: 3 } });
      await next(connectionId, "flusher", LIMIT);
      expect(await answer(1)).toBeUndefined();
      expect(await answer(3)).toBeUndefined();
      expect(await answer(2)).toBe("full");
      expect((await store.connection(connectionId))?.outbox.last).toBe(4);
    });

    it("gives no number of a connection that has ended", async () => {
      const connection = await connectResumable();
      const { transportId, connectionId } = connection;
      const last = await numberAndPut(connectionId, "flusher", 10);
      const buried = await store.bury(connectionId, NOW + 60_000);
      expect(await next(connectionId, "first")).toBeUndefined();
      expect(await store.nextNumber(connectionId, numberFor("first", { limit: 0 }))).toBeUndefined();
      expect(await store.nextNumber(connectionId, numberFor("first", { handshakes: 1 }))).toBeUndefined();
      expect(await store.startFlush(connectionId, transportId, flushBy("first", undefined))).toBeUndefined();
      expect(await store.startFlush(connectionId, transportId, flushBy("first", "flusher"))).toBeUndefined();
      await store.acknowledge(connectionId, transportId, last, LIMIT);
      expect(await store.connection(connectionId)).toStrictEqual(buried);
    });

    it("keeps messages in the order of their numbers, and only behind the one that was asked for", async () => {
      const { connectionId } = await connectResumable();
      const other = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
      for (const number of [10, 2, 9, 1]) {
        const message = { number, record: `message ${number}` };
        expect(await store.putMessage(connectionId, message, 100 * number, NOW)).toBe(true);
      }
      await store.putMessage(other.connectionId, { number: 3, record: "another's" }, 9, NOW);
      expect(await store.queued(connectionId, 1)).toStrictEqual(
        [2, 9, 10].map((number) => ({ number, record: `message ${number}`, bytes: 100 * number })),
      );
      await store.dropMessage(connectionId, 9);
      await store.dropMessage(connectionId, 9);
      expect((await store.queued(connectionId, 0)).map(({ number }) => number)).toEqual([1, 2, 10]);
    });

    it("keeps after which handshake an answer was asked for, and any text", async () => {
      const { connectionId } = await connectStateful();
      const messages = [
        { number: 1, record: "answer", handshakes: 1 },
        { number: 2, record: "news" },
        { number: 3, record: "answer", handshakes: 7 },
        ...HOSTILE_NAMES.map((record, index) => ({ number: 4 + index, record })),
      ];
      for (const message of messages) await store.putMessage(connectionId, message, 5, NOW);
      expect(await store.queued(connectionId, 0)).toStrictEqual(messages.map((message) => ({ ...message, bytes: 5 })));
    });

    it("keeps more than fits a page", async () => {
      const { connectionId } = await connectResumable();
      const record = "x".repeat(120_000);
      const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
      await Promise.all(numbers.map((number) => store.putMessage(connectionId, { number, record }, 5, NOW)));
      const messages = await store.queued(connectionId, 0);
      expect(messages.map(({ number }) => number)).toEqual(numbers);
      expect(messages.every((message) => message.record === record)).toBe(true);
    });

    it("refuses a message over a hole that was filled", async () => {
      const { connectionId } = await connectResumable();
      expect(await store.putMessage(connectionId, { number: 1, record: undefined }, 0, NOW)).toBe(true);
      expect(await store.putMessage(connectionId, { number: 1, record: "late" }, 10, NOW)).toBe(false);
      expect(await store.queued(connectionId, 0)).toStrictEqual([{ number: 1, record: undefined, bytes: 0 }]);
    });

    it("lets one of a message and the filler of its hole win", async () => {
      const { connectionId } = await connectResumable();
      for (let number = 1; number <= 20; number++) {
        const won = await Promise.all([
          store.putMessage(connectionId, { number, record: undefined }, 0, NOW),
          store.putMessage(connectionId, { number, record: "message" }, 10, NOW),
        ]);
        expect(won.filter(Boolean)).toHaveLength(1);
        const [message] = await store.queued(connectionId, number - 1);
        expect(message).toStrictEqual({ number, record: won[1] ? "message" : undefined, bytes: won[1] ? 10 : 0 });
      }
    });

    it("is not left by a flusher while numbers were given out, nor by anybody else", async () => {
      const { connectionId } = await connectResumable();
      await next(connectionId, "first");
      await next(connectionId, "second");
      const before = await store.connection(connectionId);
      expect(await store.finishFlush(connectionId, "first", 1, LIMIT)).toBe(false);
      expect(await store.finishFlush(connectionId, "second", 2, LIMIT)).toBe(false);
      expect(await store.connection(connectionId)).toStrictEqual(before);
      expect(await store.finishFlush(connectionId, "first", 2, LIMIT)).toBe(true);
      expect((await store.connection(connectionId))?.outbox).toStrictEqual({
        ...EMPTY,
        last: 2,
        sent: 2,
        acknowledged: 2,
        bytes: 20,
      });
    });

    it.each([undefined, LIMIT])(
      "has no message that nobody posts: a number is seen by the flusher, or makes one (limit %s)",
      async (limit) => {
        const { connectionId } = await connectResumable();
        for (let number = 1; number <= 20; number++) {
          const flusher = `flusher ${number}`;
          const head = await store.connection(connectionId);
          await next(connectionId, flusher);
          const known = head?.outbox.last ?? 0;
          const [finished, late] = await Promise.all([
            store.finishFlush(connectionId, flusher, known + 1, limit),
            next(connectionId, "late"),
          ]);
          const outbox = typeof late === "object" ? late.outbox : undefined;
          expect(outbox?.flusher).toBe(finished ? "late" : flusher);
          expect(await store.finishFlush(connectionId, outbox?.flusher ?? "", outbox?.last ?? 0, limit)).toBe(true);
        }
      },
    );

    it.each([undefined, LIMIT])("can be finished when nothing was ever sent (limit %s)", async (limit) => {
      const { connectionId, transportId } = await connectResumable();
      await store.startFlush(connectionId, transportId, flushBy("flusher", undefined));
      expect(await store.finishFlush(connectionId, "flusher", 1, limit)).toBe(false);
      expect(await store.finishFlush(connectionId, "flusher", 0, limit)).toBe(true);
      expect((await store.connection(connectionId))?.outbox).toStrictEqual(EMPTY);
      await next(connectionId, "first", LIMIT - 1);
      expect(await next(connectionId, "first", 1)).toMatchObject({ outbox: { last: 2 } });
      expect(await next(connectionId, "first", 1)).toBe("full");
    });

    it("has one of 50 flushers in place of the one that was seen, and only for the transport it has", async () => {
      const { connectionId, transportId } = await connectResumable();
      await next(connectionId, "dead");
      const before = await store.connection(connectionId);
      expect(await store.startFlush(connectionId, "another", flushBy("late", "dead", NOW, 9))).toBeUndefined();
      expect(await store.startFlush(connectionId, transportId, flushBy("late", undefined, NOW, 9))).toBeUndefined();
      expect(await store.startFlush(connectionId, transportId, flushBy("late", "unseen", NOW, 9))).toBeUndefined();
      expect(await store.connection(connectionId)).toStrictEqual(before);
      const heads = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          store.startFlush(connectionId, transportId, flushBy(`flusher ${index}`, "dead", NOW + 1, 3)),
        ),
      );
      const [winner, ...others] = heads.filter((head) => head !== undefined);
      expect(others).toEqual([]);
      expect(winner).toMatchObject({ handshakes: 3, outbox: { last: 1, sent: 0, flushingSince: NOW + 1 } });
      expect(await store.connection(connectionId)).toStrictEqual(winner);
    });

    it("has one flusher when it starts twice, as by a retry of the SDK", async () => {
      const { connectionId, transportId } = await connectResumable();
      await next(connectionId, "dead");
      const started = await store.startFlush(connectionId, transportId, flushBy("flusher", "dead", NOW + 1, 2));
      expect(started).toBeDefined();
      expect(await store.startFlush(connectionId, transportId, flushBy("flusher", "dead", NOW + 1, 2))).toStrictEqual(
        started,
      );
    });

    it("is left by its flusher alone, to whom it says, and forgets nothing then", async () => {
      const { connectionId } = await connectResumable();
      for (let number = 1; number <= 3; number++) await numberAndPut(connectionId, "first", 10);
      const before = await store.connection(connectionId);
      await store.leaveFlush(connectionId, "another", 2, "next");
      expect(await store.connection(connectionId)).toStrictEqual(before);
      await store.leaveFlush(connectionId, "first", 2, "next");
      expect((await store.connection(connectionId))?.outbox).toStrictEqual({
        ...before?.outbox,
        sent: 2,
        flusher: "next",
      });
      expect(await store.queued(connectionId, 0)).toHaveLength(3);
      expect(await next(connectionId, "second")).toMatchObject({ outbox: { last: 4, sent: 2, flusher: "next" } });
      await store.leaveFlush(connectionId, "first", 1, "first");
      expect((await store.connection(connectionId))?.outbox).toMatchObject({ sent: 2, flusher: "next" });
      // What was posted may turn out to be lost.
      await store.leaveFlush(connectionId, "next", 1, "third");
      expect((await store.connection(connectionId))?.outbox).toMatchObject({ sent: 1, flusher: "third" });
    });

    it("is finished or left, by one of two", async () => {
      const { connectionId } = await connectResumable();
      for (let number = 1; number <= 20; number++) {
        await next(connectionId, "flusher");
        const [finished] = await Promise.all([
          store.finishFlush(connectionId, "flusher", number, LIMIT),
          store.leaveFlush(connectionId, "flusher", number - 1, "left"),
        ]);
        const head = (await store.connection(connectionId))?.outbox;
        expect(head).toMatchObject(finished ? { sent: number } : { sent: number - 1, flusher: "left" });
        expect(head?.flusher === undefined).toBe(finished);
        if (!finished) expect(await store.finishFlush(connectionId, "left", number, LIMIT)).toBe(true);
      }
    });

    it("waits for the handshake of a transport that takes over", async () => {
      const connection = await connectResumable();
      const { connectionId, transportId } = connection;
      await next(connectionId, "first");
      await takeOver(connection);
      expect(await store.finishFlush(connectionId, "first", 1, LIMIT)).toBe(false);
      await store.leaveFlush(connectionId, "first", 1, "left");
      expect(await store.startFlush(connectionId, transportId, flushBy("old", id("next")))).toBeUndefined();
      expect(await next(connectionId, "second")).toMatchObject({ outbox: { last: 2, sent: 0, flusher: id("next") } });
      expect(await store.startFlush(connectionId, id("next"), flushBy("new", id("next")))).toMatchObject({
        outbox: { last: 2, sent: 0, flusher: "new" },
      });
    });

    it("goes with the connection", async () => {
      const before = (await rows()).length;
      const connection = await connectResumable();
      for (let number = 1; number <= 3; number++) await numberAndPut(connection.connectionId, "sender", 10);
      await end(connection);
      expect(await rows()).toHaveLength(before + 1);
      expect(await store.queued(connection.connectionId, 0)).toEqual([]);
      expect(await store.finishFlush(connection.connectionId, "sender", 2, LIMIT)).toBe(false);
    });

    it.each([
      ["without a key", {}],
      ["with one", { resumeKey: "key" }],
    ])("goes with the connection of a stateful client %s, but for what it has acknowledged", async (_title, key) => {
      const before = (await rows()).length;
      const connection = await connectStateful(key);
      for (let number = 1; number <= 12; number++) await numberAndPut(connection.connectionId, "sender", 10);
      await store.acknowledge(connection.connectionId, connection.transportId, 9, LIMIT);
      await end(connection);
      // Time to live takes them, for nothing.
      expect((await store.queued(connection.connectionId, 0)).map(({ number }) => number)).toEqual(
        Array.from({ length: 9 }, (_, index) => index + 1),
      );
      expect(await rows()).toHaveLength(before + 10);
    });
  });
}
