// The state port, continued: messages on their way to a client that numbers them, is away, or comes for them.

import type { ConnectionState, Handed } from "./connection-state.ts";

/** A message that waits. Without a record it only takes up its number. */
export interface QueuedMessage {
  readonly number: number;
  /** UTF-8 bytes of all messages up to it; 0 if it only takes up its number. */
  readonly bytes?: number;
  readonly record: string | undefined;
  /** For an answer: the handshake after which it was asked for. */
  readonly handshakes?: number;
}

export interface NumberRequest {
  /** Becomes the flusher if there is none. */
  readonly flusher: string;
  /** Of this request: the same one made twice, as by a retry of the SDK, gives out one number. */
  readonly nonce: string;
  readonly now: number;
  readonly bytes: number;
  /** How many bytes may be unacknowledged, or wait. @default any number */
  readonly limit?: number;
  /** The transport that it is for: refused when the connection has another. @default whichever it has */
  readonly transportId?: string;
  /** For an answer: refused when there was another handshake since. */
  readonly handshakes?: number;
}

export interface OutboxStore {
  /**
   * Gives out the next number. Undefined when the connection has ended or is gone, or nobody waits for this answer any
   * more; `full` when `limit` bytes wait already.
   */
  nextNumber(connectionId: string, request: NumberRequest): Promise<ConnectionState | "full" | undefined>;
  /**
   * `bytes` is the outbox's when the number was given out. False when the number is taken: somebody did not want to
   * wait for it any longer.
   */
  putMessage(connectionId: string, message: QueuedMessage, bytes: number, now: number): Promise<boolean>;
  /** What waits after a number, in order, consistent. */
  queued(connectionId: string, after: number): Promise<readonly QueuedMessage[]>;
  /** A message was posted that nobody will ask for again. */
  dropMessage(connectionId: string, number: number): Promise<void>;
  /** A client says by which transport that it has everything up to `number`; what was never sent is ignored. */
  acknowledge(connectionId: string, transportId: string, number: number, limit: number): Promise<void>;
  /** Becomes the flusher in place of `seen`. Undefined when there is another, or the transport has changed. */
  startFlush(
    connectionId: string,
    transportId: string,
    change: {
      readonly flusher: string;
      readonly seen: string | undefined;
      readonly now: number;
      readonly handshakes: number;
    },
  ): Promise<ConnectionState | undefined>;
  /**
   * Stops being the flusher when everything up to `sent` is posted; with `limit`, that is as good as acknowledged.
   * False when there is more, or another flusher.
   */
  finishFlush(connectionId: string, flusher: string, sent: number, limit: number | undefined): Promise<boolean>;
  /** Leaves what waits after `sent` to `next`; false when not the flusher any more. */
  leaveFlush(connectionId: string, flusher: string, sent: number, next: string): Promise<boolean>;

  // --- clients that come for their messages ----------------------------------------------------------------------

  /**
   * Leaves the answer to a handshake where the client finds it before anything else, and notes the hub protocol. False
   * when the connection has ended or has another transport.
   */
  greet(connectionId: string, transportId: string, greeting: string, protocol: string | undefined): Promise<boolean>;
  /**
   * Becomes the reader in place of whoever was when `seen` was read, and notes that what was handed over has arrived,
   * which makes room for `limit` bytes. Ended connections are read to their end. Undefined when there is another reader
   * or transport by now, or no connection.
   */
  beginReading(seen: ConnectionState, reader: string, limit: number): Promise<ConnectionState | undefined>;
  /** Notes what the reader's answer carries, the greeting among it. False when there is another reader by now. */
  hand(connectionId: string, reader: string, handed: Handed): Promise<boolean>;
  /** Closes such a transport, if the connection has no other. */
  closeReading(connectionId: string, transportId: string): Promise<void>;
}
