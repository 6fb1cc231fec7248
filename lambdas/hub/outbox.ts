// Messages to a connection whose client is away. A sender takes a number, puts the message into the table, and posts
// what waits if nobody else does: one flusher at a time, in the order of the numbers.
//
//   sender:  number (flusher?) → put message → flusher me: flush
//   resume:  flusher = the new transport → handshake → flusher me: flush
//   flush:   post the next ones → … → stop IF no further number was given out

import { byteLength } from "./channel.ts";
import type { Service } from "./define-service.ts";
import { forEachLimit } from "./for-each-limit.ts";
import type { Clock, Log, PostOutcome, Random, Transports } from "./ports.ts";
import { type ConnectionState, noted, type QueuedMessage, type Store } from "./store.ts";

export interface OutboxPorts {
  readonly service: Service;
  readonly store: Store;
  readonly transports: Transports;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What may wait for one connection: the reference's `StatefulReconnectBufferSize`. Bytes. */
const OUTBOX_SIZE = 100_000;
/** How long a sender waits for room, before the connection is given up. Milliseconds. */
const ROOM_TIMEOUT = 5_000;
/** How long a number may be without its message, before it is passed over. Milliseconds. */
const HOLE_TIMEOUT = 2_000;
/** A flusher that has been at it for longer is dead. Milliseconds. */
const FLUSHER_LEASE = 35_000;
const PAUSE = 200;
const ROWS_AT_ONCE = 32;
/** Bytes that share a post. */
const SHARED_POST = 32 * 1024;

/** Keeps a message for a connection whose transport was seen to be `gone`, in order with all others. */
export async function sendLater(ports: OutboxPorts, connectionId: string, record: string, gone: string): Promise<void> {
  const flusher = ports.random.id();
  const giveUpAt = ports.clock.now() + ROOM_TIMEOUT;
  for (;;) {
    const now = ports.clock.now();
    const connection = await ports.store.nextNumber(connectionId, flusher, now, byteLength(record), OUTBOX_SIZE);
    if (connection === undefined) return;
    if (connection === "full") {
      if (now >= giveUpAt) return giveUp(ports, connectionId);
      await ports.clock.sleep(PAUSE);
      continue;
    }
    const { outbox } = connection;
    if (!(await ports.store.putMessage(connectionId, { number: outbox.last, record }, now))) continue;
    if (outbox.flusher === flusher) {
      if (connection.transportId === gone) return ports.store.stopFlush(connectionId, flusher);
      return flush(ports, connection, flusher);
    }
    if (now - outbox.flushingSince > FLUSHER_LEASE) return flushOutbox(ports, connection, outbox.flusher);
    return awaitPosted(ports, connection);
  }
}

/**
 * Another sender that knew of nothing waiting may lead the next message past the outbox. So a message counts as sent
 * when it is posted, unless its client is away.
 */
async function awaitPosted({ store, clock }: OutboxPorts, connection: ConnectionState): Promise<void> {
  const { connectionId, transportId, outbox } = connection;
  if (outbox.flusher === transportId) return;
  const giveUpAt = clock.now() + ROOM_TIMEOUT;
  while (clock.now() < giveUpAt) {
    await clock.sleep(PAUSE);
    const [message] = await store.queued(connectionId, outbox.last - 1);
    if (message?.number !== outbox.last) return;
    if ((await store.connection(connectionId))?.outbox.flusher !== outbox.flusher) return;
  }
}

/** Posts what waits, in place of the flusher `seen`, and goes on until nothing does. */
export async function flushOutbox(
  ports: OutboxPorts,
  { connectionId, transportId }: Pick<ConnectionState, "connectionId" | "transportId">,
  seen: string | undefined,
): Promise<void> {
  const flusher = ports.random.id();
  const now = ports.clock.now();
  const connection = await ports.store.startFlush(connectionId, transportId, flusher, seen, now);
  if (connection !== undefined) await flush(ports, connection, flusher);
}

async function flush(ports: OutboxPorts, connection: ConnectionState, flusher: string): Promise<void> {
  const { connectionId, transportId } = connection;
  let { last, sent } = connection.outbox;
  for (;;) {
    while (sent < last) {
      const posted = await flushSome(ports, connection, sent, last);
      if (posted === undefined) return ports.store.stopFlush(connectionId, flusher);
      sent = posted;
    }
    if (await ports.store.finishFlush(connectionId, flusher, sent)) return;
    const now = await ports.store.connection(connectionId);
    if (now?.outbox.flusher !== flusher || now.transportId !== transportId) return;
    last = now.outbox.last;
  }
}

/** Posts what is there behind `sent`; the number up to which all is done, undefined when the transport is gone. */
async function flushSome(
  ports: OutboxPorts,
  { connectionId, transportId }: ConnectionState,
  sent: number,
  last: number,
): Promise<number | undefined> {
  const messages = await awaitNext(ports, connectionId, sent, last);
  const batch = takeBatch(messages, sent);
  const text = batch.map(({ record }) => record ?? "").join("");
  const outcome: PostOutcome = text === "" ? "accepted" : await ports.transports.post(transportId, text);
  if (outcome !== "accepted") {
    // One that is not gone is closed, or its client would never come back for what waits.
    if (outcome === "failed") await ports.transports.close(transportId);
    await ports.store.lose(transportId, ports.clock.now() + ports.service.lifetime.disconnectTimeout);
    return undefined;
  }
  // Empty ones stay, so that a late message with their number is refused.
  const posted = batch.filter(({ record }) => record !== undefined);
  await forEachLimit(posted, ROWS_AT_ONCE, ({ number }) => ports.store.dropMessage(connectionId, number));
  return batch.at(-1)?.number ?? sent;
}

/** What waits, beginning with the very next number: a message that does not come in time is passed over. */
async function awaitNext(
  { store, clock }: OutboxPorts,
  connectionId: string,
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
      await store.putMessage(connectionId, hole, clock.now());
    });
  }
}

/** Numbers without a gap, as many as share a post. */
function takeBatch(messages: readonly QueuedMessage[], sent: number): readonly QueuedMessage[] {
  const batch: QueuedMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    bytes += byteLength(message.record ?? "");
    if (message.number !== sent + batch.length + 1 || (bytes > SHARED_POST && batch.length > 0)) break;
    batch.push(message);
  }
  return batch;
}

/** A client that is away for too much is not waited for: the sweeper ends its connection. */
async function giveUp({ store, clock, log }: OutboxPorts, connectionId: string): Promise<void> {
  const connection = await store.connection(connectionId);
  if (connection === undefined) return;
  log.warn("A connection is ended: more waits for its client than the outbox holds.", { connectionId });
  await store.markEnd(connection.transportId, noted({ stopCalled: false, code: "outbox_full" }), clock.now());
}
