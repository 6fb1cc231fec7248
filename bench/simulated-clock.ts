// Time that passes only while nobody works: what is measured in it does not depend on the machine.

import type { Clock } from "../lambdas/hub/index.ts";

interface Sleeper {
  readonly wakesAt: number;
  readonly wake: () => void;
}

export class SimulatedClock implements Clock {
  #now: number;
  #working = 0;
  readonly #sleepers = new Set<Sleeper>();

  constructor(now: number) {
    this.#now = now;
  }

  /** Whole milliseconds. */
  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (milliseconds <= 0 || signal?.aborted) return resolve();
      const abort = () => {
        this.#sleepers.delete(sleeper);
        resolve();
      };
      const wake = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const sleeper = { wakesAt: this.#now + Math.ceil(milliseconds), wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Time stands still while this runs. */
  async work<Result>(action: () => Promise<Result>): Promise<Result> {
    this.#working += 1;
    try {
      return await action();
    } finally {
      this.#working -= 1;
    }
  }

  /** Resolves when whoever runs waits for time to pass. */
  async idle(): Promise<void> {
    do {
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.#working > 0);
  }

  /** Lets time pass until this is over, and no further. */
  async during<Result>(operation: Promise<Result>): Promise<Result> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    operation.then(end, end);
    for (;;) {
      await this.idle();
      if (isOver) return operation;
      this.#wakeNext();
    }
  }

  async pass(milliseconds: number): Promise<void> {
    await this.during(this.sleep(milliseconds));
  }

  #wakeNext(): void {
    let next: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (next === undefined || sleeper.wakesAt < next.wakesAt) next = sleeper;
    }
    if (next === undefined) throw new Error("Nobody works and nobody sleeps: what is waited for never comes.");
    this.#sleepers.delete(next);
    this.#now = Math.max(this.#now, next.wakesAt);
    next.wake();
  }
}
