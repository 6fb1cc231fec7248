// A frame from a client.

import { type ClientMessage, isCounted } from "../protocol/index.ts";
import type { TransportState, Turn, WaitingFrame } from "./connection-state.ts";
import { type DispatchPorts, finishBehind } from "./dispatch.ts";
import { endConnection } from "./ending.ts";
import { isInvocation, passesTurn, runFrame, without } from "./frame.ts";
import { framesOf } from "./handshakes.ts";
import { largestMessage } from "./hub-options.ts";
import { LEASE } from "./lease.ts";
import { closeTooLarge } from "./message-size.ts";
import { noteInvocations } from "./notes.ts";
import { openConnection } from "./opening.ts";
import { checkFlusher } from "./outbox.ts";
import { passOn } from "./passing.ts";
import { isRaw, protocolOf } from "./protocols.ts";
import { reopenByHandshake, reopenBySequence } from "./reopening.ts";
import { acknowledge, acknowledgeSettled, arrive } from "./tally.ts";
import { noteMessages } from "./telemetry.ts";
import { isHttpTransport, silentAt } from "./transport-names.ts";
import { drain, leaveTurn, newTurn, openContext, putWaiting, waitForTurn } from "./turn.ts";

export interface Frame {
  readonly transportId: string;
  /** The gateway's id of the message. */
  readonly messageId: string;
  readonly text: string;
  /** When the gateway received it: epoch milliseconds. */
  readonly receivedAt: number;
  /** The hub protocol of its connection. @default what is spoken over sockets */
  readonly protocol?: string | undefined;
}

/** Handles one frame. Never throws for what a client sends; a frame of a connection that is gone closes its transport. */
export async function receive(ports: DispatchPorts, given: Frame): Promise<void> {
  const startedAt = ports.clock.now();
  const frame = { ...given, protocol: given.protocol ?? (await framesOf(ports, given.transportId)) };
  const { messages, error } = protocolOf(ports, frame).parse(frame.text, largestMessage(ports.service));
  const passes = error === undefined && messages.every(passesTurn) && !isRaw(frame);
  const sequences = messages.filter(({ kind }) => kind === "sequence");
  // What comes with it in one frame has to wait for it.
  const isShared = sequences.length > 0 && messages.some((message) => isCounted(message) || !passesTurn(message));
  if (isShared) await receivePassing(ports, frame, sequences, startedAt);
  const outcome = passes
    ? await receivePassing(ports, frame, messages, startedAt)
    : await receiveForTurn(ports, frame, messages, error !== undefined, startedAt);
  if (outcome !== undefined) {
    const count = messages.filter(isCounted).length;
    noteMessages(ports, outcome.state.hub, "signalr.server.messages.received", count);
  }
  if (outcome?.rest) await receive(ports, { ...frame, text: outcome.rest, protocol: outcome.state.protocol });
  if (outcome !== undefined && isPressing(outcome.state, frame)) await acknowledgeSettled(ports, frame);
}

interface Outcome {
  readonly state: TransportState;
  /** What followed a handshake in its frame. */
  readonly rest?: string;
}

/**
 * A stock client holds back what it sends once 100,000 bytes are not acknowledged. So one function in so many messages
 * does not leave that to the next frame: one in four when they are large.
 */
function isPressing({ stateful, tally }: TransportState, { text }: Frame): boolean {
  const every = text.length >= LARGE ? 4 : 20;
  return stateful && tally.received > 0 && tally.received % every === 0;
}

/** Characters. */
const LARGE = 4 * 1024;

