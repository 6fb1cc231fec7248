// The author's code, run until it returns or its time is up.

import type { Caller } from "./caller.ts";
import type { Clock } from "./ports.ts";

export type RunOutcome = { readonly result: unknown } | { readonly error: unknown };

/** The time a function may give to the author's code was up. The code may still be running; its `hub` is dead. */
export class TimeLimitError extends Error {
  override readonly name = "TimeoutError";
  readonly code = "time_limit";
}

/** Whoever ran the code goes down: who slept on its clock was woken early. */
class CutOffError extends Error {
  override readonly name = "CutOffError";
}

/** A timer may be early. Milliseconds. */
const EARLY = 1_000;

/**
 * Runs `code` and then writes back what it changed on its caller; both within `milliseconds`. Never throws. When time
 * is up, the caller's `aborted` fires, its `hub` stops working, and the code is left behind.
 */
export async function runLimited(
  clock: Clock,
  milliseconds: number,
  caller: Pick<Caller, "expire" | "finish">,
  code: () => unknown,
): Promise<RunOutcome> {
  const done = new AbortController();
  const until = clock.now() + milliseconds;
  const timeUp = clock.sleep(milliseconds, done.signal).then((): RunOutcome => {
    if (done.signal.aborted) return { result: undefined };
    const error =
      clock.now() < until - EARLY
        ? new CutOffError("The method was cut off: its server is closing.")
        : new TimeLimitError(`The method ran longer than ${milliseconds / 1000} s, the most one function allows.`);
    caller.expire(error);
    return { error };
  });
  const outcome = await Promise.race([run(caller, code), timeUp]);
  done.abort();
  return outcome;
}

async function run(caller: Pick<Caller, "finish">, code: () => unknown): Promise<RunOutcome> {
  let outcome: RunOutcome;
  try {
    outcome = { result: await code() };
  } catch (error) {
    outcome = { error };
  }
  try {
    await caller.finish();
  } catch (error) {
    return "error" in outcome ? outcome : { error };
  }
  return outcome;
}
