// Builds the `hub` of an event that belongs to no connection.

import type { Caller } from "./caller.ts";
import { createClients, createGroups } from "./clients.ts";
import { closeConnections } from "./close-connections.ts";
import { createDelivery, type DeliveryPorts } from "./delivery.ts";
import type { HubServer } from "./hub-server.ts";
import { trackOperations } from "./operations.ts";
import { createPresence } from "./presence.ts";

export interface ServerRun extends Pick<Caller, "finish" | "expire"> {
  // biome-ignore lint/suspicious/noExplicitAny: the definition's own type of client
  readonly hub: HubServer<any>;
}

/** For one run of the author's code. */
export function createHubServer(ports: DeliveryPorts, path: string, redelivered: boolean): ServerRun {
  const log = ports.log.with({ hub: path });
  const { track, settled, expire } = trackOperations();
  const aborted = new AbortController();
  const delivery = createDelivery(ports, path, "", undefined);
  return {
    hub: {
      clients: createClients({ ports, delivery, hub: path, track }),
      groups: createGroups(ports.store, path, track),
      connections: { close: (selector, options) => track(() => closeConnections(ports, path, selector, options)) },
      presence: createPresence(ports, path, { track }),
      aborted: aborted.signal,
      log,
      redelivered,
    },
    finish: () => settled((error) => log.error("Something an event started and did not await failed.", { error })),
    expire(reason) {
      expire(reason);
      aborted.abort(reason);
    },
  };
}