async function receiveForTurn(
  ports: DispatchPorts,
  frame: Frame,
  messages: readonly ClientMessage[],
  isBroken: boolean,
  startedAt: number,
): Promise<Outcome | undefined> {
  const { store, service } = ports;
  const { transportId } = frame;
  const deadline = silentAt(service.lifetime.clientTimeoutInterval, frame, startedAt);
  const turn = newTurn(ports, []);
  const toTurn = (fresh: readonly ClientMessage[]): Turn => ({ ...turn, invocations: noteInvocations(fresh) });
  const [arrival, read] = await Promise.all([
    arrive(ports, frame, messages, isBroken || isRaw(frame), deadline, toTurn),
    store.session(transportId),
  ]);
  if (arrival === undefined) return refuse(ports, transportId);
  const { state, repeated } = arrival;
  // What a raw client says says nothing of a handshake: it waits for whoever takes the transport up.
  const isMessage = isRaw(state) && frame.text !== "";
  if (state.resuming && isMessage) {
    await waitForTurn(ports, state, toWaiting(frame, messages, state, repeated), startedAt);
    return { state };
  }
  if (state.resuming) return { state, rest: await reopenByHandshake(ports, { state, startedAt, frame }) };
  const session = arrival.isLate ? await store.session(transportId) : read;
  const holds = state.turn?.holder === turn.holder;
  const waits = isBroken || repeated.length < messages.length;
  if (session === undefined) {
    // It has moved on, and the turn with it; or the connection has ended, and takes the frame along.
    if (holds) await leaveTurn(ports, transportId, turn);
    if (waits) await waitForTurn(ports, state, toWaiting(frame, messages, state, repeated), startedAt);
    return refuse(ports, transportId);
  }
  if (!holds) {
    await Promise.all([
      waits && waitForTurn(ports, state, toWaiting(frame, messages, state, repeated), startedAt),
      pingWhileWaiting(ports, state, startedAt),
    ]);
    return { state };
  }
  const context = openContext(ports, state, session, startedAt);
  if (state.phase === "accepted") {
    // Others may wait by the time it is open, and came later.
    if (isMessage) await putWaiting(ports, state, toWaiting(frame, messages, state, repeated));
    const rest = await openConnection(ports, context, turn, startedAt, frame.text);
    await context.channel.flushed();
    await finishBehind(context);
    return { state: context.state, rest };
  }
  if (isPingDue(ports, state, startedAt)) context.channel.ping();
  const outcome = await runFrame(
    ports,
    context,
    without(protocolOf(ports, state).parse(frame.text, context.hub.options.maximumReceiveMessageSize), repeated),
    frame.receivedAt,
  );
  const release = outcome === "open" ? drain(ports, context, turn, startedAt, 0) : undefined;
  await Promise.all([release, context.channel.flushed()]);
  await finishBehind(context);
  return { state };
}

/**
 * Whoever ends a connection, or takes it over, closes its transport after the goodbye. When nothing is left of it,
 * nobody else will.
 */
async function refuse({ store, transports }: DispatchPorts, transportId: string): Promise<undefined> {
  if ((await store.transport(transportId)) === undefined) await transports.close(transportId);
}

/** Pings and the like: one write, and the answer beside it. */
async function receivePassing(
  ports: DispatchPorts,
  frame: Frame,
  messages: readonly ClientMessage[],
  now: number,
): Promise<Outcome | undefined> {
  const { transports, dialect, service } = ports;
  const { transportId } = frame;
  const pings = messages.some((message) => message.kind === "ping") && !isHttpTransport(transportId);
  const [sequenceId] = messages.flatMap((message) => (message.kind === "sequence" ? [message.sequenceId] : []));
  const [arrival] = await Promise.all([
    arrive(
      ports,
      frame,
      messages,
      sequenceId !== undefined,
      silentAt(service.lifetime.clientTimeoutInterval, frame, now),
    ),
    pings ? transports.post(transportId, dialect.encode({ kind: "ping" })) : undefined,
  ]);
  if (arrival === undefined) return refuse(ports, transportId);
  const { state } = arrival;
  if (state.resuming) {
    if (sequenceId !== undefined && state.stateful)
      await reopenBySequence(ports, { state, startedAt: now, frame }, sequenceId);
    return { state };
  }
  if (state.phase === "accepted" && state.turn === undefined) {
    const text = dialect.handshakeReply("An unexpected error occurred during connection handshake.");
    await endConnection(ports, {
      transportId,
      from: { phase: "accepted", turn: undefined },
      reason: { stopCalled: false, code: "handshake_failed", message: "The first frame was no handshake." },
      goodbye: { text },
    });
    return undefined;
  }
  if (sequenceId === undefined && (await closeTooLarge(ports, state, frame.text))) return undefined;
  if (!pings) await pingIfDue(ports, state, now);
  await noteAcknowledged(ports, state, messages);
  for (const [index, message] of messages.entries()) {
    if (!arrival.repeated.includes(index)) await passOn(ports, state, message, frame.receivedAt);
  }
  if (isCheckDue(ports, state, now)) await checkFlusher(ports, state.connectionId);
  await acknowledge(ports, state);
  return { state };
}

