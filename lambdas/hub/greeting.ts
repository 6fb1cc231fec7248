// The answer to a handshake: the first thing that a client hears.

import type { TransportState } from "./connection-state.ts";
import type { PostOutcome, Transports } from "./ports.ts";
import type { Store } from "./store.ts";
import { isHttpTransport } from "./transport-names.ts";

interface GreetingPorts {
  readonly store: Pick<Store, "greet">;
  readonly transports: Transports;
}

/** @param protocol the hub protocol that both speak from then on; undefined for JSON. */
export async function greet(
  { store, transports }: GreetingPorts,
  { transportId, connectionId }: Pick<TransportState, "transportId" | "connectionId">,
  reply: string,
  protocol?: string,
): Promise<PostOutcome> {
  if (!isHttpTransport(transportId)) return transports.post(transportId, reply);
  return (await store.greet(connectionId, transportId, reply, protocol)) ? "accepted" : "gone";
}
