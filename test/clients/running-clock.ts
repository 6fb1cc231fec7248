import type { Clock } from "../../lambdas/hub/index.ts";

interface Sleeper {
  readonly wakesAt: number;
  readonly wake: () => void;
  timer: NodeJS.Timeout;
}

/** What tests move time with. */
export interface TestClock extends Clock {
  /** Moves time forward, stopping at every sleeper on the way. */
  advance(milliseconds: number): Promise<void>;
  /** Milliseconds until somebody wakes. */
  readonly nextWake: number;
}

/**
 * A clock that runs as the machine's does, and can be moved ahead besides: for clients that come back while functions
 * wait for moments, which would never pass on a clock that stands still.
 */
export class RunningClock implements TestClock {
  #ahead = 0;
  #stoppedAt: number | undefined;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#stoppedAt ?? Date.now() + this.#ahead;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (milliseconds <= 0 || signal?.aborted) return resolve();
      const wake = () => {
        clearTimeout(sleeper.timer);
        signal?.removeEventListener("abort", wake);
        this.#sleepers.delete(sleeper);
        resolve();
      };
      const sleeper: Sleeper = { wakesAt: this.now() + milliseconds, wake, timer: setTimeout(wake, milliseconds) };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", wake);
    });
  }

  get nextWake(): number {
    return Math.min(...[...this.#sleepers].map(({ wakesAt }) => wakesAt)) - this.now();
  }

  async advance(milliseconds: number): Promise<void> {
    const end = this.now() + milliseconds;
    for (;;) {
      const next = [...this.#sleepers].filter(({ wakesAt }) => wakesAt <= end).sort((a, b) => a.wakesAt - b.wakesAt)[0];
      if (next === undefined) break;
      this.#moveTo(next.wakesAt);
      next.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#moveTo(end);
    this.#setTimers();
  }

  /** It is later at once, with nobody woken on the way. */
  jump(milliseconds: number): void {
    this.#ahead += milliseconds;
    this.#setTimers();
  }

  /** From now on it is always the same time here, and nobody wakes. */
  stop(): void {
    this.#stoppedAt = this.now();
    for (const { timer } of this.#sleepers) clearTimeout(timer);
  }

  /** It is as late as everywhere. */
  goOn(): void {
    this.#stoppedAt = undefined;
    this.#setTimers();
  }

  #setTimers(): void {
    for (const sleeper of this.#sleepers) {
      clearTimeout(sleeper.timer);
      sleeper.timer = setTimeout(sleeper.wake, Math.max(0, sleeper.wakesAt - this.now()));
    }
  }

  #moveTo(time: number): void {
    this.#ahead = Math.max(this.#ahead, time - Date.now());
  }
}
