import type { Clock } from "../lambdas/hub/index.ts";

interface Sleeper {
  readonly wakesAt: number;
  readonly wake: () => void;
}

/** A clock that moves only when told, waking sleepers in the order of their times. */
export class FakeClock implements Clock {
  #now: number;
  #sleepers: Sleeper[] = [];

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (milliseconds <= 0 || signal?.aborted) return resolve();
      const abort = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      };
      const wake = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const sleeper = { wakesAt: this.#now + milliseconds, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", abort);
    });
  }

  /** Milliseconds until somebody wakes. A test that waits for it to be short knows that whoever ticks is asleep again. */
  get nextWake(): number {
    return Math.min(...this.#sleepers.map((sleeper) => sleeper.wakesAt)) - this.#now;
  }

  /** Moves time forward, stopping at every sleeper on the way. Give the woken a chance to run by awaiting. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#sleepers.filter((s) => s.wakesAt <= end).sort((a, b) => a.wakesAt - b.wakesAt)[0];
      if (next === undefined) break;
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.wakesAt);
      next.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
  }
}
