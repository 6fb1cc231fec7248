// How a hub is written down: `defineHub<Client>()({ methods, onConnected, … })`, with types that infer from schemas.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type Authorize, checkAuthorize } from "./authorization.ts";
import { checkKeys } from "./check-keys.ts";
import type { ClientInterface } from "./client-proxy.ts";
import type { DisconnectReason } from "./disconnect-reason.ts";
import { checkFilters, type HubFilter } from "./filters.ts";
import type { HubCaller } from "./hub-caller.ts";
import { checkHubOptions, HUB_OPTION_NAMES, type HubOptions } from "./hub-options.ts";
import type { HubServer } from "./hub-server.ts";
import { publishedName } from "./published-name.ts";

// biome-ignore lint/suspicious/noExplicitAny: a position that must accept every function
type AnyFunction = (...args: any[]) => unknown;
type Schemas = readonly StandardSchemaV1[] | readonly [StandardSchemaV1];
type Outputs<Args> = {
  -readonly [Index in keyof Args]: Args[Index] extends StandardSchemaV1<infer _, infer Output> ? Output : never;
};
// biome-ignore lint/suspicious/noExplicitAny: without schemas the arguments are the client's word
type Parameters<Args> = Args extends readonly StandardSchemaV1[] ? Outputs<Args> : any[];

/** A string; spelled so that TypeScript infers the very name. */
type MethodName = "" | (string & {});

/** A method whose arguments are checked at run time; types come from the schemas. */
export interface CheckedMethod<Client, Args, Services extends object = object> {
  /** The name that clients call it by, as `[HubMethodName]`: then its key is none. @default its key */
  readonly name?: MethodName;
  /** One Standard Schema (zod, valibot, arktype, …) per argument. */
  readonly args: Args & Schemas;
  /** Who may call it, of those who may use the hub. Judged when the arguments have been checked. */
  readonly authorize?: Authorize;
  /** A generator is a streaming method: clients call it with `stream`, and what it yields are the items. */
  readonly handler: (hub: HubCaller<Client, Services>, ...args: Parameters<Args>) => unknown;
  /** For a streaming method that is no generator: the handler returns an iterable, or a promise of one. */
  readonly streams?: boolean;
  /** Runs in a worker, for up to 14 minutes, beside the connection's other invocations. @default 25 s, one at a time */
  readonly longRunning?: boolean;
}

/** The short form: a bare function. Arguments arrive unchecked. */
export type ShortMethod<Client, Services extends object = object> = (
  hub: HubCaller<Client, Services>,
  // biome-ignore lint/suspicious/noExplicitAny: the author's annotations decide
  ...args: any[]
) => unknown;

type NoExtra<Methods> = {
  [Key in keyof Methods]: Methods[Key] extends AnyFunction
    ? unknown
    : { [Property in Exclude<keyof Methods[Key], keyof CheckedMethod<unknown, unknown>>]: never };
};

/** Whom `onUserOnline` and `onUserOffline` tell of. */
export interface UserChange {
  readonly userIdentifier: string;
}

// biome-ignore lint/suspicious/noExplicitAny: the definition's own type of client
export type UserEvent = (hub: HubServer<any>, change: UserChange) => unknown;

/** How `onUserOnline` and `onUserOffline` see users. */
export interface HubPresenceOptions {
  /**
   * How long a user has to be without a connection to be offline, so that a reload of the page goes unnoticed.
   * Milliseconds, 1000 or more. @default 10000
   */
  readonly grace?: number;
}

export interface HubEvents<Client, Services extends object = object> extends HubOptions {
  /** Demands a signed-in user, a role or a policy for everything on this hub: 401 and 403 otherwise. */
  authorize?: Authorize;
  /** Run around the hub's methods and events, inside those of the service, the first one outermost. */
  filters?: readonly HubFilter<Services>[];
  /** Runs after the handshake and before the connection's first message. Throwing closes the connection. */
  onConnected?(hub: HubCaller<Client, Services>): unknown;
  /** Runs when a client came back with its resume key: the same connection id, groups and items, a new transport. */
  onReconnected?(hub: HubCaller<Client, Services>): unknown;
  /**
   * Runs in its turn after a client has brought a new access token (`enableAuthenticationRefresh`): `hub.user` is new,
   * the connection and its user identifier are the same. Outside the filters.
   */
  onAuthenticationRefreshed?(hub: HubCaller<Client, Services>): unknown;
  /** Runs once per connection that was connected, with its groups still in place. */
  onDisconnected?(hub: HubCaller<Client, Services>, reason: DisconnectReason): unknown;
  presence?: HubPresenceOptions;
  /** Runs when a signed-in user who was offline has a connection to this hub, behind its `onConnected`. */
  onUserOnline?(hub: HubServer<Client>, change: UserChange): unknown;
  /** Runs when a user who was online has had no connection to this hub for the grace period. */
  onUserOffline?(hub: HubServer<Client>, change: UserChange): unknown;
}

