// The invocations of one connection that run at a time, where its hub allows more than one. All of them run in one
// function, the holder of the turn: so the limit holds without a count in the table.

import type { Invocation } from "./dispatch.ts";

export type Progress = "open" | "ended";

/** Every verb throws what a run threw. */
export interface Slots {
  /** The invocations that run, in the order in which they began. */
  readonly running: readonly Invocation[];
  /** Begins a run once a slot is free, and does not wait for its end. `ended` when one before has ended the connection. */
  start(invocation: Invocation, run: () => Promise<Progress>): Promise<Progress>;
  /** Resolves when a slot is free. */
  free(): Promise<void>;
  /** Resolves when one of the runs is over; at once when nothing runs. */
  change(): Promise<void>;
  /** Resolves when nothing runs. */
  settled(): Promise<Progress>;
}

/** None for a hub that runs one at a time. */
export function openSlots(count: number): Slots | undefined {
  if (count === 1) return undefined;
  const runs = new Map<Promise<void>, Invocation>();
  let progress: Progress = "open";
  let failure: { readonly error: unknown } | undefined;

  async function note(run: Promise<Progress>): Promise<void> {
    try {
      if ((await run) === "ended") progress = "ended";
    } catch (error) {
      failure ??= { error };
    }
  }

  async function change(): Promise<void> {
    if (runs.size > 0) await Promise.race(runs.keys());
    if (failure !== undefined) throw failure.error;
  }

  async function free(): Promise<void> {
    while (runs.size >= count) await change();
  }

  return {
    get running() {
      return [...runs.values()];
    },
    async start(invocation, run) {
      await free();
      if (progress === "ended") return progress;
      const noted = note(run()).then(() => void runs.delete(noted));
      runs.set(noted, invocation);
      return "open";
    },
    free,
    change,
    async settled() {
      await Promise.all(runs.keys());
      if (failure !== undefined) throw failure.error;
      return progress;
    },
  };
}
