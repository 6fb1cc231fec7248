// A frame from a client.

import type { ClientMessage } from "../protocol/index.ts";
import type { CallerPorts } from "./caller.ts";
import { endConnection } from "./ending.ts";
import { isInvocation, passesTurn, runFrame } from "./frame.ts";
import { openConnection, reopenConnection } from "./opening.ts";
import type { InvocationNote, TransportState, WaitingFrame } from "./store.ts";
import { drain, leaveTurn, newTurn, openContext, waitForTurn } from "./turn.ts";

export interface Frame {
  readonly transportId: string;
  /** The gateway's id of the message. */
  readonly messageId: string;
  readonly text: string;
  /** When the gateway received it: epoch milliseconds. */
  readonly receivedAt: number;
}

/** Handles one frame. Never throws for what a client sends; a frame of a connection that is gone closes its transport. */
export async function receive(ports: CallerPorts, frame: Frame): Promise<void> {
  const startedAt = ports.clock.now();
  const { messages, error } = ports.dialect.parse(frame.text);
  if (error === undefined && messages.every(passesTurn)) return receivePassing(ports, frame, messages, startedAt);

  const deadline = startedAt + ports.service.lifetime.clientTimeoutInterval;
  const turn = newTurn(ports, noteInvocations(messages));
  const [state, session] = await Promise.all([
    ports.store.take(frame.transportId, deadline, turn),
    ports.store.session(frame.transportId),
  ]);
  if (state === undefined) return refuse(ports, frame.transportId);
  if (session === undefined) {
    await Promise.all([leaveTurn(ports, frame.transportId, turn), refuse(ports, frame.transportId)]);
    return;
  }
  const holds = state.turn?.holder === turn.holder;
  if (state.resuming) {
    const context = openContext(ports, state, session, startedAt);
    if (error === undefined) {
      // The client has its answer already, and the function that gave it is about to reopen the connection.
      await waitForTurn(ports, state, toWaiting(frame, messages), startedAt);
      if (holds) await drain(ports, context, turn, startedAt, undefined);
      return context.channel.flushed();
    }
    await reopenConnection(ports, context, holds ? turn : undefined, startedAt, frame);
    return context.channel.flushed();
  }
  if (!holds) {
    await Promise.all([
      waitForTurn(ports, state, toWaiting(frame, messages), startedAt),
      pingIfDue(ports, state, startedAt),
    ]);
    return;
  }
  const context = openContext(ports, state, session, startedAt);
  if (state.phase === "accepted") {
    await openConnection(ports, context, turn, startedAt, frame.text);
    return context.channel.flushed();
  }
  if (isPingDue(ports, state, startedAt)) void context.channel.write(ports.dialect.encode({ kind: "ping" }));
  const outcome = await runFrame(ports, context, { messages, error });
  const release = outcome === "open" ? drain(ports, context, turn, startedAt, 0) : undefined;
  await Promise.all([release, context.channel.flushed()]);
}

/**
 * Whoever ends a connection, or takes it over, closes its transport after the goodbye. When nothing is left of it,
 * nobody else will.
 */
async function refuse({ store, transports }: CallerPorts, transportId: string): Promise<void> {
  if ((await store.transport(transportId)) === undefined) await transports.close(transportId);
}

/** Pings and the like: one write, and the answer beside it. */
async function receivePassing(
  ports: CallerPorts,
  frame: Frame,
  messages: readonly ClientMessage[],
  now: number,
): Promise<void> {
  const { store, transports, dialect, service } = ports;
  const pings = messages.some((message) => message.kind === "ping");
  const [state] = await Promise.all([
    store.touch(frame.transportId, now + service.lifetime.clientTimeoutInterval),
    pings ? transports.post(frame.transportId, dialect.encode({ kind: "ping" })) : undefined,
  ]);
  if (state === undefined) return refuse(ports, frame.transportId);
  // Its handshake is being answered.
  if (state.resuming) return;
  if (state.phase === "accepted" && state.turn === undefined) {
    const text = dialect.handshakeReply("An unexpected error occurred during connection handshake.");
    await endConnection(ports, {
      transportId: frame.transportId,
      from: { phase: "accepted", turn: undefined },
      reason: { stopCalled: false, code: "handshake_failed", message: "The first frame was no handshake." },
      goodbye: { text },
    });
    return;
  }
  if (!pings) await pingIfDue(ports, state, now);
}

/**
 * A stock client pings only when it has received something and sent nothing, so one that only sends would never ping
 * and give up on a silent server. Every `keepAliveInterval` one of its frames is answered with a Ping.
 */
async function pingIfDue(ports: CallerPorts, state: TransportState, now: number): Promise<void> {
  if (isPingDue(ports, state, now)) {
    await ports.transports.post(state.transportId, ports.dialect.encode({ kind: "ping" }));
  }
}

function isPingDue({ service }: CallerPorts, state: TransportState, now: number): boolean {
  const { keepAliveInterval, clientTimeoutInterval } = service.lifetime;
  const lastFrame = state.previousDeadline - clientTimeoutInterval;
  return state.phase === "open" && Math.floor(lastFrame / keepAliveInterval) < Math.floor(now / keepAliveInterval);
}

/** Room for notes in the transport row, which stays small because the sweeper reads all of them. Characters of JSON. */
const NOTES_SIZE = 150;

function noteInvocations(messages: readonly ClientMessage[]): readonly InvocationNote[] {
  const notes: InvocationNote[] = [];
  let size = 0;
  for (const message of messages) {
    if (!isInvocation(message) || message.id === undefined) continue;
    size += JSON.stringify([message.id, message.target]).length;
    if (size > NOTES_SIZE) break;
    notes.push({ id: message.id, target: message.target });
  }
  return notes;
}

function toWaiting(frame: Frame, messages: readonly ClientMessage[]): WaitingFrame {
  const { text, receivedAt, transportId } = frame;
  return { key: waitingKey(frame, messages), text, receivedAt, transportId };
}

/** Sorts by receive time, then by invocation id as the clients count them. */
function waitingKey(frame: Frame, messages: readonly ClientMessage[]): string {
  const id = messages.filter(isInvocation).find((message) => message.id !== undefined)?.id ?? "";
  const number = /^\d{1,9}$/.test(id) ? id.padStart(9, "0") : "";
  return `${String(frame.receivedAt).padStart(15, "0")}#${number}#${frame.messageId}`;
}
