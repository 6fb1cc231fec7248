// Builds the `hub` of an event that belongs to no connection.

import { type Caller, createClients, createGroups } from "./caller.ts";
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
  const nobody = { connectionId: "", transportId: "" };
  const clients = createClients(createDelivery(ports, path, "", undefined), path, "", true, track);
  const { caller: _, others: __, othersInGroup: ___, ...selectors } = clients;
  const { addToGroup, removeFromGroup } = createGroups(ports, path, nobody, track);
  return {
    hub: {
      clients: selectors,
      groups: { addToGroup, removeFromGroup },
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