/** Now and then. */
function isCheckDue({ service }: DispatchPorts, state: TransportState, now: number): boolean {
  const lastFrame = state.previousDeadline - service.lifetime.clientTimeoutInterval;
  return state.stateful && Math.floor(lastFrame / CHECK_INTERVAL) < Math.floor(now / CHECK_INTERVAL);
}

const CHECK_INTERVAL = 30_000;

/** The client says what has arrived of what it was sent. */
async function noteAcknowledged(
  { store, service }: DispatchPorts,
  { stateful, connectionId, transportId, base }: TransportState,
  messages: readonly ClientMessage[],
): Promise<void> {
  const counts = messages.flatMap((message) => (message.kind === "ack" ? [message.sequenceId] : []));
  const count = Math.max(0, ...counts.filter((each) => Number.isSafeInteger(each)));
  if (!stateful || count === 0 || !Number.isSafeInteger(base + count)) return;
  await store.acknowledge(connectionId, transportId, base + count, service.statefulReconnectBufferSize);
}

/**
 * A stock client pings only when it has received something and sent nothing, so one that only sends would never ping
 * and give up on a silent server. Every `keepAliveInterval` one of its frames is answered with a Ping.
 */
async function pingIfDue(ports: DispatchPorts, state: TransportState, now: number): Promise<void> {
  if (isPingDue(ports, state, now)) await ping(ports, state);
}

async function ping(ports: DispatchPorts, state: TransportState): Promise<void> {
  await ports.transports.post(state.transportId, protocolOf(ports, state).encode({ kind: "ping" }));
}

/** A holder that has had the turn for longer may have it for long. Milliseconds. */
const SOON = 250;

/**
 * A frame may wait for longer than `clientTimeoutInterval`, behind a function that died, and a stock client that has
 * sent something pings only after it has heard something again.
 */
async function pingWhileWaiting(ports: DispatchPorts, state: TransportState, now: number): Promise<void> {
  const heldSince = (state.turn?.until ?? 0) - LEASE;
  if (isHttpTransport(state.transportId)) return;
  if (state.phase !== "open" || now - heldSince < SOON) return pingIfDue(ports, state, now);
  return ping(ports, state);
}

function isPingDue({ service }: DispatchPorts, state: TransportState, now: number): boolean {
  if (isHttpTransport(state.transportId)) return false;
  const { keepAliveInterval, clientTimeoutInterval } = service.lifetime;
  const lastFrame = state.previousDeadline - clientTimeoutInterval;
  return state.phase === "open" && Math.floor(lastFrame / keepAliveInterval) < Math.floor(now / keepAliveInterval);
}

function toWaiting(
  frame: Frame,
  messages: readonly ClientMessage[],
  { handshakes }: TransportState,
  repeated: readonly number[],
): WaitingFrame {
  const { text, receivedAt, transportId } = frame;
  return { key: waitingKey(frame, messages), text, receivedAt, transportId, handshakes, repeated };
}

/** Sorts by receive time, then by invocation id as the clients count them. */
function waitingKey(frame: Frame, messages: readonly ClientMessage[]): string {
  const id = messages.filter(isInvocation).find((message) => message.id !== undefined)?.id ?? "";
  const number = /^\d{1,9}$/.test(id) ? id.padStart(9, "0") : "";
  return `${String(frame.receivedAt).padStart(15, "0")}#${number}#${frame.messageId}`;
}
