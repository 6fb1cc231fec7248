/** Time, as a port. */
export interface Timers {
  /** Milliseconds, from any beginning, that never go back. */
  now(): number;
  /** Calls back once, not before `milliseconds` have passed. Returns what cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}

export const systemTimers: Timers = {
  now: () => performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};
