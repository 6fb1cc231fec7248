// How a raw connection is written down: an endpoint without the hub protocol, as ASP.NET Core's MapConnectionHandler.
// To everything else it is a hub whose only method is `onReceived`.

import { RECEIVED } from "../protocol/index.ts";
import type { Authorize } from "./authorization.ts";
import { checkKeys } from "./check-keys.ts";
import { defineHub, type RawConnectionDefinition } from "./define-hub.ts";
import type { DisconnectReason } from "./disconnect-reason.ts";
import type { HubFilter } from "./filters.ts";
import type { HubCaller, HubClients } from "./hub-caller.ts";
import type { HubContext } from "./hub-context.ts";
import { HUB_OPTION_NAMES, type HubOptions } from "./hub-options.ts";
import { RAW } from "./protocols.ts";

/** Whoever is addressed is sent text. */
export interface TextProxy {
  /** Resolves when the text was handed to the gateway for every connection addressed. The empty text is sent to nobody. */
  send(text: string): Promise<void>;
}

/** SignalR's selectors, for clients that are sent text. */
type ForText<Clients> = {
  readonly [Selector in keyof Clients]: Clients[Selector] extends (...args: infer Args) => unknown
    ? (...args: Args) => TextProxy
    : TextProxy;
};

/** What the events of a raw connection are given: what a hub method has, for text. Not to be kept after they return. */
export interface RawConnection<Services extends object = object>
  extends Omit<HubCaller<object, Services>, "clients" | "traceContext">,
    TextProxy {
  readonly clients: ForText<HubClients<object>>;
}

/** What {@link createHubContext} returns for a raw connection. */
export interface RawConnectionContext extends Omit<HubContext<object>, "clients"> {
  readonly clients: ForText<HubContext<object>["clients"]>;
}

export interface RawConnectionEvents<Services extends object = object>
  extends Omit<HubOptions, "streamBufferCapacity"> {
  /** Demands a signed-in user, a role or a policy: 401 and 403 otherwise. */
  authorize?: Authorize;
  /** Run around the events, inside those of the service. To `invokeMethod`, a text is the argument of `onReceived`. */
  filters?: readonly HubFilter<Services>[];
  /** Runs once the transport is there, before the first text. Throwing closes the connection. */
  onConnected?(connection: RawConnection<Services>): unknown;
  /** Runs for each text, one at a time unless told otherwise. What it throws is logged, and ends nothing. */
  onReceived?(connection: RawConnection<Services>, text: string): unknown;
  /** Runs when a client came back with its resume key: the same connection id, groups and items, a new transport. */
  onReconnected?(connection: RawConnection<Services>): unknown;
  /** Runs once per connection that was connected, with its groups still in place. */
  onDisconnected?(connection: RawConnection<Services>, reason: DisconnectReason): unknown;
}

/**
 * Defines a raw connection: text in and out, over every transport, with the lifetime of a hub's connection.
 *
 * @throws TypeError for an option that there is not, or a wrong one.
 * @example
 * const feed = defineConnection({
 *   onConnected: (connection) => connection.groups.add("everybody"),
 *   onReceived: (connection, text) => connection.clients.group("everybody").send(text),
 * });
 * export default defineService({ hubs: { feed } });
 */
export function defineConnection<Services extends object = object>(
  definition: RawConnectionEvents<Services>,
): RawConnectionDefinition<Services> {
  checkKeys("defineConnection", definition, KEYS);
  const { onConnected, onReceived, onReconnected, onDisconnected, ...options } = definition;
  type Caller = HubCaller<object, Services>;
  const hub = defineHub<object, Services>()({
    ...options,
    methods: { [RECEIVED]: (caller: Caller, text: string) => onReceived?.call(definition, toConnection(caller), text) },
    ...(onConnected && { onConnected: (caller: Caller) => onConnected.call(definition, toConnection(caller)) }),
    ...(onReconnected && { onReconnected: (caller: Caller) => onReconnected.call(definition, toConnection(caller)) }),
    ...(onDisconnected && {
      onDisconnected: (caller: Caller, reason: DisconnectReason) =>
        onDisconnected.call(definition, toConnection(caller), reason),
    }),
  });
  return { ...hub, protocol: RAW };
}

const KEYS = [
  "authorize",
  "filters",
  "onConnected",
  "onReceived",
  "onReconnected",
  "onDisconnected",
  ...HUB_OPTION_NAMES.filter((name) => name !== "streamBufferCapacity"),
];

/** The proxies of a hub send what is their `send`'s only argument as text: see `encode` of the protocol. */
function toConnection<Services extends object>(caller: HubCaller<object, Services>): RawConnection<Services> {
  return { ...caller, clients: caller.clients, send: (text) => caller.clients.caller.send(text) };
}
