// Reads a connection's messages for a client that comes for them: a poll, or an event stream. The newest reader of a
// connection is the only one.
//
//   poll 1:  begin (reader 1) ── wait … 3 messages ── hand 3 IF reader 1 ✓ ── answer
//   poll 2:                            begin (reader 2): those 3 have arrived ── wait …
//
// What was handed to a poll stays until the next one comes: if that never does, and the client comes back with its
// resume key, it is sent again.

import type { Dialect } from "../protocol/index.ts";
import { batchSize, byteLength } from "./channel.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { Service } from "./define-service.ts";
import { pauseBehind } from "./look-pause.ts";
import { awaitNext, takeBatch, toRecord } from "./outbox.ts";
import type { QueuedMessage } from "./outbox-store.ts";
import type { Clock } from "./ports.ts";
import { protocolOf } from "./protocols.ts";
import type { Store } from "./store.ts";

export interface ReaderPorts {
  readonly store: Store;
  readonly clock: Clock;
  readonly dialect: Dialect;
  readonly service: Service;
}

/** What a reader found. */
export type Read =
  /** Records of the connection's protocol, one after the other. */
  | { readonly kind: "messages"; readonly text: string }
  /** Nothing in time. */
  | { readonly kind: "nothing" }
  /** The connection has ended, or its transport is closed, and nothing is left. */
  | { readonly kind: "over" }
  /** Somebody else reads. */
  | { readonly kind: "superseded" };

/** Largest answer: a function's may have 6 MB. Bytes. */
const MOST_BYTES = 1024 * 1024;

export interface Reader {
  /** Waits for messages, until a time. Epoch milliseconds. */
  read(until: number): Promise<Read>;
  /** What was read has reached its client. */
  arrived(): Promise<void>;
  /** The connection as it was last seen. */
  readonly connection: ConnectionState;
}

/** Becomes the reader; undefined when the connection is not by this transport any more. */
export async function openReader(
  ports: ReaderPorts,
  found: ConnectionState,
  reader: string,
): Promise<Reader | undefined> {
  const { store, clock, service } = ports;
  const { connectionId, transportId } = found;
  const limit = service.statefulReconnectBufferSize;

  async function begin(seen: ConnectionState | undefined): Promise<ConnectionState | undefined> {
    if (seen?.transportId !== transportId) return undefined;
    return (await store.beginReading(seen, reader, limit)) ?? begin(await store.connection(connectionId));
  }

  const begun = await begin(found);
  if (begun === undefined) return undefined;
  let connection = begun;

  /** Undefined when there is nothing. */
  async function take(): Promise<Read | undefined> {
    const { reading, outbox, ended } = connection;
    const isOver = ended || reading.closed === transportId;
    // In front of the answer to its handshake a client would not understand anything.
    if (reading.greeted !== transportId && !isOver) return undefined;
    const messages = outbox.last > outbox.sent ? await present(isOver) : [];
    const text = (reading.greeting ?? "") + messages.map((each) => toRecord(ports, connection, each)).join("");
    if (text === "" && messages.length === 0) return isOver ? { kind: "over" } : undefined;
    const last = messages.at(-1);
    const handed = { number: last?.number ?? outbox.sent, bytes: last?.bytes || outbox.bytes };
    if (!(await store.hand(connectionId, reader, handed))) return { kind: "superseded" };
    // Numbers without messages are passed over at once.
    if (text === "") {
      await arrived();
      return undefined;
    }
    return { kind: "messages", text };
  }

  /** At the end of a connection nothing is missing that could come still. */
  async function present(isOver: boolean): Promise<readonly QueuedMessage[]> {
    const { sent, last } = connection.outbox;
    const size = batchSize(protocolOf(ports, connection), MOST_BYTES);
    return isOver
      ? upTo(size, await store.queued(connectionId, sent))
      : takeBatch(await awaitNext(ports, connection, sent, last), sent, size);
  }

  async function arrived(): Promise<void> {
    const now = await store.connection(connectionId);
    if (now === undefined || now.reading.reader !== reader) return;
    connection = (await store.beginReading(now, reader, limit)) ?? now;
  }

  return {
    get connection() {
      return connection;
    },
    async read(until) {
      for (let looks = 0; ; looks++) {
        if (connection.transportId !== transportId || connection.reading.reader !== reader)
          return { kind: "superseded" };
        const taken = await take();
        if (taken !== undefined) return taken;
        const left = until - clock.now();
        if (left <= 0) return { kind: "nothing" };
        const pause = Math.min(left, pauseBehind(looks));
        const slept = clock.now();
        await clock.sleep(pause);
        // A clock that does not let it sleep is one of a process that ends.
        if (clock.now() - slept < pause / 2) return { kind: "nothing" };
        const now = await store.connection(connectionId);
        if (now === undefined) return { kind: "over" };
        connection = now;
      }
    },
    arrived,
  };
}

/** The first messages, at least one. */
function upTo(size: number, messages: readonly QueuedMessage[]): readonly QueuedMessage[] {
  let bytes = 0;
  const over = messages.findIndex(({ record }, index) => {
    bytes += byteLength(record ?? "");
    return index > 0 && bytes > size;
  });
  return over < 0 ? messages : messages.slice(0, over);
}
