// What a stateful client says that it has, and the room that this makes.

import { describe, expect, it } from "vitest";
import type { NewConnection } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { NOW, numberFor } from "./samples.ts";

export function acknowledgingSuite(harness: Harness): void {
  const { connectStateful, id, numberAndPut, store, takeOver } = harness;

  describe("acknowledge", () => {
    const LIMIT = 100;
    /** A stateful client that was sent messages of so many bytes. */
    async function sent(...sizes: readonly number[]): Promise<NewConnection> {
      const connection = await connectStateful();
      for (const bytes of sizes) await numberAndPut(connection.connectionId, "flusher", bytes, LIMIT);
      return connection;
    }
    const room = async ({ connectionId }: NewConnection, bytes: number) =>
      (await store.nextNumber(connectionId, numberFor("flusher", { bytes, limit: LIMIT }))) !== "full";
    const acknowledged = async ({ connectionId }: NewConnection) =>
      (await store.connection(connectionId))?.outbox.acknowledged;

    it("notes what the client has, and changes nothing else", async () => {
      const connection = await sent(10, 20, 30);
      const before = await store.connection(connection.connectionId);
      await store.acknowledge(connection.connectionId, connection.transportId, 2, LIMIT);
      expect(await store.connection(connection.connectionId)).toStrictEqual({
        ...before,
        outbox: { ...before?.outbox, acknowledged: 2 },
      });
      expect(await store.queued(connection.connectionId, 0)).toHaveLength(3);
    });

    it("never goes back, and never beyond what was sent", async () => {
      const connection = await sent(10, 10, 10);
      const { connectionId, transportId } = connection;
      for (const [number, expected] of [
        [4, 0],
        [Number.MAX_SAFE_INTEGER, 0],
        [0, 0],
        [2, 2],
        [2, 2],
        [1, 2],
        [0, 2],
        [-1, 2],
        [4, 2],
        [3, 3],
      ] as const) {
        await store.acknowledge(connectionId, transportId, number, LIMIT);
        expect(await acknowledged(connection)).toBe(expected);
      }
    });

    it("keeps the highest of 50 at once", async () => {
      const connection = await sent(...Array.from({ length: 50 }, () => 1));
      const numbers = Array.from({ length: 50 }, (_, index) => ((index * 7) % 50) + 1);
      await Promise.all(
        numbers.map((number) => store.acknowledge(connection.connectionId, connection.transportId, number, LIMIT)),
      );
      expect(await acknowledged(connection)).toBe(50);
      // And the room that goes with it: 50 are sent, so there is room for 100 more.
      expect(await room(connection, 99)).toBe(true);
      expect(await room(connection, 1)).toBe(true);
      expect(await room(connection, 1)).toBe(false);
    });

    it("is the present transport's alone", async () => {
      const connection = await sent(10, 10);
      const { connectionId, transportId } = connection;
      await store.acknowledge(connectionId, "another", 1, LIMIT);
      expect(await acknowledged(connection)).toBe(0);
      await takeOver(connection);
      await store.acknowledge(connectionId, transportId, 1, LIMIT);
      expect(await acknowledged(connection)).toBe(0);
      await store.acknowledge(connectionId, id("next"), 1, LIMIT);
      expect(await acknowledged(connection)).toBe(1);
    });

    it("makes room for exactly as much as is known to have arrived", async () => {
      const connection = await sent(40, 60);
      const { connectionId, transportId } = connection;
      expect(await room(connection, 1)).toBe(false);
      await store.acknowledge(connectionId, transportId, 1, LIMIT);
      // 60 are unacknowledged.
      expect(await numberAndPut(connectionId, "flusher", 39, LIMIT)).toBe(3);
      expect(await numberAndPut(connectionId, "flusher", 500, LIMIT)).toBe(4);
      expect(await room(connection, 1)).toBe(false);
      await store.acknowledge(connectionId, transportId, 3, LIMIT);
      expect(await room(connection, 1)).toBe(false);
      await store.acknowledge(connectionId, transportId, 4, LIMIT);
      expect(await room(connection, 100)).toBe(true);
      expect(await room(connection, 1)).toBe(false);
    });

    it("leaves the room as it is for a number that was passed over, or whose message is gone", async () => {
      const connection = await sent(40, 59);
      const { connectionId, transportId } = connection;
      await store.acknowledge(connectionId, transportId, 1, LIMIT);
      // Room up to 140. Number 3 is given out and never put.
      await store.nextNumber(connectionId, numberFor("flusher", { bytes: 10, limit: LIMIT }));
      await store.putMessage(connectionId, { number: 3, record: undefined }, 0, NOW);
      await store.dropMessage(connectionId, 2);
      await store.acknowledge(connectionId, transportId, 2, LIMIT);
      await store.acknowledge(connectionId, transportId, 3, LIMIT);
      expect(await acknowledged(connection)).toBe(3);
      expect(await room(connection, 30)).toBe(true);
      expect(await room(connection, 1)).toBe(true);
      expect(await room(connection, 1)).toBe(false);
    });
  });
}
