// What one run of the author's code starts through its `hub`: waited for when the author does not, refused when its
// time is up.

/** Every operation of a `hub` goes through one of these. */
export type Track = <Result>(operation: () => Promise<Result>) => Promise<Result>;

export interface Operations {
  readonly track: Track;
  /** Whether time is up. */
  readonly expired: boolean;
  /** Waits for what was started and not awaited. Errors that nobody has seen are told. */
  settled(report: (error: unknown) => void): Promise<void>;
  /** Makes every later operation fail with `reason`. */
  expire(reason: Error): void;
  /** @throws what it expired with, if it has. */
  throwIfExpired(): void;
}

export function trackOperations(): Operations {
  const pending = new Set<Promise<unknown>>();
  let expired: Error | undefined;
  return {
    track(operation) {
      const promise = expired === undefined ? operation() : Promise.reject(expired);
      pending.add(promise);
      promise.then(
        () => pending.delete(promise),
        () => pending.delete(promise),
      );
      return promise;
    },
    get expired() {
      return expired !== undefined;
    },
    async settled(report) {
      while (pending.size > 0) {
        const outcomes = await Promise.allSettled(pending);
        for (const outcome of outcomes) if (outcome.status === "rejected") report(outcome.reason);
      }
    },
    expire(reason) {
      expired = reason;
    },
    throwIfExpired() {
      if (expired !== undefined) throw expired;
    },
  };
}
