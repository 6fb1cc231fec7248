// What happened to one client: what the timeline draws and the log tells.

export type Lane = "client" | "transport" | "server";
export type Tone = "good" | "busy" | "bad" | "quiet";

/** Something that happened at a moment; a fault concerns all lanes. Times are epoch milliseconds. */
export interface Mark {
  readonly lane: Lane | "fault";
  readonly text: string;
  readonly at: number;
}

/** A state that lasted. */
export interface Span {
  readonly lane: Lane;
  readonly text: string;
  readonly tone: Tone;
  readonly from: number;
  /** Undefined while it lasts. */
  to: number | undefined;
}

export type TimerName = "serverTimeout" | "clientTimeoutInterval" | "disconnectTimeout";

/** A timeout that ran, or runs: it fires between `from + length` and `from + length + slack`. */
export interface Timer {
  readonly name: TimerName;
  readonly lane: Lane;
  readonly from: number;
  readonly length: number;
  readonly slack: number;
  /** Undefined while it runs. */
  to: number | undefined;
  fired: boolean;
}

export interface Frame {
  readonly at: number;
  readonly direction: "sent" | "received";
}

/** Timers that were set again, or called off, this early say nothing to anybody. Milliseconds. */
const WORTH_KEEPING: Readonly<Record<TimerName, number>> = {
  serverTimeout: 29_000,
  clientTimeoutInterval: 20_000,
  disconnectTimeout: 1_000,
};

export class History {
  readonly title: string;
  readonly marks: Mark[] = [];
  readonly spans: Span[] = [];
  readonly frames: Frame[] = [];
  timers: Timer[] = [];
  readonly #onMark: (mark: Mark) => void;
  #hasEnded = false;

  constructor(title: string, onMark: (mark: Mark) => void) {
    this.title = title;
    this.#onMark = onMark;
  }

  mark(lane: Mark["lane"], text: string, at = Date.now()): void {
    if (this.#hasEnded) return;
    const mark = { lane, text, at };
    this.marks.push(mark);
    this.#onMark(mark);
  }

  frame(direction: Frame["direction"]): void {
    if (this.#hasEnded) return;
    this.frames.push({ at: Date.now(), direction });
  }

  /** The state of a lane, undefined for none. */
  state(lane: Lane): string | undefined {
    return this.#lasting(lane)?.text;
  }

  enter(lane: Lane, text: string, tone: Tone, at = Date.now()): void {
    if (this.#hasEnded || this.state(lane) === text) return;
    this.leave(lane, at);
    this.spans.push({ lane, text, tone, from: at, to: undefined });
  }

  leave(lane: Lane, at = Date.now()): void {
    const span = this.#lasting(lane);
    if (span !== undefined && !this.#hasEnded) span.to = at;
  }

  /** Starts a timer, again if it runs. */
  arm(name: TimerName, timer: Pick<Timer, "lane" | "length" | "slack"> & { readonly from?: number }): void {
    if (this.#hasEnded) return;
    const from = timer.from ?? Date.now();
    this.disarm(name, from);
    this.timers.push({ ...timer, name, from, to: undefined, fired: false });
  }

  /** Calls a timer off. */
  disarm(name: TimerName, at = Date.now()): void {
    const timer = this.#running(name);
    if (timer === undefined || this.#hasEnded) return;
    timer.to = at;
    if (at - timer.from < WORTH_KEEPING[name]) this.timers = this.timers.filter((other) => other !== timer);
  }

  /** It did what it is for, unless it did not run. */
  fire(name: TimerName, at = Date.now()): void {
    const timer = this.#running(name);
    if (timer === undefined || this.#hasEnded) return;
    timer.to = at;
    timer.fired = true;
  }

  /** The last one of this name did not fire after all. */
  recall(name: TimerName): void {
    const timer = this.timers.findLast((each) => each.name === name);
    if (timer !== undefined) timer.fired = false;
  }

  /** Whether a timer has run for its whole length. */
  isDue(name: TimerName, at: number): boolean {
    const timer = this.#running(name);
    return timer !== undefined && at >= timer.from + timer.length;
  }

  /** Whatever happens from now on belongs to another story. */
  end(): void {
    this.#hasEnded = true;
  }

  #lasting(lane: Lane): Span | undefined {
    return this.spans.findLast((span) => span.lane === lane && span.to === undefined);
  }

  #running(name: TimerName): Timer | undefined {
    return this.timers.findLast((timer) => timer.name === name && timer.to === undefined);
  }
}
