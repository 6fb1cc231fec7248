// The `hub` of events that belong to no connection.

import type { HubClients, HubConnections, HubGroups } from "./hub-caller.ts";
import type { Log } from "./ports.ts";
import type { HubPresence } from "./presence.ts";

/** What `onUserOnline` and `onUserOffline` are given: a hub without a caller. Not to be kept after they return. */
export interface HubServer<Client> {
  readonly clients: Omit<HubClients<Client>, "caller" | "others" | "othersInGroup">;
  readonly groups: Pick<HubGroups, "addToGroup" | "removeFromGroup">;
  readonly connections: HubConnections;
  readonly presence: HubPresence;
  /** Aborts when the event's time is up. */
  readonly aborted: AbortSignal;
  /** Structured, bound to the hub. */
  readonly log: Log;
  /** True when a function died while running this event and it is run again. */
  readonly redelivered: boolean;
}
