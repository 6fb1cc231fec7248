// What lies between an event and the author's code, whatever the event: services are made, then filters run, from the
// service's outermost to the hub's innermost. Everything here runs within the time limit of its caller.

import type { Caller } from "./caller.ts";
import type { HubEntry, Service } from "./define-service.ts";
import type { DisconnectReason } from "./disconnect-reason.ts";
import {
  type AnyHubFilter,
  disconnectThrough,
  type HubLifetimeContext,
  invokeThrough,
  raiseThrough,
} from "./filters.ts";
import { NO_SERVICES, servicesOf } from "./services.ts";

/** For whom code runs. */
export interface Run {
  readonly service: Service;
  readonly hub: HubEntry;
  readonly caller: Caller;
}

export interface BoundMethod {
  readonly name: string;
  readonly handler: (...args: unknown[]) => unknown;
}

/** What the method returns, or a filter in its place; a generator's iterator as it is. Throws what either throws. */
export function runMethod(run: Run, { name, handler }: BoundMethod, args: readonly unknown[]): unknown {
  const { hub, caller } = run;
  return withServices(run, (context) =>
    invokeThrough(filtersOf(run), { ...context, hubMethodName: name, hubMethodArguments: args }, (given) => {
      // Services and filters may take their time, and the client has its error by then.
      caller.throwIfExpired();
      return handler.call(hub.definition.methods, caller.hub, ...given);
    }),
  );
}

/** The events of a connection that lives. */
export type AwaitedEvent = "onConnected" | "onReconnected" | "onAuthenticationRefreshed";

/** Throws what the event or a filter throws. */
export function raiseEvent(run: Run, name: AwaitedEvent): unknown {
  const { hub, caller } = run;
  const event = (): unknown => {
    caller.throwIfExpired();
    return hub.definition[name]?.(caller.hub);
  };
  return withServices(run, (context) =>
    name === "onAuthenticationRefreshed" ? event() : raiseThrough(name, filtersOf(run), context, event),
  );
}

/** The same for `onDisconnected`. */
export function raiseDisconnected(run: Run, reason: DisconnectReason): unknown {
  const { hub, caller } = run;
  return withServices(run, (context) =>
    disconnectThrough(filtersOf(run), context, reason, (given) => {
      caller.throwIfExpired();
      return hub.definition.onDisconnected?.(caller.hub, given);
    }),
  );
}

/** Whether anybody wants to know: if not, nothing need be made ready. */
export function isAwaited(target: Pick<Run, "service" | "hub">, name: AwaitedEvent | "onDisconnected"): boolean {
  if (target.hub.definition[name] !== undefined) return true;
  return name !== "onAuthenticationRefreshed" && filtersOf(target).some((filter) => filter[name] !== undefined);
}

/** At once when the service has none to make. */
function withServices({ service, caller }: Run, code: (context: HubLifetimeContext) => unknown): unknown {
  if (service.services === undefined) return code({ hub: caller.hub, services: NO_SERVICES });
  return servicesOf(service, service.services).then((services) => {
    caller.provide(services);
    return code({ hub: caller.hub, services });
  });
}

function filtersOf({ service, hub }: Pick<Run, "service" | "hub">): readonly AnyHubFilter[] {
  return [...service.filters, ...(hub.definition.filters ?? [])];
}
