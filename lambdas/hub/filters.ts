// Hub filters: code around methods and events, as ASP.NET Core's IHubFilter. Those of the service run outside those of
// the hub, each list in its order.

import { checkKeys } from "./check-keys.ts";
import type { DisconnectReason } from "./disconnect-reason.ts";
import type { HubCaller } from "./hub-caller.ts";

/** A connection's event, as a filter sees it. */
export interface HubLifetimeContext<Services extends object = object> {
  readonly hub: HubCaller<object, Services>;
  readonly services: Services;
}

/** An invocation that is authorised, and whose arguments are checked. */
export interface HubInvocationContext<Services extends object = object> extends HubLifetimeContext<Services> {
  /** As defined, however the client spells it. */
  readonly hubMethodName: string;
  readonly hubMethodArguments: readonly unknown[];
}

/**
 * Wraps the methods and events of a hub, or of all hubs of a service. Whoever does not call `next` keeps what is inside
 * from running. What it throws is answered like an error of the method or event: a HubException reaches the client.
 *
 * @example
 * const timed: HubFilter = {
 *   async invokeMethod(context, next) {
 *     const result = await next(context);
 *     context.hub.log.info("Invoked.", { method: context.hubMethodName });
 *     return result;
 *   },
 * };
 */
export interface HubFilter<Services extends object = object> {
  /**
   * Returns what the client gets. `next` runs what is inside, with the arguments of the context that it is given, and
   * resolves with its result; nothing else of that context counts.
   */
  readonly invokeMethod?: (
    context: HubInvocationContext<Services>,
    next: (context: Pick<HubInvocationContext, "hubMethodArguments">) => Promise<unknown>,
  ) => unknown;
  readonly onConnected?: (context: HubLifetimeContext<Services>, next: NextEvent) => unknown;
  readonly onReconnected?: (context: HubLifetimeContext<Services>, next: NextEvent) => unknown;
  /** `next` may be given another reason. */
  readonly onDisconnected?: (
    context: HubLifetimeContext<Services>,
    reason: DisconnectReason,
    next: (context?: HubLifetimeContext, reason?: DisconnectReason) => Promise<void>,
  ) => unknown;
}

export type NextEvent = (context?: HubLifetimeContext) => Promise<void>;

// biome-ignore lint/suspicious/noExplicitAny: filters with services of every type
export type AnyHubFilter = HubFilter<any>;

/** Runs `method` inside the filters, the first of them outermost: at once if there is none. What the outermost returns. */
export function invokeThrough(
  filters: readonly AnyHubFilter[],
  context: HubInvocationContext,
  method: (args: readonly unknown[]) => unknown,
): unknown {
  const at = filters.findIndex(({ invokeMethod }) => invokeMethod !== undefined);
  const filter = filters[at];
  if (filter?.invokeMethod === undefined) return method(context.hubMethodArguments);
  const inside = filters.slice(at + 1);
  return filter.invokeMethod(context, async (given) => {
    const hubMethodArguments = given?.hubMethodArguments ?? context.hubMethodArguments;
    return invokeThrough(inside, { ...context, hubMethodArguments }, method);
  });
}

/** The same around `onConnected` or `onReconnected`. */
export function raiseThrough(
  name: "onConnected" | "onReconnected",
  filters: readonly AnyHubFilter[],
  context: HubLifetimeContext,
  event: () => unknown,
): unknown {
  const at = filters.findIndex((filter) => filter[name] !== undefined);
  if (at === -1) return event();
  const inside = filters.slice(at + 1);
  return filters[at]?.[name]?.(context, async () => {
    await raiseThrough(name, inside, context, event);
  });
}

/** The same around `onDisconnected`. */
export function disconnectThrough(
  filters: readonly AnyHubFilter[],
  context: HubLifetimeContext,
  reason: DisconnectReason,
  event: (reason: DisconnectReason) => unknown,
): unknown {
  const at = filters.findIndex(({ onDisconnected }) => onDisconnected !== undefined);
  if (at === -1) return event(reason);
  const inside = filters.slice(at + 1);
  return filters[at]?.onDisconnected?.(context, reason, async (_context, given) => {
    await disconnectThrough(inside, context, given ?? reason, event);
  });
}

const VERBS = ["invokeMethod", "onConnected", "onReconnected", "onDisconnected"] as const;

/** @throws TypeError for what is no filter. An instance of a class may have more than a filter needs. */
export function checkFilters(filters: unknown): readonly AnyHubFilter[] {
  if (filters === undefined) return [];
  if (!Array.isArray(filters)) throw new TypeError("`filters` must be an array of hub filters, the outermost first.");
  for (const filter of filters as readonly unknown[]) checkFilter(filter);
  return filters;
}

function checkFilter(filter: unknown): void {
  if (typeof filter !== "object" || filter === null) throw new TypeError(NO_FILTER);
  const prototype = Object.getPrototypeOf(filter);
  if (prototype === Object.prototype || prototype === null) checkKeys("A hub filter", filter, VERBS);
  const verbs = VERBS.map((verb) => (filter as AnyHubFilter)[verb]).filter((verb) => verb !== undefined);
  if (verbs.length === 0 || verbs.some((verb) => typeof verb !== "function")) throw new TypeError(NO_FILTER);
}

const NO_FILTER = `A hub filter must be an object with functions for one or more of ${VERBS.join(", ")}.`;
