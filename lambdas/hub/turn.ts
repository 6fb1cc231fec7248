// One connection, one runner. The turn lives in the transport row; a frame that finds it taken waits in the table,
// and whoever lets go of the turn must have seen every frame that was counted.
//
//   frame A: take ───────────── run A ── release IF seen = 0 ✗ ── read: 1 waits ── run B ── release IF seen = 1 ✓
//   frame B:      take: A's ─ put B ─ count 1 ┘
//
// A row is visible before it is counted, each row runs at most once, and a holder whose lease has run out is dead.

import type { ParsedFrame } from "../protocol/index.ts";
import { runBeside } from "./beside.ts";
import type { CallerPorts } from "./caller.ts";
import { type Channel, openChannel, openNumberedChannel } from "./channel.ts";
import type { Session, TransportState, Turn, WaitingFrame } from "./connection-state.ts";
import { type DispatchContext, type DispatchPorts, failInvocation, finishBehind } from "./dispatch.ts";
import { failFrame, isInvocation, runFrame, without } from "./frame.ts";
import { takeBack, workKey } from "./hand-over.ts";
import { optionsOf } from "./hub-options.ts";
import { LEASE, RUN_LIMIT } from "./lease.ts";
import { runReconnected, runRefreshed } from "./lifecycle-events.ts";
import { hasRoom, noteFrames } from "./notes.ts";
import { sendQueued } from "./outbox.ts";
import { protocolOf } from "./protocols.ts";
import { openSlots, type Slots } from "./slots.ts";
import { ackOf, trimOf } from "./tally.ts";
import { isQueued } from "./transport-names.ts";

/** A holder older than this starts no further frame, so that each has time to run. Milliseconds. */
const DRAIN_LIMIT = 10_000;
/** A frame that waited longer is not run any more, but answered with an error. Milliseconds. */
const FRAME_AGE = 300_000;
/** How long a holder looks for the transport that its connection goes over to. Milliseconds. */
const MOVE_TIME = 6_000;
const PAUSE = 100;

export function newTurn(ports: DispatchPorts, invocations: Turn["invocations"]): Turn {
  return { holder: ports.random.id(), until: ports.clock.now() + LEASE, invocations };
}

/** What the holder of a turn works with; `startedAt` is when its function began. */
export function openContext(
  ports: CallerPorts,
  state: TransportState,
  session: Session,
  startedAt: number,
): DispatchContext {
  const hub = ports.service.hubs.get(state.hub.toLowerCase());
  if (hub === undefined) throw new Error(`The service has no hub '${state.hub}' any more: it was deployed without it.`);
  const slots = openSlots(hub.options.maximumParallelInvocationsPerClient);
  const channel = channelOf(ports, state);
  return { hub, state, session, channel, stopAt: startedAt + RUN_LIMIT, behind: new Set(), slots };
}

/** The way to the client of a transport. */
export function channelOf(ports: CallerPorts, state: TransportState): Channel {
  const { transportId, connectionId, handshakes } = state;
  if (!isQueued(state)) return openChannel(ports.transports, transportId, protocolOf(ports, state));
  return openNumberedChannel(ports.transports, transportId, protocolOf(ports, state), async (record, isAnswer) => {
    await sendQueued(ports, connectionId, { record, ...(isAnswer && { handshakes }) });
  });
}

/** Puts the frame where the holder of the turn finds it. Undefined, and it is not there, when nobody will look. */
export async function putWaiting(
  ports: Pick<DispatchPorts, "store" | "clock">,
  { connectionId, transportId }: Pick<TransportState, "connectionId" | "transportId">,
  frame: WaitingFrame,
): Promise<TransportState | undefined> {
  await ports.store.enqueue(connectionId, frame);
  const counted = await countWaiting(ports, transportId);
  if (counted === undefined) await ports.store.claimFrame(connectionId, frame.key);
  return counted;
}

/** The same; if the holder is dead by then, takes its place. */
export async function waitForTurn(
  ports: DispatchPorts,
  state: TransportState,
  frame: WaitingFrame,
  startedAt: number,
): Promise<void> {
  const counted = await putWaiting(ports, state, frame);
  if (counted === undefined) return;
  const runs = counted.phase === "open" && !counted.resuming;
  if (runs && isFree(counted.turn, ports.clock.now())) await takeOver(ports, counted, startedAt);
}

/** The turn moves with its connection, and so does the count. */
async function countWaiting(
  ports: Pick<DispatchPorts, "store" | "clock">,
  transportId: string,
): Promise<TransportState | undefined> {
  const counted = await ports.store.count(transportId);
  if (counted !== undefined) return counted;
  const next = await nextOf(ports, transportId);
  return next === undefined ? undefined : countWaiting(ports, next.transportId);
}

/**
 * The transport that has taken over. The old one is frozen first: whoever moves the connection puts the new one, with
 * the turn, a moment later.
 */
