// One connection, one runner. The turn lives in the transport row; a frame that finds it taken waits in the table,
// and whoever lets go of the turn must have seen every frame that was counted.
//
//   frame A: take ───────────── run A ── release IF seen = 0 ✗ ── read: 1 waits ── run B ── release IF seen = 1 ✓
//   frame B:      take: A's ─ put B ─ count 1 ┘
//
// A row is visible before it is counted, each row runs at most once, and a holder whose lease has run out is dead.

import type { CallerPorts } from "./caller.ts";
import { openChannel } from "./channel.ts";
import { type DispatchContext, failInvocation } from "./dispatch.ts";
import { LEASE, RUN_LIMIT } from "./ending.ts";
import { failFrame, runFrame } from "./frame.ts";
import type { Session, TransportState, Turn, WaitingFrame } from "./store.ts";

/** A holder older than this starts no further frame, so that each has time to run. Milliseconds. */
const DRAIN_LIMIT = 10_000;
/** A frame that waited longer is not run any more, but answered with an error. Milliseconds. */
const FRAME_AGE = 300_000;

export function newTurn(ports: CallerPorts, invocations: Turn["invocations"]): Turn {
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
  const channel = openChannel(ports.transports, state.transportId);
  return { hub, state, session, channel, stopAt: startedAt + RUN_LIMIT };
}

/** Puts the frame where the holder finds it. If the holder is dead by then, takes its place. */
export async function waitForTurn(
  ports: CallerPorts,
  state: TransportState,
  frame: WaitingFrame,
  startedAt: number,
): Promise<void> {
  await ports.store.enqueue(state.connectionId, frame);
  const counted = await ports.store.count(state.transportId);
  if (counted === undefined) {
    await ports.store.claimFrame(state.connectionId, frame.key);
    return;
  }
  if (counted.phase === "open" && isFree(counted.turn, ports.clock.now())) await takeOver(ports, counted, startedAt);
}

export function isFree(turn: Turn | undefined, now: number): boolean {
  return turn === undefined || turn.until < now;
}

/**
 * Takes the turn of a dead holder, for a function that began at `startedAt`; answers for the invocations that died with it, and
 * runs what waits.
 */
export async function takeOver(ports: CallerPorts, state: TransportState, startedAt: number): Promise<void> {
  const turn = newTurn(ports, []);
  if (!(await ports.store.steal(state.transportId, turn, state.turn))) return;
  const session = await ports.store.session(state.transportId);
  if (session === undefined) return;
  const context = openContext(ports, state, session, startedAt);
  for (const { id, target } of state.turn?.invocations ?? []) {
    failInvocation(ports, context, { id, target });
  }
  await Promise.all([context.channel.flushed(), drain(ports, context, turn, startedAt, undefined)]);
}

/**
 * Lets go of the turn, running what waits until nothing does. `seen` is how many waiting frames the holder knows of;
 * undefined if it has not looked.
 */
export async function drain(
  ports: CallerPorts,
  context: DispatchContext,
  turn: Turn,
  startedAt: number,
  seen: number | undefined,
): Promise<void> {
  const { transportId } = context.state;
  let known = seen;
  for (;;) {
    if (known !== undefined && (await ports.store.release(transportId, turn.holder, known, false))) return;
    const state = await ports.store.transport(transportId);
    if (state?.phase !== "open" || state.end !== undefined || state.turn?.holder !== turn.holder) return;
    known = state.waiting;
    for (const frame of await ports.store.waiting(state.connectionId)) {
      if (ports.clock.now() - startedAt > DRAIN_LIMIT) return ports.store.abandon(transportId, turn.holder);
      const claimed = await ports.store.claimFrame(state.connectionId, frame.key);
      const parsed = ports.dialect.parse(frame.text);
      // Nobody else takes frames while the turn is held: one that is gone was claimed by a first try, whose answer the
      // SDK did not get, and which did not run.
      if (!claimed || ports.clock.now() - frame.receivedAt > FRAME_AGE) failFrame(ports, context, parsed);
      else if ((await runFrame(ports, context, parsed)) === "ended") return;
    }
  }
}
