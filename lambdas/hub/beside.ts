// Where a hub runs several invocations of a connection at a time: the holder of the turn keeps it while one of them
// runs, looks for what has come meanwhile, and begins that beside them. It lets go only when nothing runs.

import type { CallerPorts } from "./caller.ts";
import type { TransportState, Turn } from "./connection-state.ts";
import type { DispatchContext } from "./dispatch.ts";
import { pauseBehind } from "./look-pause.ts";
import type { Clock } from "./ports.ts";
import type { Slots } from "./slots.ts";

export interface Besides {
  readonly slots: Slots;
  readonly turn: Turn;
  /** How many waiting frames the holder knows of; undefined if it has not looked. */
  readonly seen: number | undefined;
  /** From when on nothing more is begun: epoch milliseconds. */
  readonly until: number;
  /** Goes over to the transport that has taken over; false when there is none yet. */
  move(): Promise<boolean>;
  /** Takes note of what the transport's row says now. */
  follow(state: TransportState): Promise<void>;
  /** Runs what waits; `over` when the turn is not the holder's to keep any more. */
  take(): Promise<"done" | "moved" | "over">;
}

/** Resolves when nothing runs, with how many waiting frames the holder knows of by then. */
export async function runBeside(
  { store, clock }: CallerPorts,
  context: DispatchContext,
  { slots, turn, seen, until, move, follow, take }: Besides,
): Promise<number | undefined | "over"> {
  let known = seen;
  for (let looks = 0; slots.running.length > 0 && clock.now() <= until; looks++) {
    await slots.free();
    await pause(clock, slots, pauseBehind(looks));
    if (slots.running.length === 0 || clock.now() > until) break;
    const state = await store.transport(context.state.transportId);
    if (state?.next !== undefined) {
      known = undefined;
      if (await move()) continue;
      break;
    }
    if (state?.phase !== "open" || state.end !== undefined || state.turn?.holder !== turn.holder) {
      known = undefined;
      break;
    }
    if (state.resuming || state.waiting === known) continue;
    await follow(state);
    known = state.waiting;
    const outcome = await take();
    if (outcome === "over") return "over";
    if (outcome === "moved") known = undefined;
    looks = -1;
  }
  return (await slots.settled()) === "ended" ? "over" : known;
}

async function pause(clock: Clock, slots: Slots, milliseconds: number): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race([slots.change(), clock.sleep(milliseconds, over.signal)]);
  } finally {
    over.abort();
  }
}