async function nextOf(
  { store, clock }: Pick<DispatchPorts, "store" | "clock">,
  transportId: string,
): Promise<TransportState | undefined> {
  const next = (await store.transport(transportId))?.next;
  if (next === undefined) return undefined;
  const giveUpAt = clock.now() + MOVE_TIME;
  for (;;) {
    const state = await store.transport(next);
    if (state !== undefined || clock.now() >= giveUpAt) return state;
    await clock.sleep(PAUSE);
  }
}

export function isFree(turn: Turn | undefined, now: number): boolean {
  return turn === undefined || turn.until < now;
}

/**
 * Takes the turn of a dead holder, for a function that began at `startedAt`; answers for the invocations that died with it, and
 * runs what waits.
 */
export async function takeOver(ports: DispatchPorts, state: TransportState, startedAt: number): Promise<void> {
  const turn = newTurn(ports, []);
  if (!(await ports.store.steal(state.transportId, turn, state.turn))) return;
  const session = await ports.store.session(state.transportId);
  if (session === undefined) return leaveTurn(ports, state.transportId, turn);
  const context = openContext(ports, state, session, startedAt);
  for (const note of await died(ports, state)) failInvocation(ports, context, note);
  await Promise.all([context.channel.flushed(), drain(ports, context, turn, startedAt, undefined)]);
  await finishBehind(context);
}

/** What the dead holder had begun: what it has only noted still waits, and what a worker has is the worker's. */
async function died(ports: DispatchPorts, state: TransportState): Promise<Turn["invocations"]> {
  const { turn, connectionId } = state;
  if (turn === undefined || turn.invocations.length === 0) return [];
  const waiting = await ports.store.waiting(connectionId);
  const messages = waiting.flatMap((frame) => parseWaiting(ports, state, frame).messages);
  const ids = new Set(messages.filter(isInvocation).map(({ id }) => id));
  const begun = turn.invocations.filter(({ id }) => !ids.has(id));
  const handedOver = await Promise.all(begun.map(({ id }) => takeBack(ports, connectionId, workKey(state, id))));
  return begun.filter((_, index) => handedOver[index] !== "begun");
}

/** The session has moved on, and with it the turn that was just taken: it is left to the next frame or sweep. */
export async function leaveTurn(
  ports: Pick<DispatchPorts, "store" | "clock">,
  transportId: string,
  turn: Turn,
): Promise<void> {
  await ports.store.abandon(transportId, turn.holder);
  const next = await nextOf(ports, transportId);
  if (next !== undefined) await leaveTurn(ports, next.transportId, turn);
}

/**
 * Lets go of the turn, running what waits until nothing does. `seen` is how many waiting frames the holder knows of;
 * undefined if it has not looked.
 */
export async function drain(
  ports: DispatchPorts,
  context: DispatchContext,
  turn: Turn,
  startedAt: number,
  seen: number | undefined,
): Promise<void> {
  const { store } = ports;
  let known = seen;
  for (;;) {
    if (context.slots !== undefined) {
      const outcome = await drainBeside(ports, context, context.slots, turn, startedAt, known);
      if (outcome === "over") return;
      known = outcome;
    }
    if (known !== undefined && (await release(ports, context, turn, known))) return;
    const { transportId } = context.state;
    const state = await store.transport(transportId);
    if (state?.next !== undefined) return drainMoved(ports, context, turn, startedAt, transportId);
    if (state?.phase !== "open" || state.end !== undefined || state.turn?.holder !== turn.holder) return;
    // The client is back, but not through its handshake: who lets it in runs what waits.
    if (state.resuming) {
      await store.yieldTurn(transportId, turn.holder);
      known = undefined;
      continue;
    }
    await follow(ports, context, state);
    known = state.waiting;
    const outcome = await runAllWaiting(ports, context, turn, startedAt);
    if (outcome === "over") return;
    if (outcome === "moved") known = undefined;
  }
}

function drainBeside(
  ports: DispatchPorts,
  context: DispatchContext,
  slots: Slots,
  turn: Turn,
  startedAt: number,
  seen: number | undefined,
): Promise<number | undefined | "over"> {
  return runBeside(ports, context, {
    slots,
    turn,
    seen,
    until: startedAt + DRAIN_LIMIT,
    async move() {
      const state = await nextOf(ports, context.state.transportId);
      if (state === undefined) return false;
      context.state = state;
      context.channel = channelOf(ports, state);
      return true;
    },
    follow: (state) => follow(ports, context, state),
    take: () => runAllWaiting(ports, context, turn, startedAt),
  });
}

