// Builds the `hub` for one run of the author's code, and keeps track of what that run leaves to be done.

import type { Channel } from "./channel.ts";
import { createCallerClients, createCallerGroups } from "./clients.ts";
import { closeConnections, closeMember } from "./close-connections.ts";
import type { Session, TransportState } from "./connection-state.ts";
import type { HubEntry } from "./define-service.ts";
import { createDelivery, type DeliveryPorts } from "./delivery.ts";
import type { HubCaller } from "./hub-caller.ts";
import { itemChanges, openItems } from "./items.ts";
import { trackOperations } from "./operations.ts";
import { createPresence } from "./presence.ts";
import { NO_SERVICES } from "./services.ts";
import type { Store } from "./store.ts";
import { traceFields } from "./telemetry.ts";
import type { TraceContext } from "./trace-context.ts";
import { hintOf } from "./transport-names.ts";

export type CallerPorts = DeliveryPorts;

export interface CallerContext {
  readonly hub: HubEntry;
  readonly state: Pick<TransportState, "connectionId" | "transportId" | "stateful" | "protocol">;
  readonly session: Session;
  /** Undefined once the connection has ended: then it is left out of whatever it sends. */
  readonly channel: Channel | undefined;
  readonly redelivered: boolean;
  /** Hears when the author's code waits for a client. @throws where it must not. */
  readonly onAsk?: () => void;
  readonly traceContext?: TraceContext | undefined;
}

export interface Caller {
  // biome-ignore lint/suspicious/noExplicitAny: the definition's own types of client and services
  readonly hub: HubCaller<any, any>;
  /** Whether `hub.abort()` was called. */
  readonly abortRequested: boolean;
  /** Waits for what was started and not awaited, then writes changed items back. */
  finish(): Promise<void>;
  /** Fires `aborted`. */
  cancel(reason: Error): void;
  /** Fires `aborted` and makes every later use of `hub` throw `reason`. */
  expire(reason: Error): void;
  /** @throws what it expired with, if it has. */
  throwIfExpired(): void;
  /** What `hub.services` is from here on. */
  provide(services: object): void;
  /** Items as they are now, as JSON by key. */
  items(): Session["items"];
}

export function createCaller(ports: CallerPorts, context: CallerContext): Caller {
  const { hub, session, channel } = context;
  const { connectionId, transportId } = context.state;
  // Whoever sends to a group that it joins has to count.
  const self = { connectionId, transportId: hintOf(context.state) };
  const log = ports.log.with({ hub: hub.path, connectionId, ...traceFields(context.traceContext) });
  const delivery = createDelivery(ports, hub.path, connectionId, channel);
  const aborted = new AbortController();
  const items = openItems(session.items);
  const operations = trackOperations();
  const { track } = operations;
  // An ended connection is still a member while its `onDisconnected` runs.
  const left = channel === undefined ? connectionId : undefined;
  let abortRequested = false;
  let saved = session.items;
  let services = NO_SERVICES;

  function abort(): void {
    if (abortRequested) return;
    abortRequested = true;
    aborted.abort(new Error("hub.abort() was called."));
    if (channel === undefined) return;
    track(() => closeMember(ports, { connectionId, transportId }, {}, channel.write)).catch(() => {
      // Reported when the run finishes, like everything that is not awaited.
    });
  }

  function reportUnawaited(error: unknown): void {
    log.error("Something a hub method started and did not await failed.", { error });
  }

  return {
    hub: {
      connectionId,
      userIdentifier: session.userIdentifier,
      user: session.user,
      request: session.request,
      items,
      aborted: aborted.signal,
      abort,
      clients: createCallerClients(
        { ports, delivery, hub: hub.path, track, onAsk: context.onAsk },
        connectionId,
        channel !== undefined,
      ),
      groups: createCallerGroups(ports.store, hub.path, self, track),
      presence: createPresence(ports, hub.path, { track, left }),
      connections: { close: (selector, options) => track(() => closeConnections(ports, hub.path, selector, options)) },
      log,
      traceContext: context.traceContext,
      get services() {
        return services;
      },
      redelivered: context.redelivered,
    },
    get abortRequested() {
      return abortRequested;
    },
    async finish() {
      await operations.settled(reportUnawaited);
      if (channel === undefined) return;
      const changes = itemChanges(saved, items);
      if (changes === undefined || operations.expired) return;
      await saveItems(ports.store, transportId, changes.changed);
      saved = changes.items;
    },
    cancel(reason) {
      aborted.abort(reason);
    },
    expire(reason) {
      operations.expire(reason);
      aborted.abort(reason);
    },
    throwIfExpired: operations.throwIfExpired,
    provide(given) {
      services = given;
    },
    items: () => saved,
  };
}

/** The session moves with its connection. */
async function saveItems(store: Store, transportId: string, changes: Parameters<Store["saveItems"]>[1]): Promise<void> {
  if (await store.saveItems(transportId, changes)) return;
  const next = (await store.transport(transportId))?.next;
  if (next !== undefined) await saveItems(store, next, changes);
}
