// SignalR's `IHubContext`: what can be done to the clients of a hub from outside of it. It has no caller, and never
// runs hub code.

import { createClients, createGroups, type HubContextClients, type HubContextGroups } from "./clients.ts";
import { closeConnections } from "./close-connections.ts";
import type { HubDefinition } from "./define-hub.ts";
import { createDelivery, type DeliveryPorts } from "./delivery.ts";
import type { HubConnections } from "./hub-caller.ts";
import type { Track } from "./operations.ts";
import { createPresence, type HubPresence } from "./presence.ts";

/** Await what it returns: a function that has answered is frozen, and what it has not sent by then may never be. */
export interface HubContext<Client> {
  readonly clients: HubContextClients<Client>;
  readonly groups: HubContextGroups;
  readonly connections: HubConnections;
  readonly presence: HubPresence;
}

/** The client interface of a hub: of `typeof chat`. */
// biome-ignore lint/suspicious/noExplicitAny: whatever its methods are
export type ClientOf<Hub> = Hub extends HubDefinition<infer Client, any> ? Client : never;

const NO_CALLER = "";
const unconditionally: Track = (operation) => operation();

/** `hub` is its path as the service spells it. */
export function openHubContext<Client>(ports: DeliveryPorts, hub: string): HubContext<Client> {
  const delivery = createDelivery(ports, hub, NO_CALLER, undefined);
  return {
    clients: createClients({ ports, delivery, hub, track: unconditionally }) as HubContextClients<Client>,
    groups: createGroups(ports.store, hub, unconditionally),
    connections: { close: (selector, options) => closeConnections(ports, hub, selector, options) },
    presence: createPresence(ports, hub),
  };
}
