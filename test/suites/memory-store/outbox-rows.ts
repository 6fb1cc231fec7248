// The outbox: messages by number, and whose it is to post them.

import type { QueuedMessage, Store } from "../../../lambdas/hub/index.ts";
import { key, rowKeys } from "./keys.ts";
import { type ConnectionRow, type MemoryRows, ofKind, putNew, toConnection } from "./rows.ts";

type OutboxVerbs = Pick<
  Store,
  "nextNumber" | "putMessage" | "queued" | "dropMessage" | "acknowledge" | "startFlush" | "finishFlush" | "leaveFlush"
>;

/** How long a message that nobody came for may lie about. Milliseconds. */
const MESSAGE_GARBAGE = 24 * 3_600_000;
const NO_FLUSHER = { flusher: undefined, flushingSince: 0 };

interface MessageRow extends QueuedMessage {
  readonly bytes: number;
}

export function outboxRows(table: MemoryRows): OutboxVerbs {
  const { access, get, remove, rows, updateConnection } = table;

  return {
    async nextNumber(
      connectionId,
      { flusher, nonce, now, bytes, limit = Number.POSITIVE_INFINITY, handshakes, transportId },
    ) {
      const row = await updateConnection(
        "nextNumber",
        connectionId,
        (each) =>
          !each.ended &&
          (limit === Number.POSITIVE_INFINITY || each.outbox.bytes < (each.room ?? limit)) &&
          each.nonce !== nonce &&
          (handshakes === undefined || each.handshakes === handshakes) &&
          (transportId === undefined || each.transportId === transportId),
        (each) => {
          const head = each.outbox;
          if (Number.isFinite(limit)) each.room ??= limit;
          each.nonce = nonce;
          each.outbox = {
            ...head,
            last: head.last + 1,
            bytes: head.bytes + bytes,
            flusher: head.flusher ?? flusher,
            flushingSince: head.flusher === undefined ? now : head.flushingSince,
          };
        },
      );
      if (row !== undefined) return row;
      const present = await get<ConnectionRow>("nextNumber", rowKeys.connection(connectionId));
      if (present === undefined || present.ended) return undefined;
      if (present.nonce === nonce) return toConnection(present);
      if (transportId !== undefined && present.transportId !== transportId) return undefined;
      return handshakes === undefined || present.handshakes === handshakes ? "full" : undefined;
    },
    putMessage: (connectionId, message, bytes, now) => {
      const name = rowKeys.message(connectionId, message.number);
      const row = { ...message, bytes, expiresAt: now + MESSAGE_GARBAGE };
      return access("putMessage", name, () => putNew(rows, name, row));
    },
    queued: (connectionId, after) =>
      access("queued", key("message", connectionId), () =>
        ofKind<MessageRow>(rows, key("message", connectionId))
          .filter(({ number }) => number > after)
          .map(({ number, record, handshakes, bytes }) => ({
            number,
            bytes,
            record,
            ...(handshakes !== undefined && { handshakes }),
          }))
          .sort((one, other) => one.number - other.number),
      ),
    async dropMessage(connectionId, number) {
      await remove("dropMessage", rowKeys.message(connectionId, number));
    },
    async acknowledge(connectionId, transportId, number, limit) {
      const message = await get<MessageRow>("acknowledge", rowKeys.message(connectionId, number));
      await updateConnection(
        "acknowledge",
        connectionId,
        (row) =>
          !row.ended &&
          row.transportId === transportId &&
          row.outbox.last >= number &&
          row.outbox.acknowledged < number,
        (row) => {
          row.outbox = { ...row.outbox, acknowledged: number };
          if (message !== undefined && message.bytes > 0) row.room = message.bytes + limit;
        },
      );
    },
    startFlush: (connectionId, transportId, { flusher, seen, now, handshakes }) =>
      updateConnection(
        "startFlush",
        connectionId,
        (row) =>
          !row.ended &&
          row.transportId === transportId &&
          (row.outbox.flusher === seen || row.outbox.flusher === flusher),
        (row) => {
          row.handshakes = handshakes;
          row.outbox = { ...row.outbox, flusher, flushingSince: now };
        },
      ),
    async finishFlush(connectionId, flusher, sent, limit) {
      const row = await updateConnection(
        "finishFlush",
        connectionId,
        ({ outbox }) => outbox.flusher === flusher && outbox.last === sent,
        (each) => {
          if (limit !== undefined) each.room = each.outbox.bytes + limit;
          const acknowledged = limit === undefined ? each.outbox.acknowledged : sent;
          each.outbox = { ...each.outbox, sent, acknowledged, ...NO_FLUSHER };
        },
      );
      return row !== undefined;
    },
    async leaveFlush(connectionId, flusher, sent, next) {
      const row = await updateConnection(
        "leaveFlush",
        connectionId,
        ({ outbox }) => outbox.flusher === flusher,
        (each) => {
          each.outbox = { ...each.outbox, sent, flusher: next };
        },
      );
      return row !== undefined;
    },
  };
}
