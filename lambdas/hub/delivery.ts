// From a message to the transports of everybody addressed: encoded once, posted with bounded concurrency.

import type { Dialect, ServerMessage } from "../protocol/index.ts";
import { byteLength, type Channel } from "./channel.ts";
import { forEachLimit } from "./for-each-limit.ts";
import type { Log, PostOutcome, Transports } from "./ports.ts";
import type { Audience, Member, Store } from "./store.ts";

/** Largest message to a client: what API Gateway takes in one post, and a record is never split. Bytes. */
export const MAXIMUM_SEND_MESSAGE_SIZE = 128 * 1024;
const POSTS_AT_ONCE = 64;

/** A message to clients that no gateway would carry. Nothing of it was sent. */
export class MessageTooLargeError extends RangeError {
  override readonly name = "MessageTooLargeError";
  readonly code = "message_too_large";
}

export interface DeliveryPorts {
  readonly store: Store;
  readonly transports: Transports;
  readonly dialect: Dialect;
  readonly log: Log;
}

export interface Delivery {
  /** To the caller, without asking where it is. To nobody when the connection has ended. */
  toCaller(message: ServerMessage): Promise<void>;
  /** To a connection of the hub; to nobody when it is not there. */
  toConnection(connectionId: string, message: ServerMessage): Promise<void>;
  toAudience(audience: Audience, message: ServerMessage, except?: ReadonlySet<string>): Promise<void>;
}

/**
 * Delivers for one hub. The `channel` of a caller, if there is one, carries what goes to the caller, so that it
 * keeps its order with everything else written there.
 */
export function createDelivery(ports: DeliveryPorts, hub: string, channel: Channel | undefined): Delivery {
  async function deliver(member: Member, audience: Audience, record: string): Promise<void> {
    const outcome =
      channel?.transportId === member.transportId
        ? await channel.write(record)
        : await ports.transports.post(member.transportId, record);
    await settle(ports, member, audience, outcome);
  }

  return {
    async toCaller(message) {
      const record = encodeChecked(ports.dialect, message);
      if (channel === undefined) return;
      const outcome = await channel.write(record);
      if (outcome === "gone") await ports.store.markLost(channel.transportId);
    },
    async toConnection(connectionId, message) {
      const record = encodeChecked(ports.dialect, message);
      const member = await ports.store.member(connectionId, hub);
      if (member !== undefined) await deliver(member, { kind: "hub", hub }, record);
    },
    async toAudience(audience, message, except) {
      const record = encodeChecked(ports.dialect, message);
      for await (const page of ports.store.members(audience)) {
        const recipients = except === undefined ? page : page.filter((member) => !except.has(member.connectionId));
        await forEachLimit(recipients, POSTS_AT_ONCE, (member) => deliver(member, audience, record));
      }
    },
  };
}

/** A sender never runs hub code: it cleans up behind an ended connection, or asks the sweeper to end a lost one. */
async function settle(ports: DeliveryPorts, member: Member, audience: Audience, outcome: PostOutcome): Promise<void> {
  if (outcome === "failed") {
    ports.log.warn("A message was given up for one connection after retries.", { connectionId: member.connectionId });
  }
  if (outcome !== "gone") return;
  const connection = await ports.store.connection(member.connectionId);
  if (connection === undefined || connection.ended) await ports.store.forget(audience, member);
  else await ports.store.markLost(member.transportId);
}

export function encodeChecked(dialect: Dialect, message: ServerMessage): string {
  const record = dialect.encode(message);
  if (record.length > MAXIMUM_SEND_MESSAGE_SIZE / 4 && byteLength(record) > MAXIMUM_SEND_MESSAGE_SIZE) {
    throw new MessageTooLargeError(
      `The message has ${byteLength(record)} bytes; API Gateway carries at most ${MAXIMUM_SEND_MESSAGE_SIZE}. Send less, or a link to it.`,
    );
  }
  return record;
}
