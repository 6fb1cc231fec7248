// The `hub` of events that belong to no connection.

import type { HubContext } from "./hub-context.ts";
import type { Log } from "./ports.ts";

/** What `onUserOnline` and `onUserOffline` are given: a hub without a caller. Not to be kept after they return. */
export interface HubServer<Client> extends HubContext<Client> {
  /** Aborts when the event's time is up. */
  readonly aborted: AbortSignal;
  /** Structured, bound to the hub. */
  readonly log: Log;
  /** True when a function died while running this event and it is run again. */
  readonly redelivered: boolean;
}
