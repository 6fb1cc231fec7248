// What the id of a transport tells. A socket's is the gateway's; one over HTTP has an id of ours, which says what it is,
// and whose.

import { bufferedHint, type TransportState } from "./connection-state.ts";
import type { Random } from "./ports.ts";
import { isRaw, type Speaker } from "./protocols.ts";

/** A transport by SignalR's name. */
export type TransportName = "WebSockets" | "ServerSentEvents" | "LongPolling";

export type HttpTransportName = Exclude<TransportName, "WebSockets">;

const PREFIXES = { ServerSentEvents: "events.", LongPolling: "poll." } as const;

/** How long a poll is held when there is nothing to answer: an HTTP API gives up after 30 s. Milliseconds. */
export const POLL_HOLD = 25_000;

export function newHttpTransportId(
  { random }: { readonly random: Random },
  name: HttpTransportName,
  connectionId: string,
): string {
  return `${PREFIXES[name]}${connectionId}.${random.id().slice(0, 8)}`;
}

export function transportNameOf(transportId: string): TransportName {
  if (transportId.startsWith(PREFIXES.LongPolling)) return "LongPolling";
  return transportId.startsWith(PREFIXES.ServerSentEvents) ? "ServerSentEvents" : "WebSockets";
}

/** Whether its client comes for its messages: nothing can be sent to it. */
export function isHttpTransport(transportId: string): boolean {
  return transportNameOf(transportId) !== "WebSockets";
}

/** What a transport can carry. */
export function formatOf(transportId: string): "Text" | "Binary" {
  return transportNameOf(transportId) === "LongPolling" ? "Binary" : "Text";
}

type Silent = Pick<TransportState, "transportId"> & Speaker;

/**
 * How long nothing may come from a client. Of one that polls nothing is heard while its poll is held, and raw clients
 * have no pings. Milliseconds.
 */
function longestSilence(clientTimeoutInterval: number, silent: Silent): number {
  const name = transportNameOf(silent.transportId);
  if (name === "LongPolling") return clientTimeoutInterval + POLL_HOLD;
  return isRaw(silent) ? Math.max(RAW_SILENCE[name], clientTimeoutInterval) : clientTimeoutInterval;
}

/** API Gateway ends sockets that are idle for ten minutes, and Lambda every stream within fifteen. Milliseconds. */
const RAW_SILENCE: Readonly<Record<Exclude<TransportName, "LongPolling">, number>> = {
  WebSockets: 10.5 * 60_000,
  ServerSentEvents: 15 * 60_000,
};

/** When silence ends a connection from which something came at `now`. */
export function silentAt(clientTimeoutInterval: number, silent: Silent, now: number): number {
  return now + longestSilence(clientTimeoutInterval, silent);
}

/** When something came that moved the deadline there. */
export function heardAt(clientTimeoutInterval: number, silent: Silent, deadline: number): number {
  return deadline - longestSilence(clientTimeoutInterval, silent);
}

/** Whether everything that its client is sent goes through the outbox. */
export function isQueued({ transportId, stateful }: Pick<TransportState, "transportId" | "stateful">): boolean {
  return stateful || isHttpTransport(transportId);
}

/** What stands in memberships: where to post, or that it is to be asked for. */
export function hintOf(state: Pick<TransportState, "transportId" | "stateful" | "protocol">): string {
  return isQueued(state) ? bufferedHint(state.protocol) : state.transportId;
}

/** Of a transport over HTTP. */
export function connectionIdOf(transportId: string): string {
  return transportId.split(".")[1] ?? "";
}