/** `over` when the turn is not the holder's to keep any more, `moved` when that has to be looked at. */
async function runAllWaiting(
  ports: DispatchPorts,
  context: DispatchContext,
  turn: Turn,
  startedAt: number,
): Promise<"done" | "moved" | "over"> {
  const { store, clock } = ports;
  const { slots } = context;
  const { connectionId, transportId, handshakes } = context.state;
  const waiting = await store.waiting(connectionId);
  const parsed = waiting.map((frame) => parseWaiting(ports, context.state, frame));
  let noted = 0;
  for (const [at, frame] of waiting.entries()) {
    // The client has shaken hands anew, by a transport that this function has not seen yet.
    if (frame.handshakes > handshakes) break;
    await slots?.free();
    if (at === noted) await roomForNotes(context, parsed[at] ?? NOTHING);
    if (clock.now() - startedAt > DRAIN_LIMIT) {
      await slots?.settled();
      await leaveTurn(ports, transportId, turn);
      return "over";
    }
    if (at === noted) {
      const next = parsed.slice(at).map(({ messages }) => messages);
      const { notes, count } = noteFrames(next, context.hub.options, slots?.running);
      if (notes.length > 0 && !(await store.note(transportId, turn.holder, notes))) return "moved";
      noted += count;
    }
    // Nobody else takes frames while the turn is held: one that is gone was claimed by a first try, whose answer the
    // SDK did not get, and which did not run.
    const claimed = await store.claimFrame(connectionId, frame.key);
    if ((await runWaiting(ports, context, frame, parsed[at] ?? NOTHING, claimed)) === "ended") return "over";
  }
  return "done";
}

const NOTHING: ParsedFrame = { messages: [], error: undefined };

/** What runs is answered for as well: a frame that finds no room for its notes waits until something is over. */
async function roomForNotes({ hub, slots }: DispatchContext, { messages }: ParsedFrame): Promise<void> {
  while (slots !== undefined && slots.running.length > 0 && !hasRoom(messages, hub.options, slots.running)) {
    await slots.change();
  }
}

/** The client may have shaken hands anew since: what it asks now is answered, what it asked before is not. */
async function follow(ports: DispatchPorts, context: DispatchContext, state: TransportState): Promise<void> {
  if (state.handshakes !== context.state.handshakes) {
    await context.channel.flushed();
    context.channel = channelOf(ports, state);
  }
  context.state = state;
}

/** The client learns in passing what has arrived. */
async function release(
  ports: DispatchPorts,
  { channel, state }: DispatchContext,
  { holder }: Turn,
  seen: number,
): Promise<boolean> {
  const { store, clock } = ports;
  const { transportId } = state;
  // Nobody will ask what a client said that does not count.
  if (!state.stateful) return store.release(transportId, holder, seen, false, "forget");
  const trim = trimOf(state, clock.now());
  const ack = trim && ackOf(ports, state, trim);
  if (ack !== undefined) void channel.write(ack);
  const [isFree] = await Promise.all([
    store.release(transportId, holder, seen, false, trim),
    trim !== undefined && trim.drop > 0 && store.trim(transportId, trim),
  ]);
  return isFree;
}

/** The connection went over to another transport, and the turn with it. */
async function drainMoved(
  ports: DispatchPorts,
  context: DispatchContext,
  turn: Turn,
  startedAt: number,
  transportId: string,
): Promise<void> {
  const state = await nextOf(ports, transportId);
  if (state === undefined) return;
  const moved = { ...context, state, channel: channelOf(ports, state) };
  await drain(ports, moved, turn, startedAt, undefined);
  await moved.channel.flushed();
}

async function runWaiting(
  ports: DispatchPorts,
  context: DispatchContext,
  { reconnected, refreshed, receivedAt }: WaitingFrame,
  parsed: ParsedFrame,
  claimed: boolean,
): Promise<"open" | "ended"> {
  if (reconnected) {
    await runReconnected(ports, context);
    return "open";
  }
  if (refreshed) {
    if (claimed) await runRefreshed(ports, context);
    return "open";
  }
  if (claimed && ports.clock.now() - receivedAt <= FRAME_AGE) {
    return runFrame(ports, context, parsed, receivedAt);
  }
  failFrame(ports, context, parsed);
  return "open";
}

function parseWaiting(ports: DispatchPorts, state: TransportState, frame: WaitingFrame): ParsedFrame {
  if (frame.reconnected || frame.refreshed) return NOTHING;
  const { maximumReceiveMessageSize } = optionsOf(ports.service, state.hub);
  const parsed = without(protocolOf(ports, state).parse(frame.text, maximumReceiveMessageSize), frame.repeated);
  // The client has given up on what it asked before its last handshake, and may use its ids again.
  return frame.handshakes === state.handshakes ? parsed : withoutIds(parsed);
}

function withoutIds({ messages, error }: ParsedFrame): ParsedFrame {
  const silent = messages.map((message) => (isInvocation(message) ? { ...message, id: undefined } : message));
  return { messages: silent, error };
}
