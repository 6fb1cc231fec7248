const BRAND = Symbol.for("signalr-lambda.HubException");

/**
 * An error whose message the client is meant to read; of every other error it learns only that there was one.
 *
 * @example
 * throw new HubException("The room is full.");
 */
export class HubException extends Error {
  override readonly name = "HubException";
  readonly code = "hub_exception";
  readonly [BRAND] = true;

  /** True for a HubException of any copy of this package: a bundle may hold two. */
  static is(error: unknown): error is HubException {
    return typeof error === "object" && error !== null && BRAND in error;
  }
}
