// How long something takes, without a clock: calls that wait for each other count, calls beside each other do not.

/**
 * The longest chain of calls of which each began when the one before had been answered. Whatever was answered before a
 * call began is taken for something it waited for.
 */
export class CallChain {
  #answered = 0;

  /** Calls in the chain. */
  get length(): number {
    return this.#answered;
  }

  async follow<Result>(call: () => Promise<Result>): Promise<Result> {
    const place = this.#answered + 1;
    try {
      return await call();
    } finally {
      this.#answered = Math.max(this.#answered, place);
    }
  }
}
