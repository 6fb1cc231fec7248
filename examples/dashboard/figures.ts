// Where the figures come from.

export interface Figure {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly requests: number;
}

export const SECOND = 1_000;

export function lastSecond(): number {
  return Math.floor(Date.now() / SECOND) * SECOND;
}

/** Made up. A real service reads figures where something writes them: a table, CloudWatch, … */
export function figureAt(at: number): Figure {
  const seconds = at / SECOND;
  return { at, requests: Math.round(100 + 60 * Math.sin(seconds / 7) + 30 * Math.sin(seconds / 2.3)) };
}
