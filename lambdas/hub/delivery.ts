// From a message to the transports of everybody addressed: encoded once, posted with bounded concurrency.

import type { HubProtocol, ServerMessage } from "../protocol/index.ts";
import { byteLength, type Channel } from "./channel.ts";
import { type Audience, type Member, readHint } from "./connection-state.ts";
import { forEachLimit } from "./for-each-limit.ts";
import { type OutboxPorts, sendQueued } from "./outbox.ts";
import type { PostOutcome } from "./ports.ts";
import { commonProtocol, Encodings } from "./protocols.ts";
import { noteMessages, type TelemetryPorts } from "./telemetry.ts";

/** Largest message to a client: what API Gateway takes in one post, and a record is never split. Bytes. */
export const MAXIMUM_SEND_MESSAGE_SIZE = 128 * 1024;
const POSTS_AT_ONCE = 64;

/** A message to clients that no gateway would carry. Nothing of it was sent. */
export class MessageTooLargeError extends RangeError {
  override readonly name = "MessageTooLargeError";
  readonly code = "message_too_large";
}

export type DeliveryPorts = OutboxPorts & TelemetryPorts;

export interface Delivery {
  /** To the caller, without asking where it is. To nobody when the connection has ended. */
  toCaller(message: ServerMessage): Promise<void>;
  /** To a connection of the hub; false, and to nobody, when it is not there. */
  toConnection(connectionId: string, message: ServerMessage): Promise<boolean>;
  toAudience(audience: Audience, message: ServerMessage, except?: ReadonlySet<string>): Promise<void>;
}

/**
 * Delivers for one hub. The `channel` of a caller, if there is one, carries what goes to the caller, so that it
 * keeps its order with everything else written there.
 */
export function createDelivery(
  ports: DeliveryPorts,
  hub: string,
  caller: string,
  channel: Channel | undefined,
): Delivery {
  const common = commonProtocol(ports.service, hub);

  async function deliver(member: Member, audience: Audience, encodings: Encodings): Promise<void> {
    const hint = readHint(member.transportId);
    if (channel !== undefined && member.connectionId === caller) {
      const record = encodings.for(channel.protocol.name);
      await settle(
        ports,
        { ...member, transportId: channel.transportId },
        audience,
        record,
        await channel.send(record),
      );
    } else if (hint !== undefined) {
      const outcome = await sendQueued(ports, member.connectionId, { record: encodings.for(hint.protocol) });
      if (outcome === "nobody") await ports.store.forget(audience, member);
    } else {
      const record = encodings.for(common);
      await settle(ports, member, audience, record, await ports.transports.post(member.transportId, record));
    }
  }

  const noteSent = (count: number): void => noteMessages(ports, hub, "signalr.server.messages.sent", count);

  return {
    async toCaller(message) {
      if (channel === undefined) return;
      const record = encodeChecked(channel.protocol, message);
      noteSent(1);
      const member = { connectionId: caller, transportId: channel.transportId };
      await settle(ports, member, { kind: "hub", hub }, record, await channel.send(record));
    },
    async toConnection(connectionId, message) {
      const encodings = encodeAll(ports, common, message);
      const member = await ports.store.member(connectionId, hub);
      if (member === undefined) return false;
      noteSent(1);
      await deliver(member, { kind: "hub", hub }, encodings);
      return true;
    },
    async toAudience(audience, message, except) {
      const encodings = encodeAll(ports, common, message);
      let count = 0;
      for await (const page of ports.store.members(audience)) {
        const recipients = except === undefined ? page : page.filter((member) => !except.has(member.connectionId));
        count += recipients.length;
        await forEachLimit(recipients, POSTS_AT_ONCE, (member) => deliver(member, audience, encodings));
      }
      noteSent(count);
    },
  };
}

/**
 * What is done when a message could not be posted. A sender never runs hub code: it cleans up behind an ended
 * connection, keeps the message for one whose client may come back, or asks the sweeper to end it.
 */
async function settle(
  ports: DeliveryPorts,
  member: Member,
  audience: Audience,
  record: string,
  outcome: PostOutcome,
): Promise<void> {
  const { store, log } = ports;
  const { connectionId, transportId } = member;
  if (outcome === "failed") log.warn("A message was given up for one connection after retries.", { connectionId });
  if (outcome !== "gone") return;
  const connection = await store.connection(connectionId);
  if (connection === undefined || connection.ended) return store.forget(audience, member);
  if (connection.resumeKey === undefined && !connection.stateful) return store.markLost(transportId);
  if (connection.transportId === transportId) {
    await store.lose(transportId, ports.clock.now() + ports.service.lifetime.disconnectTimeout);
  } else if (connection.outbox.flusher === undefined && !connection.stateful) {
    const second = await ports.transports.post(connection.transportId, record);
    if (second === "accepted") return store.redirect(audience, member, connection.transportId);
  }
  await sendQueued(ports, connectionId, { record, gone: transportId });
}

function encodeAll({ dialect }: DeliveryPorts, common: string | undefined, message: ServerMessage): Encodings {
  const encodings = new Encodings(dialect, message);
  // What cannot be said, or is too large, is said to nobody.
  checkSize(encodings.for(common), dialect.protocolOf(common));
  return encodings;
}

/** @throws MessageTooLargeError; TypeError when an argument or result cannot be serialised. */
export function encodeChecked(protocol: HubProtocol, message: ServerMessage): string {
  return checkSize(protocol.encode(message), protocol);
}

function checkSize(record: string, { transferFormat }: HubProtocol): string {
  // No character has more than three bytes.
  if (record.length * 3 <= MAXIMUM_SEND_MESSAGE_SIZE) return record;
  const bytes = transferFormat === "Binary" ? record.length : byteLength(record);
  if (bytes <= MAXIMUM_SEND_MESSAGE_SIZE) return record;
  throw new MessageTooLargeError(
    `The message has ${bytes} bytes; API Gateway carries at most ${MAXIMUM_SEND_MESSAGE_SIZE}. Send less, or a link to it.`,
  );
}
