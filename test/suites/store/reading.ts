// Clients that come for their messages: by long polling, or over an event stream.

import { describe, expect, it } from "vitest";
import type { ConnectionState } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { NOTHING_READ, NOW, numberFor } from "./samples.ts";

const LIMIT = 1_000;

export function readingSuite(harness: Harness): void {
  const { accept, connect, connectResumable, connectStateful, end, id, numberAndPut, rows, store, takeOver } = harness;

  const pollId = (connection: string) => `poll.${connection}.x`;
  const connectPolling = () => connect({ transportId: pollId(id("connection")), connectionId: id("connection") });

  async function connectionOf(connectionId: string): Promise<ConnectionState> {
    const connection = await store.connection(connectionId);
    if (connection === undefined) throw new Error("There is no connection.");
    return connection;
  }

  async function begin(connectionId: string, reader: string): Promise<ConnectionState> {
    const begun = await store.beginReading(await connectionOf(connectionId), reader, LIMIT);
    if (begun === undefined) throw new Error("It cannot be read.");
    return begun;
  }

  describe("a connection that is read", () => {
    it("has its own transport for a flusher from the start, so that nobody posts", async () => {
      const transportId = pollId(id("connection"));
      const { connectionId } = await accept({ transportId, connectionId: id("connection") });
      expect((await connectionOf(connectionId)).outbox.flusher).toBe(transportId);
      const numbered = await store.nextNumber(connectionId, numberFor("sender"));
      expect(numbered).toMatchObject({ outbox: { last: 1, flusher: transportId } });
    });

    it("is greeted by its transport alone, in the protocol that it chose", async () => {
      const { connectionId, transportId } = await connectPolling();
      expect(await store.greet(connectionId, "another", "{}", undefined)).toBe(false);
      expect((await connectionOf(connectionId)).reading).toEqual(NOTHING_READ);
      expect(await store.greet(connectionId, transportId, "{}", "messagepack")).toBe(true);
      expect(await connectionOf(connectionId)).toMatchObject({
        protocol: "messagepack",
        reading: { ...NOTHING_READ, greeting: "{}", greeted: transportId },
      });
    });

    it("keeps its protocol on every transport", async () => {
      const connection = await connectResumable({
        transportId: pollId(id("connection")),
        connectionId: id("connection"),
      });
      await store.greet(connection.connectionId, connection.transportId, "{}", "messagepack");
      await store.speak(connection.transportId, "messagepack");
      expect(await takeOver(connection)).toMatchObject({ protocol: "messagepack" });
      expect(await connectionOf(connection.connectionId)).toMatchObject({
        protocol: "messagepack",
        reading: NOTHING_READ,
      });
    });

    it("has one reader, the newest", async () => {
      const { connectionId } = await connectPolling();
      const first = await begin(connectionId, "first");
      expect(first.reading.reader).toBe("first");
      expect((await begin(connectionId, "second")).reading.reader).toBe("second");
      expect(await store.beginReading(first, "late", LIMIT)).toBeUndefined();
      expect(await store.hand(connectionId, "first", { number: 0, bytes: 0 })).toBe(false);
      expect((await connectionOf(connectionId)).reading).toMatchObject({ reader: "second", handed: undefined });
    });

    it("lets one of 20 who have seen the same begin", async () => {
      const { connectionId } = await connectPolling();
      const seen = await connectionOf(connectionId);
      const readers = Array.from({ length: 20 }, (_, index) => `reader ${index}`);
      const begun = await Promise.all(readers.map((reader) => store.beginReading(seen, reader, LIMIT)));
      expect(begun.filter((each) => each !== undefined)).toHaveLength(1);
    });

    it("takes the same beginning made twice for one, as by a retry of the SDK", async () => {
      const { connectionId } = await connectPolling();
      const seen = await connectionOf(connectionId);
      const begun = await store.beginReading(seen, "reader", LIMIT);
      expect(await store.beginReading(seen, "reader", LIMIT)).toEqual(begun);
    });

    it("has what was handed over until the next reader comes: then it has arrived, and makes room", async () => {
      const { connectionId } = await connectPolling();
      for (let number = 1; number <= 3; number++) await numberAndPut(connectionId, "sender", 400, LIMIT);
      expect(await store.nextNumber(connectionId, numberFor("sender", { limit: LIMIT }))).toBe("full");
      await begin(connectionId, "first");
      expect(await store.hand(connectionId, "first", { number: 2, bytes: 800 })).toBe(true);
      const handed = await connectionOf(connectionId);
      expect(handed).toMatchObject({ outbox: { sent: 0, acknowledged: 0 }, reading: { handed: { number: 2 } } });
      expect(await begin(connectionId, "second")).toMatchObject({
        outbox: { last: 3, sent: 2, acknowledged: 2 },
        reading: { handed: undefined },
      });
      expect((await store.queued(connectionId, 2)).map(({ number, bytes }) => [number, bytes])).toEqual([[3, 1_200]]);
      expect(await store.nextNumber(connectionId, numberFor("sender", { limit: LIMIT }))).toMatchObject({
        outbox: { last: 4 },
      });
    });

    it("takes nothing for arrived that a reader hands over after it was seen", async () => {
      const { connectionId } = await connectPolling();
      await numberAndPut(connectionId, "sender", 10, LIMIT);
      const seen = await begin(connectionId, "first");
      await store.hand(connectionId, "first", { number: 1, bytes: 10 });
      expect(await store.beginReading(seen, "second", LIMIT)).toBeUndefined();
      expect((await connectionOf(connectionId)).outbox.sent).toBe(0);
    });

    it("is not greeted twice by what was handed over", async () => {
      const { connectionId, transportId } = await connectPolling();
      await store.greet(connectionId, transportId, "{}", undefined);
      await begin(connectionId, "reader");
      await store.hand(connectionId, "reader", { number: 0, bytes: 0 });
      expect((await connectionOf(connectionId)).reading).toMatchObject({ greeting: undefined, greeted: transportId });
    });

    it("takes messages for its transport beyond all room, and none for another", async () => {
      const { connectionId, transportId } = await connectPolling();
      await numberAndPut(connectionId, "sender", 5_000, LIMIT);
      const { limit: _, ...goodbye } = numberFor(transportId, { bytes: 10 });
      expect(await store.nextNumber(connectionId, { ...goodbye, transportId: "another" })).toBeUndefined();
      expect(await store.nextNumber(connectionId, { ...goodbye, transportId })).toMatchObject({ outbox: { last: 2 } });
    });

    it("is closed by its transport alone", async () => {
      const { connectionId, transportId } = await connectPolling();
      await store.closeReading(connectionId, "another");
      expect((await connectionOf(connectionId)).reading.closed).toBeUndefined();
      await store.closeReading(connectionId, transportId);
      expect((await connectionOf(connectionId)).reading.closed).toBe(transportId);
    });

    it("is read to the end after its end, and greeted no more", async () => {
      const connection = await connectPolling();
      const { connectionId, transportId } = connection;
      await numberAndPut(connectionId, "sender", 10, LIMIT);
      const buried = await store.bury(connectionId, NOW + 60_000);
      if (buried === undefined) throw new Error("There is no connection.");
      await store.clear(buried, true);
      expect(await store.greet(connectionId, transportId, "{}", undefined)).toBe(false);
      expect(await begin(connectionId, "reader")).toMatchObject({ ended: true });
      expect(await store.queued(connectionId, 0)).toHaveLength(1);
      expect(await store.hand(connectionId, "reader", { number: 1, bytes: 10 })).toBe(true);
    });

    it("leaves nothing but a tombstone when it is cleared for good", async () => {
      const before = await rows();
      const connection = await connectPolling();
      await numberAndPut(connection.connectionId, "sender", 10, LIMIT);
      await end(connection);
      expect(await rows()).toHaveLength(before.length + 1);
    });

    it("begins behind what its client has acknowledged, when that counted before", async () => {
      const connection = await connectStateful();
      const { connectionId, transportId } = connection;
      for (let number = 1; number <= 3; number++) await numberAndPut(connectionId, "sender", 10, LIMIT);
      await store.finishFlush(connectionId, "sender", 3, undefined);
      await store.acknowledge(connectionId, transportId, 2, LIMIT);
      await takeOver(connection, pollId(connectionId), { stateful: false });
      expect((await connectionOf(connectionId)).outbox).toMatchObject({ last: 3, sent: 2 });
    });
  });
}
