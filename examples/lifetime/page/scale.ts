// From time to pixels.

/** What part of time is drawn; epoch milliseconds. Labels count seconds from `origin`. */
export interface Window {
  readonly from: number;
  readonly to: number;
  readonly now: number;
  readonly origin: number;
}

/** Room for the names of the lanes beside them, where there is any. */
const GUTTER = 84;
const NARROW = 560;

export class Scale {
  readonly window: Window;
  readonly left: number;
  readonly right: number;
  /** No room beside the lanes: their names stand in them. */
  readonly isNarrow: boolean;

  constructor(window: Window, width: number) {
    this.window = window;
    this.isNarrow = width < NARROW;
    this.left = this.isNarrow ? 1 : GUTTER;
    this.right = width - 1;
  }

  x(at: number): number {
    const { from, to } = this.window;
    return this.left + ((at - from) / (to - from)) * (this.right - this.left);
  }

  shows(at: number): boolean {
    return at >= this.window.from && at <= this.window.to;
  }

  /** What of a span is to be seen. */
  clip(from: number, to: number): { readonly x: number; readonly width: number } {
    const within = (x: number) => Math.max(this.left, Math.min(this.right, x));
    const x = within(this.x(from));
    return { x, width: Math.max(0, within(this.x(to)) - x) };
  }
}
