// Messages to a connection that keeps them until they have arrived: all of them for a stateful client, which counts and
// acknowledges, else those for a client that is away. A sender takes a number, puts the message into the table, and
// posts what waits if nobody else does: one flusher at a time, in the order of the numbers.
//
//   sender:  number (flusher?) → put message → flusher me: flush
//   resume:  flusher = the new transport → Sequence or handshake → flusher me: flush what was not acknowledged
//   flush:   post the next ones → … → stop IF no further number was given out
//
// A client that comes for its messages, by long polling or over an event stream, is one that is always away: its
// transport is the flusher for good, and the messages stay until it has read them.
//
// What a stateful client is sent is counted on the way: its number is its place behind `base`. So a post that may have
// arrived is never made again by the same transport, and no number is ever left out.

import type { Dialect } from "../protocol/index.ts";
import { batchSize, byteLength, SHARED_POST } from "./channel.ts";
import { closeMarked } from "./closing.ts";
import type { ConnectionState, OutboxHead } from "./connection-state.ts";
import type { Service } from "./define-service.ts";
import { forEachLimit } from "./for-each-limit.ts";
import type { QueuedMessage } from "./outbox-store.ts";
import type { Clock, Log, Random, Transports } from "./ports.ts";
import { protocolOf } from "./protocols.ts";
import type { Store } from "./store.ts";
import { isHttpTransport } from "./transport-names.ts";

