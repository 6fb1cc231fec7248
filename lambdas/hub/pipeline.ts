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
import { servicesOf } from "./services.ts";

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
export async function runMethod(run: Run, { name, handler }: BoundMethod, args: readonly unknown[]): Promise<unknown> {
  const context = { ...(await open(run)), hubMethodName: name, hubMethodArguments: args };
  const { hub, caller } = run;
  return invokeThrough(filtersOf(run), context, (given) => {
    // Services and filters may take their time, and the client has its error by then.
    caller.throwIfExpired();
    return handler.call(hub.definition.methods, caller.hub, ...given);
  });
}

/** Throws what the event or a filter throws. */
export async function raiseEvent(run: Run, name: "onConnected" | "onReconnected"): Promise<void> {
  const { hub, caller } = run;
  await raiseThrough(name, filtersOf(run), await open(run), () => {
    caller.throwIfExpired();
    return hub.definition[name]?.(caller.hub);
  });
}

/** The same for `onDisconnected`. */
export async function raiseDisconnected(run: Run, reason: DisconnectReason): Promise<void> {
  const { hub, caller } = run;
  await disconnectThrough(filtersOf(run), await open(run), reason, (given) => {
    caller.throwIfExpired();
    return hub.definition.onDisconnected?.(caller.hub, given);
  });
}

/** Whether anybody wants to know: if not, nothing need be made ready. */
export function isAwaited(
  target: Pick<Run, "service" | "hub">,
  name: "onConnected" | "onReconnected" | "onDisconnected",
): boolean {
  return target.hub.definition[name] !== undefined || filtersOf(target).some((filter) => filter[name] !== undefined);
}

async function open({ service, caller }: Run): Promise<HubLifetimeContext> {
  const services = await servicesOf(service);
  caller.provide(services);
  return { hub: caller.hub, services };
}

function filtersOf({ service, hub }: Pick<Run, "service" | "hub">): readonly AnyHubFilter[] {
  return [...service.filters, ...(hub.definition.filters ?? [])];
}
