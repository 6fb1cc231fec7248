// The first frame of a transport that took a connection over: a Sequence from a stateful client that has both sides'
// counts still, or a handshake from one that begins anew. Either way the client is answered at once, whoever has the
// turn; what has not arrived goes out, and `onReconnected` runs when its turn comes.

import type { Handshake } from "../protocol/index.ts";
import type { TransportState, Turn } from "./connection-state.ts";
import { type DispatchPorts, finishBehind } from "./dispatch.ts";
import { endConnection } from "./ending.ts";
import { greet } from "./greeting.ts";
import { handshakeReply, readHandshake } from "./handshakes.ts";
import { detailOf, optionsOf } from "./hub-options.ts";
import { runReconnected } from "./lifecycle-events.ts";
import { TOO_OLD } from "./opening.ts";
import { type OpenedOutbox, openOutbox } from "./outbox.ts";
import type { Store } from "./store.ts";
import { expectFrom, LATE_COUNTING } from "./tally.ts";
import { isHttpTransport, silentAt } from "./transport-names.ts";
import { channelOf, drain, leaveTurn, newTurn, openContext, waitForTurn } from "./turn.ts";

/** A transport that waits to be taken up, and the frame that does it. */
export interface FirstFrame {
  readonly state: TransportState;
  readonly startedAt: number;
  readonly frame: { readonly text: string; readonly receivedAt: number; readonly messageId: string };
}

/**
 * A handshake: both sides count anew. What was asked before it is answered to nobody. Returns what followed it in its
 * frame.
 */
export async function reopenByHandshake(ports: DispatchPorts, first: FirstFrame): Promise<string> {
  const { transportId, stateful, handshakes } = first.state;
  const handshake = readHandshake(ports, first.state, first.frame.text);
  if (handshake.error !== undefined && stateful) {
    await refuse(ports, first.state, handshake.error);
    return "";
  }
  const problem = handshake.error ?? problemOf(first.state, handshake);
  const answer = async (): Promise<boolean> =>
    (await greet(ports, first.state, handshakeReply(ports, first.state, problem))) === "accepted" &&
    problem === undefined;
  // A client that counts may come back the moment it has its answer: the counts have to be new by then. To one that
  // does not, others may post as soon as it is open.
  const answersFirst = problem !== undefined || (!stateful && !isHttpTransport(transportId));
  if (answersFirst && !(await answer())) {
    await loseAgain(ports, first.state);
    return "";
  }
  const outbox = await openOutbox(ports, first.state, handshakes + 1);
  if (outbox === undefined) return "";
  const after = stateful ? outbox.head.acknowledged : outbox.head.sent;
  const answerNow = answersFirst ? async () => true : answer;
  const isOpen = await reopen(ports, first, outbox, { by: { base: after }, after, answer: answerNow });
  return isOpen ? handshake.rest : "";
}

/** What waits is in the words of the protocol that the client spoke before. */
function problemOf({ stateful, protocol = "json" }: TransportState, handshake: Handshake): string | undefined {
  if (stateful && !handshake.counts) return TOO_OLD;
  if (handshake.protocol === protocol) return undefined;
  return `The connection speaks the '${protocol}' protocol. Begin a new one to speak '${handshake.protocol}'.`;
}

/** A Sequence: what the client repeats is not run again, and what it lacks is repeated. */
export async function reopenBySequence(ports: DispatchPorts, first: FirstFrame, sequenceId: number): Promise<void> {
  const { state } = first;
  const expected = expectFrom(state.tally, sequenceId);
  if (expected === undefined) return refuse(ports, state, TOO_FAR);
  const outbox = await openOutbox(ports, state, state.handshakes);
  if (outbox === undefined) return;
  const after = replayAfter(state, outbox.head.acknowledged);
  const text = ports.dialect.encode({ kind: "sequence", sequenceId: after + 1 - state.base });
  if ((await ports.transports.post(state.transportId, text)) !== "accepted") {
    await outbox.leave();
    return loseAgain(ports, state);
  }
  const by = { expected, replay: { after, upTo: outbox.head.last } };
  await reopen(ports, first, outbox, { by, after, answer: async () => true });
}

/**
 * A stock client acknowledges everything that it ever received, also while it counts through what is repeated to it, and
 * stops when a Sequence is beyond its count. So what it acknowledges of that is not taken at its word.
 */
function replayAfter({ replay }: TransportState, acknowledged: number): number {
  return acknowledged > replay.upTo ? acknowledged : Math.min(acknowledged, replay.after);
}

interface Reopening {
  readonly by: Parameters<Store["reopen"]>[1];
  /** What the client has of the outbox. */
  readonly after: number;
  /** What the client is told when it is through; false when that did not reach it. */
  readonly answer: () => Promise<boolean>;
}

async function reopen(
  ports: DispatchPorts,
  { state, startedAt, frame }: FirstFrame,
  outbox: OpenedOutbox,
  { by, after, answer }: Reopening,
): Promise<boolean> {
  const turn = newTurn(ports, []);
  const reopened = await ports.store.reopen(state.transportId, by, turn, {
    deadline: silentAt(ports.service.lifetime.clientTimeoutInterval, state, startedAt),
    quietUntil: ports.clock.now() + LATE_COUNTING,
  });
  const holds = reopened?.turn?.holder === turn.holder;
  if (reopened === undefined || !(await answer())) {
    // Also when the answer to the write was lost, and nobody knows whether it was made.
    await leaveTurn(ports, state.transportId, turn);
    await outbox.leave();
    await loseAgain(ports, state);
    return false;
  }
  if (holds) {
    await Promise.all([outbox.flush(after), runNow(ports, reopened, turn, startedAt)]);
    return true;
  }
  // A stock client whose first frame has come meanwhile pings only after it has heard something again.
  const channel = channelOf(ports, reopened);
  channel.ping();
  // In front of the frames that came meanwhile.
  const { receivedAt, messageId } = frame;
  const key = `${String(receivedAt).padStart(15, "0")}##${messageId}`;
  const { transportId, handshakes } = reopened;
  const waiting = { key, text: "", receivedAt, transportId, handshakes, repeated: [], reconnected: true };
  await Promise.all([channel.flushed(), outbox.flush(after), waitForTurn(ports, reopened, waiting, startedAt)]);
  return true;
}

async function runNow(ports: DispatchPorts, state: TransportState, turn: Turn, startedAt: number): Promise<void> {
  const session = await ports.store.session(state.transportId);
  if (session === undefined) return leaveTurn(ports, state.transportId, turn);
  const context = openContext(ports, state, session, startedAt);
  await runReconnected(ports, context);
  await drain(ports, context, turn, startedAt, state.waiting === 0 ? 0 : undefined);
  await context.channel.flushed();
  await finishBehind(context);
}

const TOO_FAR = "Sequence ID greater than amount of messages we've received.";

/** Neither a Sequence that can be, nor a handshake. */
async function refuse(ports: DispatchPorts, { transportId, hub }: TransportState, text: string): Promise<void> {
  const detail = detailOf(optionsOf(ports.service, hub), `InvalidOperationException: ${text}`);
  await endConnection(ports, {
    transportId,
    from: { phase: "open" },
    reason: { stopCalled: false, code: "protocol_error", message: text },
    goodbye: { message: { kind: "close", error: `Connection closed with an error.${detail}` } },
  });
}

/** The client did not take up its connection: it has its time to come back once more. */
async function loseAgain(
  { store, transports, clock, service }: DispatchPorts,
  { transportId }: TransportState,
): Promise<void> {
  await store.lose(transportId, clock.now() + service.lifetime.disconnectTimeout);
  await transports.close(transportId);
}