export interface OutboxPorts {
  readonly service: Service;
  readonly store: Store;
  readonly transports: Transports;
  readonly dialect: Dialect;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface OutboxMessage {
  readonly record: string;
  /** For an answer: after which handshake it was asked for. */
  readonly handshakes?: number;
  /** A transport that was seen to be gone. */
  readonly gone?: string;
}

/** How long a sender waits for room, before the connection is given up. Milliseconds. */
const ROOM_TIMEOUT = 5_000;
/** How long a number may be without its message, before it is passed over. Milliseconds. */
const HOLE_TIMEOUT = 2_000;
/** A flusher that has been at it for longer is dead. Milliseconds. */
const FLUSHER_LEASE = 35_000;
/** A flusher that finds no end leaves the rest to the next sender, or comes back itself. Milliseconds. */
const FLUSH_TIME = 5_000;
const LEFT = "left";
const PAUSE = 200;
const ROWS_AT_ONCE = 32;

/** `nobody` when the connection is over; `full` when it is given up for not taking more. */
export type QueueOutcome = "sent" | "nobody" | "full";

/** Sends a message in order with all others. */
export async function sendQueued(
  ports: OutboxPorts,
  connectionId: string,
  message: OutboxMessage,
): Promise<QueueOutcome> {
  const { store, clock, service } = ports;
  const { record, handshakes, gone } = message;
  if (record === "") return "sent";
  const flusher = ports.random.id();
  const bytes = byteLength(record);
  const limit = service.statefulReconnectBufferSize;
  const giveUpAt = clock.now() + ROOM_TIMEOUT;
  for (;;) {
    const now = clock.now();
    const answer = handshakes === undefined ? {} : { handshakes };
    const connection = await store.nextNumber(connectionId, {
      flusher,
      nonce: ports.random.id(),
      now,
      bytes,
      limit,
      ...answer,
    });
    if (connection === undefined) return "nobody";
    if (connection === "full") {
      if (now >= giveUpAt) return giveUp(ports, connectionId);
      await clock.sleep(PAUSE);
      continue;
    }
    const { outbox, transportId } = connection;
    const own = { number: outbox.last, record, ...answer };
    if (!(await store.putMessage(connectionId, own, outbox.bytes, now))) continue;
    if (outbox.flusher !== flusher) await leaveToFlusher(ports, connection, now);
    else if (transportId === gone) await store.leaveFlush(connectionId, flusher, outbox.sent, transportId);
    else await flush(ports, connection, flusher, outbox.sent, own);
    return "sent";
  }
}

/** There is one, unless it died. */
async function leaveToFlusher(ports: OutboxPorts, connection: ConnectionState, now: number): Promise<void> {
  const { outbox, transportId, stateful } = connection;
  if (outbox.flusher === transportId) return;
  const isDead = now - outbox.flushingSince > FLUSHER_LEASE;
  if (outbox.flusher === LEFT || (isDead && !stateful)) {
    await takeFlush(ports, connection, outbox.flusher);
  } else if (isDead) {
    await resetTransport(ports, connection);
  } else if (!stateful) {
    await awaitPosted(ports, connection);
  }
}

/** How much a dead flusher has posted, nobody knows: the client tells when it is back. */
async function resetTransport(
  ports: OutboxPorts,
  { connectionId, transportId, outbox }: ConnectionState,
): Promise<void> {
  if (!(await ports.store.leaveFlush(connectionId, outbox.flusher ?? "", outbox.sent, transportId))) return;
  await ports.store.lose(transportId, ports.clock.now() + ports.service.lifetime.disconnectTimeout);
  await ports.transports.close(transportId);
}

/**
 * A sender that knew of nothing waiting may lead the next message past the outbox. So a message counts as sent when it
 * is posted, unless its client is away.
 */
async function awaitPosted({ store, clock }: OutboxPorts, connection: ConnectionState): Promise<void> {
  const { connectionId, outbox } = connection;
  const giveUpAt = clock.now() + ROOM_TIMEOUT;
  while (clock.now() < giveUpAt) {
    await clock.sleep(PAUSE);
    const [message] = await store.queued(connectionId, outbox.last - 1);
    if (message?.number !== outbox.last) return;
    if ((await store.connection(connectionId))?.outbox.flusher !== outbox.flusher) return;
  }
}

export interface OpenedOutbox {
  /** Where the connection's messages stand. */
  readonly head: OutboxHead;
  /** Posts everything after a number. */
  flush(after: number): Promise<void>;
  /** Leaves it to the next transport. */
  leave(): Promise<void>;
}

/** For whoever lets a client in again; undefined when somebody else does, or the connection has moved on. */
export async function openOutbox(
  ports: OutboxPorts,
  { connectionId, transportId }: Pick<ConnectionState, "connectionId" | "transportId">,
  handshakes: number,
): Promise<OpenedOutbox | undefined> {
  const { store, random, clock } = ports;
  if (isHttpTransport(transportId)) return openForReader(ports, { connectionId, transportId }, handshakes);
  const flusher = random.id();
  const change = { flusher, seen: transportId, now: clock.now(), handshakes };
  const connection = await store.startFlush(connectionId, transportId, change);
  if (connection === undefined) return undefined;
  const { outbox: head } = connection;
  return {
    head,
    flush: (after) => flush(ports, connection, flusher, after),
    async leave() {
      await store.leaveFlush(connectionId, flusher, head.sent, transportId);
    },
  };
}

/** To be read from the first message that has not arrived. */
async function openForReader(
  { store, clock }: OutboxPorts,
  { connectionId, transportId }: Pick<ConnectionState, "connectionId" | "transportId">,
  handshakes: number,
): Promise<OpenedOutbox | undefined> {
  const change = { flusher: transportId, seen: transportId, now: clock.now(), handshakes };
  const connection = await store.startFlush(connectionId, transportId, change);
  if (connection === undefined) return undefined;
  return { head: connection.outbox, flush: async () => undefined, leave: async () => undefined };
}

/** Goes on in place of the flusher `seen`. */
async function takeFlush(ports: OutboxPorts, connection: ConnectionState, seen: string | undefined): Promise<void> {
  const { connectionId, transportId, handshakes } = connection;
  const flusher = ports.random.id();
  const change = { flusher, seen, now: ports.clock.now(), handshakes };
  const taken = await ports.store.startFlush(connectionId, transportId, change);
  if (taken !== undefined) await flush(ports, taken, flusher, taken.outbox.sent);
}

async function flush(
  ports: OutboxPorts,
  connection: ConnectionState,
  flusher: string,
  from: number,
  own?: QueuedMessage,
): Promise<void> {
  const { store, clock, service } = ports;
  const { connectionId, transportId, stateful } = connection;
  const room = stateful ? undefined : service.statefulReconnectBufferSize;
  const leaveAt = clock.now() + FLUSH_TIME;
  let { last } = connection.outbox;
  let sent = from;
  for (;;) {
    while (sent < last) {
      const posted = await flushSome(ports, connection, sent, last, own);
      if (posted === undefined) {
        await store.leaveFlush(connectionId, flusher, sent, transportId);
        return;
      }
      sent = posted;
    }
    if (await store.finishFlush(connectionId, flusher, sent, room)) return;
    const now = await store.connection(connectionId);
    if (now?.outbox.flusher !== flusher || now.transportId !== transportId) return;
    last = now.outbox.last;
    if (clock.now() > leaveAt) {
      await store.leaveFlush(connectionId, flusher, sent, LEFT);
      await clock.sleep(PAUSE);
      return takeFlush(ports, connection, LEFT);
    }
  }
}

/** Posts what is there behind `sent`; the number up to which all is done, undefined when the transport is gone. */
async function flushSome(
  ports: OutboxPorts,
  connection: ConnectionState,
  sent: number,
  last: number,
  own: QueuedMessage | undefined,
): Promise<number | undefined> {
  const { connectionId, transportId, stateful } = connection;
  // Mostly there is nothing but what the sender has at hand.
  const isOwn = own !== undefined && own.number === sent + 1 && own.number === last;
  const messages = isOwn ? [own] : await awaitNext(ports, connection, sent, last);
  const batch = takeBatch(messages, sent, batchSize(protocolOf(ports, connection), SHARED_POST));
  const text = batch.map((message) => toRecord(ports, connection, message)).join("");
  const outcome = text === "" ? "accepted" : await ports.transports.post(transportId, text);
  if (outcome !== "accepted") {
    // One that is not gone is closed, or its client would never come back for what waits.
    if (outcome === "failed") await ports.transports.close(transportId);
    await ports.store.lose(transportId, ports.clock.now() + ports.service.lifetime.disconnectTimeout);
    return undefined;
  }
  if (!stateful) {
    // Empty ones stay, so that a late message with their number is refused.
    const posted = batch.filter(({ record }) => record !== undefined);
    await forEachLimit(posted, ROWS_AT_ONCE, ({ number }) => ports.store.dropMessage(connectionId, number));
  }
  return batch.at(-1)?.number ?? sent;
}

/** Nothing is left out where the client counts. */
export function toRecord(
  { dialect }: Pick<OutboxPorts, "dialect">,
  { stateful, handshakes }: ConnectionState,
  message: QueuedMessage,
): string {
  const isWanted = message.handshakes === undefined || message.handshakes === handshakes;
  if (message.record !== undefined && isWanted) return message.record;
  return stateful ? dialect.encode({ kind: "filler" }) : "";
}

/** What waits, beginning with the very next number: a message that does not come in time is passed over. */
export async function awaitNext(
  { store, clock }: Pick<OutboxPorts, "store" | "clock">,
  { connectionId, outbox }: ConnectionState,
  sent: number,
  last: number,
): Promise<readonly QueuedMessage[]> {
  const giveUpAt = clock.now() + HOLE_TIMEOUT;
  for (;;) {
    const messages = await store.queued(connectionId, sent);
    if (messages[0]?.number === sent + 1) return messages;
    if (clock.now() < giveUpAt) {
      await clock.sleep(PAUSE);
      continue;
    }
    // Posted and dropped by a flusher that stopped, or never put: either way they are not to come any more.
    const end = Math.min(last, (messages[0]?.number ?? last + 1) - 1);
    const holes = Array.from({ length: end - sent }, (_, index) => ({ number: sent + 1 + index, record: undefined }));
    await forEachLimit(holes, ROWS_AT_ONCE, async (hole) => {
      await store.putMessage(connectionId, hole, outbox.bytes, clock.now());
    });
  }
}

/** Numbers without a gap, as many as share a post. */
export function takeBatch(messages: readonly QueuedMessage[], sent: number, size: number): readonly QueuedMessage[] {
  const batch: QueuedMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    bytes += byteLength(message.record ?? "");
    if (message.number !== sent + batch.length + 1 || (bytes > size && batch.length > 0)) break;
    batch.push(message);
  }
  return batch;
}

/** A client that reads too slowly, or is away for too much, is not waited for. */
async function giveUp(ports: OutboxPorts, connectionId: string): Promise<QueueOutcome> {
  const connection = await ports.store.connection(connectionId);
  if (connection === undefined || connection.ended) return "nobody";
  ports.log.warn("A connection is ended: more waits for its client than statefulReconnectBufferSize.", {
    connectionId,
  });
  const error = "Connection closed with an error. More messages were waiting than the server keeps.";
  await closeMarked(ports, {
    transportId: connection.transportId,
    reason: { stopCalled: false, code: "outbox_full" },
    message: { kind: "close", error, allowReconnect: true },
  });
  return "full";
}

/** A flusher that died is noticed by the next sender; when there is none, by its client's pings. */
export async function checkFlusher(ports: OutboxPorts, connectionId: string): Promise<void> {
  const connection = await ports.store.connection(connectionId);
  if (connection === undefined || connection.ended) return;
  const { outbox, transportId } = connection;
  const isAtWork = outbox.flusher !== undefined && outbox.flusher !== transportId;
  if (isAtWork && ports.clock.now() - outbox.flushingSince > FLUSHER_LEASE) await resetTransport(ports, connection);
}
