// Messages that pass the turn: they reach what runs already.

import type { ClientMessage } from "../protocol/index.ts";
import type { CallerPorts } from "./caller.ts";
import { workKey } from "./hand-over.ts";
import type { TransportState } from "./store.ts";

/** Cancels of invocations that nobody knows, and counters that nobody asked for, are ignored. */
export async function passOn({ store }: CallerPorts, state: TransportState, message: ClientMessage): Promise<void> {
  switch (message.kind) {
    case "cancelInvocation":
      return store.cancelWork(state.connectionId, workKey(state, message.id));
    default:
  }
}
