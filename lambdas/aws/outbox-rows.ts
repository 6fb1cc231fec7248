// Messages that wait for a client to come back. Numbers and the flusher live in the connection row, one row a message
// beside it. A number is given out before its row is there; whoever cannot wait for the row puts an empty one, and the
// sender, refused, asks for a new number.

import type { QueuedMessage, Store } from "../hub/index.ts";
import { toConnection, toSeconds } from "./connection-rows.ts";
import { keys, TIME_TO_LIVE } from "./table.ts";
import type { TableClient } from "./table-client.ts";

type OutboxVerbs = Pick<
  Store,
  "nextNumber" | "putMessage" | "queued" | "dropMessage" | "acknowledge" | "startFlush" | "finishFlush" | "leaveFlush"
>;

/** How long a message that nobody came for may lie about. Milliseconds. */
const MESSAGE_GARBAGE = 24 * 3_600_000;

const LIVES = "attribute_exists(#pk) AND attribute_not_exists(#ended)";

export function outboxRows(table: TableClient): OutboxVerbs {
  return {
    async nextNumber(connectionId, { flusher, nonce, now, bytes, limit, handshakes, transportId }) {
      const asked = handshakes === undefined ? "" : ` AND ${isHandshake(handshakes)}`;
      const there = transportId === undefined ? "" : " AND #transport = :transport";
      const room = limit === undefined ? "" : "#room = if_not_exists(#room, :limit), ";
      const isNew = "#nonce <> :nonce";
      const isRoom = `attribute_not_exists(#room) AND ${isNew} OR #bytes < #room AND ${isNew}`;
      const row = await table.update(
        keys.connection(connectionId),
        "SET #last = if_not_exists(#last, :zero) + :one, #bytes = if_not_exists(#bytes, :zero) + :bytes, " +
          `${room}#nonce = :nonce, ` +
          "#flusher = if_not_exists(#flusher, :flusher), #flushingSince = if_not_exists(#flushingSince, :now)",
        `${LIVES} AND (attribute_not_exists(#bytes) OR ${limit === undefined ? isNew : isRoom})${asked}${there}`,
        {
          ":zero": 0,
          ":one": 1,
          ":bytes": bytes,
          ":flusher": flusher,
          ":nonce": nonce,
          ":now": now,
          ...(limit !== undefined && { ":limit": limit }),
          ...(handshakes !== undefined && { ":handshakes": handshakes }),
          ...(transportId !== undefined && { ":transport": transportId }),
        },
      );
      if (row !== undefined) return toConnection(connectionId, row);
      const present = await table.get(keys.connection(connectionId));
      const connection = present && toConnection(connectionId, present);
      if (connection === undefined || connection.ended) return undefined;
      // Given out before, as by a retry of the SDK, and nobody took one since.
      if (present?.nonce === nonce) return connection;
      if (transportId !== undefined && connection.transportId !== transportId) return undefined;
      return handshakes === undefined || connection.handshakes === handshakes ? "full" : undefined;
    },
    async putMessage(connectionId, { number, record, handshakes }, bytes, now) {
      const key = keys.message(connectionId, number);
      const row = { record, handshakes, bytes: bytes || undefined, [TIME_TO_LIVE]: toSeconds(now + MESSAGE_GARBAGE) };
      if (await table.put(key, row, "attribute_not_exists(pk)")) return true;
      // Put twice, as by a retry of the SDK: others only take up numbers, without a record.
      return record !== undefined && (await table.get(key))?.record !== undefined;
    },
    async queued(connectionId, after) {
      const { pk } = keys.message(connectionId, 0);
      const messages: QueuedMessage[] = [];
      for await (const page of table.query(pk, { after: keys.message(connectionId, after).sk, consistent: true })) {
        for (const { sk, record, handshakes, bytes } of page.rows) {
          messages.push({
            number: Number(sk),
            bytes: Number(bytes ?? 0),
            record: record === undefined ? undefined : String(record),
            ...(handshakes !== undefined && { handshakes: Number(handshakes) }),
          });
        }
      }
      return messages;
    },
    async dropMessage(connectionId, number) {
      await table.delete(keys.message(connectionId, number));
    },
    async acknowledge(connectionId, transportId, number, limit) {
      const message = await table.get(keys.message(connectionId, number));
      const room = message?.bytes === undefined ? undefined : Number(message.bytes) + limit;
      await table.update(
        keys.connection(connectionId),
        `SET #acknowledged = :number${room === undefined ? "" : ", #room = :room"}`,
        `${LIVES} AND #transport = :transport AND #last >= :number AND ` +
          "(attribute_not_exists(#acknowledged) OR #acknowledged < :number)",
        { ":number": number, ":transport": transportId, ...(room !== undefined && { ":room": room }) },
      );
    },
    async startFlush(connectionId, transportId, { flusher, seen, now, handshakes }) {
      const same = seen === undefined ? "attribute_not_exists(#flusher)" : "#flusher = :seen";
      const row = await table.update(
        keys.connection(connectionId),
        "SET #flusher = :flusher, #flushingSince = :now, #handshakes = :handshakes",
        `${LIVES} AND #transport = :transport AND (${same} OR #flusher = :flusher)`,
        {
          ":flusher": flusher,
          ":now": now,
          ":transport": transportId,
          ":handshakes": handshakes,
          ...(seen !== undefined && { ":seen": seen }),
        },
      );
      return row === undefined ? undefined : toConnection(connectionId, row);
    },
    async finishFlush(connectionId, flusher, sent, limit) {
      const none = sent === 0 ? " OR attribute_not_exists(#last)" : "";
      const room = limit === undefined ? "" : ", #acknowledged = :sent, #room = if_not_exists(#bytes, :zero) + :limit";
      const row = await table.update(
        keys.connection(connectionId),
        `SET #sent = :sent${room} REMOVE #flusher, #flushingSince`,
        `#flusher = :flusher AND (#last = :sent${none})`,
        { ":flusher": flusher, ":sent": sent, ...(limit !== undefined && { ":limit": limit, ":zero": 0 }) },
      );
      return row !== undefined;
    },
    async leaveFlush(connectionId, flusher, sent, next) {
      const row = await table.update(
        keys.connection(connectionId),
        "SET #sent = :sent, #flusher = :next",
        "#flusher = :flusher",
        { ":sent": sent, ":next": next, ":flusher": flusher },
      );
      return row !== undefined;
    },
  };
}

function isHandshake(handshakes: number): string {
  return handshakes === 1
    ? "(attribute_not_exists(#handshakes) OR #handshakes = :handshakes)"
    : "#handshakes = :handshakes";
}
