import type { Clock } from "./hub/index.ts";

/** A clock on which nobody sleeps once it is stopped. */
export interface StoppableClock extends Clock {
  /** Wakes all who sleep, and lets nobody sleep again. */
  stop(): void;
}

/** Lets a server go down at once, though parts of it wait for minutes to pass. */
export function stoppableClock(clock: Clock): StoppableClock {
  const sleepers = new Set<AbortController>();
  let stopped = false;

  return {
    now: () => clock.now(),
    async sleep(milliseconds, signal) {
      if (stopped || signal?.aborted) return;
      const sleeper = new AbortController();
      const wake = (): void => sleeper.abort();
      sleepers.add(sleeper);
      signal?.addEventListener("abort", wake);
      await clock.sleep(milliseconds, sleeper.signal);
      signal?.removeEventListener("abort", wake);
      sleepers.delete(sleeper);
    },
    stop() {
      stopped = true;
      for (const sleeper of sleepers) sleeper.abort();
    },
  };
}