/** What `defineHub` returns and `defineService` takes. */
export interface HubDefinition<Client, Methods, Services extends object = object> extends HubEvents<Client, Services> {
  /** Carries the client interface for `typeof hub`; there is no value at run time. */
  readonly _client?: Client;
  /** The same for the services that it wants. */
  readonly _services?: Services;
  readonly methods: Methods;
  readonly protocol?: undefined;
}

/** What `defineConnection` returns and `defineService` takes: a hub whose clients speak no hub protocol. */
export interface RawConnectionDefinition<Services extends object = object>
  extends Omit<HubDefinition<object, Readonly<Record<string, unknown>>, Services>, "protocol"> {
  readonly protocol: "raw";
}

export type AnyHubDefinition =
  // biome-ignore lint/suspicious/noExplicitAny: holds hubs of every client interface, with services of every type
  HubDefinition<any, Readonly<Record<string, unknown>>, any> | RawConnectionDefinition<any>;

/**
 * Defines a hub. The first type argument says what the server may call on clients, the second, if any, which services
 * its code finds in `hub.services`; the extra pair of parentheses lets TypeScript infer everything else.
 *
 * Only own keys of `methods` can be called, or the `name` of a method instead of its key, in any case (`SendMessage`
 * finds `sendMessage`).
 *
 * @throws TypeError for two methods whose names differ in case only, or a method that is neither function nor `{ args, handler }`.
 * @example
 * const chat = defineHub<{ receiveMessage(user: string, text: string): void }>()({
 *   methods: {
 *     sendMessage: { args: [z.string().max(2000)], async handler(hub, text) {
 *       await hub.clients.all.receiveMessage(hub.userIdentifier ?? "anonymous", text);
 *     } },
 *   },
 * });
 */
export function defineHub<Client extends ClientInterface<Client>, Services extends object = object>(): <Args, Methods>(
  definition: {
    methods: {
      [Key in keyof Args]: CheckedMethod<Client, Args[Key], Services> | ShortMethod<Client, Services>;
    } & Methods &
      NoExtra<Methods>;
  } & HubEvents<Client, Services>,
) => HubDefinition<Client, Methods, Services> {
  return (definition) => {
    checkKeys("defineHub", definition, KEYS);
    checkHubOptions(definition);
    checkAuthorize("a hub", definition.authorize);
    checkFilters(definition.filters);
    checkPresence(definition);
    checkMethods(definition.methods as Readonly<Record<string, unknown>>);
    return definition;
  };
}

const KEYS = [
  "methods",
  "authorize",
  "filters",
  "presence",
  "onConnected",
  "onReconnected",
  "onAuthenticationRefreshed",
  "onDisconnected",
  "onUserOnline",
  "onUserOffline",
  ...HUB_OPTION_NAMES,
];

function checkPresence({
  presence,
  onUserOnline,
  onUserOffline,
}: {
  readonly presence?: HubPresenceOptions;
  readonly onUserOnline?: unknown;
  readonly onUserOffline?: unknown;
}): void {
  if (presence === undefined) return;
  checkKeys("`presence` of a hub", presence, ["grace"]);
  if (onUserOnline === undefined && onUserOffline === undefined) {
    throw new TypeError("`presence` is for onUserOnline and onUserOffline: define one of them, or leave it out.");
  }
  const { grace = 1000 } = presence;
  if (!Number.isFinite(grace) || grace < 1000) {
    throw new TypeError(`presence.grace is ${grace}; it is a number of milliseconds, 1000 or more.`);
  }
}

function checkMethods(methods: Readonly<Record<string, unknown>>): void {
  if (typeof methods !== "object" || methods === null)
    throw new TypeError("defineHub needs `methods`: an object of hub methods.");
  const seen = new Map<string, string>();
  for (const [key, method] of Object.entries(methods)) {
    const name = publishedName(key, method);
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      throw new TypeError(
        `Duplicate definitions of '${other}' and '${name}'. Hub methods are found in any case; rename one.`,
      );
    }
    seen.set(name.toLowerCase(), name);
    checkMethod(name, method);
  }
}

function checkMethod(name: string, method: unknown): void {
  const handler = typeof method === "function" ? method : (method as { handler?: unknown } | null)?.handler;
  if (typeof handler !== "function") {
    throw new TypeError(`Hub method '${name}' must be a function or { args, handler }.`);
  }
  if (typeof method === "object" && method !== null) {
    checkKeys(`Hub method '${name}'`, method, ["name", "args", "authorize", "handler", "streams", "longRunning"]);
    checkAuthorize(`hub method '${name}'`, (method as { authorize?: unknown }).authorize);
  }
  const args = typeof method === "function" ? [] : (method as { args?: unknown }).args;
  if (!Array.isArray(args) || args.some((schema) => !isSchema(schema))) {
    throw new TypeError(
      `Hub method '${name}' needs \`args\`: one Standard Schema (zod, valibot, arktype, …) per argument.`,
    );
  }
}

/** Known before it runs, so that `invoke` on a streaming method can be refused. */
export function isGenerator(handler: unknown): boolean {
  return /Generator/.test(Object.prototype.toString.call(handler));
}

function isSchema(schema: unknown): schema is StandardSchemaV1 {
  const known = (typeof schema === "object" && schema !== null) || typeof schema === "function";
  return known && "~standard" in schema;
}
