// How far a client has come that comes for its messages.

import type { Store } from "../../../lambdas/hub/index.ts";
import type { MemoryRows } from "./rows.ts";

type ReadingVerbs = Pick<Store, "greet" | "beginReading" | "hand" | "closeReading">;

export function readingRows({ updateConnection }: MemoryRows): ReadingVerbs {
  return {
    async greet(connectionId, transportId, greeting, protocol) {
      const row = await updateConnection(
        "greet",
        connectionId,
        (each) => !each.ended && each.transportId === transportId,
        (each) => {
          each.reading = { ...each.reading, greeting, greeted: transportId };
          if (protocol !== undefined) each.protocol = protocol;
        },
      );
      return row !== undefined;
    },
    beginReading: ({ connectionId, transportId, reading: { reader: seen, handed } }, reader, limit) =>
      updateConnection(
        "beginReading",
        connectionId,
        (each) =>
          each.transportId === transportId &&
          ((each.reading.reader === seen && each.reading.handed?.number === handed?.number) ||
            each.reading.reader === reader),
        (each) => {
          each.reading = { ...each.reading, reader, handed: undefined };
          if (handed === undefined) return;
          each.outbox = { ...each.outbox, sent: handed.number, acknowledged: handed.number };
          each.room = handed.bytes + limit;
        },
      ),
    async hand(connectionId, reader, handed) {
      const row = await updateConnection(
        "hand",
        connectionId,
        (each) => each.reading.reader === reader,
        (each) => {
          each.reading = { ...each.reading, greeting: undefined, handed };
        },
      );
      return row !== undefined;
    },
    async closeReading(connectionId, transportId) {
      await updateConnection(
        "closeReading",
        connectionId,
        (each) => each.transportId === transportId,
        (each) => {
          each.reading = { ...each.reading, closed: transportId };
        },
      );
    },
  };
}
