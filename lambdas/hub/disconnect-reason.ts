// Why `onDisconnected` runs.

import type { EndReason } from "./connection-state.ts";

export interface DisconnectReason {
  /** The client stopped; false when its transport was lost, it was silent too long, or the server closed it. */
  readonly stopCalled: boolean;
  /** What went wrong, if anything did. */
  readonly error: DisconnectError | undefined;
}

/** `code` is stable and meant for programs; the message is meant for people. */
export class DisconnectError extends Error {
  override readonly name = "DisconnectError";
  readonly code: EndReason["code"];

  constructor(code: EndReason["code"], message: string) {
    super(message);
    this.code = code;
  }
}
