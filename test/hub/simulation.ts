// Functions, time and chance for a model: every step of a function may be delayed, and a function may die before or
// after any of them. The same seed always tells the same story.

import type { Clock } from "../../lambdas/hub/index.ts";

/** How long a step takes at most to happen, and its answer to come back. Milliseconds. */
export const SLOWEST_ANSWER = 2_500;

/** Mulberry32: small, and good enough to decide who comes first. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let value = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly act: () => void;
}

/** Time that moves from event to event. Whatever an event sets off runs before the next one. */
export class Timeline {
  now = Date.UTC(2026, 0, 1);
  readonly #events: Event[] = [];
  #order = 0;

  /** Returns what takes the event back. */
  after(milliseconds: number, act: () => void): () => void {
    const event = { at: this.now + Math.max(0, milliseconds), order: this.#order++, act };
    let index = this.#events.length;
    while (index > 0 && isLater(event, this.#events[index - 1])) index -= 1;
    this.#events.splice(index, 0, event);
    return () => {
      const position = this.#events.indexOf(event);
      if (position >= 0) this.#events.splice(position, 1);
    };
  }

  /** Goes on until nothing is left to happen. */
  async run(): Promise<void> {
    for (let event = this.#events.pop(); event !== undefined; event = this.#events.pop()) {
      this.now = event.at;
      event.act();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** The events are kept latest first. */
function isLater(event: Event, other: Event | undefined): boolean {
  return other !== undefined && (event.at > other.at || (event.at === other.at && event.order > other.order));
}

/** One run of a function. Once it is dead, nothing it waits for ever comes. */
export class Invocation {
  readonly name: string;
  readonly timeline: Timeline;
  readonly chance: Chance;
  /** At which step it dies, if it is to; odd numbers before the step has happened, even ones after. */
  readonly diesAt: number | undefined;
  state: "running" | "done" | "dead" = "running";
  endedAt = Number.POSITIVE_INFINITY;
  onDeath: () => void = () => {};
  #moments = 0;

  constructor(name: string, timeline: Timeline, chance: Chance, diesAt: number | undefined) {
    this.name = name;
    this.timeline = timeline;
    this.chance = chance;
    this.diesAt = diesAt;
  }

  /** Something outside that takes its time to happen, and its answer to come back. */
  step<Result>(run: () => Result): Promise<Result> {
    return new Promise((resolve) => {
      this.timeline.after(this.#delay(), () => {
        // What a dead function had on its way may still arrive.
        if (this.state === "dead" && this.chance.once(2)) return;
        if (this.#diesNow()) return;
        const result = run();
        if (this.#diesNow()) return;
        this.timeline.after(this.#delay(), () => this.#go(() => resolve(result)));
      });
    });
  }

  /** Code of the author's that takes a while. */
  work(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.timeline.after(milliseconds, () => this.#go(resolve));
    });
  }

  readonly clock: Clock = {
    now: () => this.timeline.now,
    sleep: (milliseconds, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const stop = () => {
          takeBack();
          resolve();
        };
        const takeBack = this.timeline.after(milliseconds, () => {
          signal?.removeEventListener("abort", stop);
          this.#go(resolve);
        });
        signal?.addEventListener("abort", stop);
      }),
  };

  end(state: "done" | "dead"): void {
    if (this.state !== "running") return;
    this.state = state;
    this.endedAt = this.timeline.now;
    if (state === "dead") this.onDeath();
  }

  #go(resolve: () => void): void {
    if (this.state !== "dead") resolve();
  }

  #diesNow(): boolean {
    this.#moments += 1;
    if (this.#moments === this.diesAt) this.end("dead");
    return this.#moments === this.diesAt;
  }

  #delay(): number {
    if (this.chance.once(100)) return this.chance.below(SLOWEST_ANSWER);
    return this.chance.below(this.chance.once(10) ? 400 : 20);
  }
}
