// Messages that wait for a client to come back. Numbers and the flusher live in the connection row, one row a message
// beside it. A number is given out before its row is there; whoever cannot wait for the row puts an empty one, and the
// sender, refused, asks for a new number.

import type { QueuedMessage, Store } from "../hub/index.ts";
import { toConnection, toSeconds } from "./connection-rows.ts";
import { keys, TIME_TO_LIVE } from "./table.ts";
import type { TableClient } from "./table-client.ts";

type OutboxVerbs = Pick<
  Store,
  "nextNumber" | "putMessage" | "queued" | "dropMessage" | "startFlush" | "finishFlush" | "stopFlush"
>;

/** How long a message that nobody came for may lie about. Milliseconds. */
const MESSAGE_GARBAGE = 24 * 3_600_000;

const LIVES = "attribute_exists(#pk) AND attribute_not_exists(#ended)";

export function outboxRows(table: TableClient): OutboxVerbs {
  return {
    async nextNumber(connectionId, flusher, now, bytes, limit) {
      const row = await table.update(
        keys.connection(connectionId),
        "SET #last = if_not_exists(#last, :zero) + :one, #bytes = if_not_exists(#bytes, :zero) + :bytes, " +
          "#flusher = if_not_exists(#flusher, :flusher), #flushingSince = if_not_exists(#flushingSince, :now)",
        `${LIVES} AND (attribute_not_exists(#bytes) OR #bytes < :limit)`,
        { ":zero": 0, ":one": 1, ":bytes": bytes, ":flusher": flusher, ":now": now, ":limit": limit },
      );
      if (row !== undefined) return toConnection(connectionId, row);
      const connection = await table.get(keys.connection(connectionId));
      return connection === undefined || connection.ended === true ? undefined : "full";
    },
    putMessage: (connectionId, { number, record }, now) =>
      table.put(
        keys.message(connectionId, number),
        { record, [TIME_TO_LIVE]: toSeconds(now + MESSAGE_GARBAGE) },
        "attribute_not_exists(pk)",
      ),
    async queued(connectionId, after) {
      const { pk } = keys.message(connectionId, 0);
      const messages: QueuedMessage[] = [];
      for await (const page of table.query(pk, { after: keys.message(connectionId, after).sk, consistent: true })) {
        for (const { sk, record } of page.rows) {
          messages.push({ number: Number(sk), record: record === undefined ? undefined : String(record) });
        }
      }
      return messages;
    },
    async dropMessage(connectionId, number) {
      await table.delete(keys.message(connectionId, number));
    },
    async startFlush(connectionId, transportId, flusher, seen, now) {
      const same = seen === undefined ? "attribute_not_exists(#flusher)" : "#flusher = :seen";
      const row = await table.update(
        keys.connection(connectionId),
        "SET #flusher = :flusher, #flushingSince = :now",
        `${LIVES} AND #transport = :transport AND (${same} OR #flusher = :flusher)`,
        {
          ":flusher": flusher,
          ":now": now,
          ":transport": transportId,
          ...(seen !== undefined && { ":seen": seen }),
        },
      );
      return row === undefined ? undefined : toConnection(connectionId, row);
    },
    async finishFlush(connectionId, flusher, sent) {
      const none = sent === 0 ? " OR attribute_not_exists(#last)" : "";
      const row = await table.update(
        keys.connection(connectionId),
        "SET #sent = :sent, #bytes = :zero REMOVE #flusher, #flushingSince",
        `#flusher = :flusher AND (#last = :sent${none})`,
        { ":flusher": flusher, ":sent": sent, ":zero": 0 },
      );
      return row !== undefined;
    },
    async stopFlush(connectionId, flusher) {
      await table.update(keys.connection(connectionId), "REMOVE #flusher, #flushingSince", "#flusher = :flusher", {
        ":flusher": flusher,
      });
    },
  };
}
