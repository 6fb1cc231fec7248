import type { Timers } from "../../lambdas/client/index.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Time that moves only when told, calling back in the order of the times. */
export class FakeTimers implements Timers {
  #now = 0;
  #timers: Timer[] = [];

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** When somebody is called back next. */
  get due(): number | undefined {
    return this.#next()?.at;
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (let next = this.#next(); next !== undefined && next.at <= end; next = this.#next()) {
      this.#now = Math.max(this.#now, next.at);
      this.#call(next);
    }
    this.#now = end;
  }

  /** Moves time forward and calls nobody back, as in a page that is frozen. */
  freeze(milliseconds: number): void {
    this.#now += milliseconds;
  }

  /** Calls back whoever is due first: one turn of an event loop that has woken. */
  turn(): void {
    const next = this.#next();
    if (next !== undefined && next.at <= this.#now) this.#call(next);
  }

  #next(): Timer | undefined {
    return this.#timers.toSorted((a, b) => a.at - b.at)[0];
  }

  #call(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
    timer.callback();
  }
}
