// How a hub is written down: `defineHub<Client>()({ methods, onConnected, … })`, with types that infer from schemas.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { ClientInterface } from "./client-proxy.ts";
import type { HubCaller } from "./hub-caller.ts";
import type { HubServer } from "./hub-server.ts";
import type { EndReason } from "./store.ts";

// biome-ignore lint/suspicious/noExplicitAny: a position that must accept every function
type AnyFunction = (...args: any[]) => unknown;
type Schemas = readonly StandardSchemaV1[] | readonly [StandardSchemaV1];
type Outputs<Args> = {
  -readonly [Index in keyof Args]: Args[Index] extends StandardSchemaV1<infer _, infer Output> ? Output : never;
};
// biome-ignore lint/suspicious/noExplicitAny: without schemas the arguments are the client's word
type Parameters<Args> = Args extends readonly StandardSchemaV1[] ? Outputs<Args> : any[];

/** Who may use a hub: anyone signed in, or those with one of the roles. */
export type Authorize = true | { readonly roles: readonly string[] };

/** A method whose arguments are checked at run time; types come from the schemas. */
export interface CheckedMethod<Client, Args> {
  /** One Standard Schema (zod, valibot, arktype, …) per argument. */
  readonly args: Args & Schemas;
  readonly handler: (hub: HubCaller<Client>, ...args: Parameters<Args>) => unknown;
}

/** The short form: a bare function. Arguments arrive unchecked. */
// biome-ignore lint/suspicious/noExplicitAny: the author's annotations decide
export type ShortMethod<Client> = (hub: HubCaller<Client>, ...args: any[]) => unknown;

type NoExtra<Methods> = {
  [Key in keyof Methods]: Methods[Key] extends AnyFunction
    ? unknown
    : { [Property in Exclude<keyof Methods[Key], keyof CheckedMethod<unknown, unknown>>]: never };
};

/** Why `onDisconnected` runs. */
export interface DisconnectReason {
  /** The client stopped; false when its transport was lost, it was silent too long, or the server closed it. */
  readonly stopCalled: boolean;
  /** What went wrong, if anything did. */
  readonly error: DisconnectError | undefined;
}

/** `code` is stable and meant for programs; the message is meant for people. */
export class DisconnectError extends Error {
  override readonly name = "DisconnectError";
  readonly code: EndReason["code"];

  constructor(code: EndReason["code"], message: string) {
    super(message);
    this.code = code;
  }
}

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

export interface HubEvents<Client> {
  /** Demands a signed-in user, or one with a role, for everything on this hub: 401 and 403 otherwise. */
  authorize?: Authorize;
  /** Runs after the handshake and before the connection's first message. Throwing closes the connection. */
  onConnected?(hub: HubCaller<Client>): unknown;
  /** Runs when a client came back with its resume key: the same connection id, groups and items, a new transport. */
  onReconnected?(hub: HubCaller<Client>): unknown;
  /** Runs once per connection that was connected, with its groups still in place. */
  onDisconnected?(hub: HubCaller<Client>, reason: DisconnectReason): unknown;
  presence?: HubPresenceOptions;
  /** Runs when a signed-in user who was offline has a connection to this hub, behind its `onConnected`. */
  onUserOnline?(hub: HubServer<Client>, change: UserChange): unknown;
  /** Runs when a user who was online has had no connection to this hub for the grace period. */
  onUserOffline?(hub: HubServer<Client>, change: UserChange): unknown;
}

/** What `defineHub` returns and `defineService` takes. */
export interface HubDefinition<Client, Methods> extends HubEvents<Client> {
  /** Carries the client interface for `typeof hub`; there is no value at run time. */
  readonly _client?: Client;
  readonly methods: Methods;
}

// biome-ignore lint/suspicious/noExplicitAny: holds hubs of every client interface
export type AnyHubDefinition = HubDefinition<any, Readonly<Record<string, unknown>>>;

/**
 * Defines a hub. The type argument says what the server may call on clients; the extra pair of parentheses lets
 * TypeScript infer everything else.
 *
 * Only own keys of `methods` can be called, in any case (`SendMessage` finds `sendMessage`).
 *
 * @throws TypeError for two methods that differ in case only, or a method that is neither function nor `{ args, handler }`.
 * @example
 * const chat = defineHub<{ receiveMessage(user: string, text: string): void }>()({
 *   methods: {
 *     sendMessage: { args: [z.string().max(2000)], async handler(hub, text) {
 *       await hub.clients.all.receiveMessage(hub.userIdentifier ?? "anonymous", text);
 *     } },
 *   },
 * });
 */
export function defineHub<Client extends ClientInterface<Client>>(): <Args, Methods>(
  definition: {
    methods: { [Key in keyof Args]: CheckedMethod<Client, Args[Key]> | ShortMethod<Client> } & Methods &
      NoExtra<Methods>;
  } & HubEvents<Client>,
) => HubDefinition<Client, Methods> {
  return (definition) => {
    checkKeys("defineHub", definition, KEYS);
    checkPresence(definition);
    checkAuthorize(definition.authorize);
    checkMethods(definition.methods as Readonly<Record<string, unknown>>);
    return definition;
  };
}

const KEYS = [
  "methods",
  "authorize",
  "presence",
  "onConnected",
  "onReconnected",
  "onDisconnected",
  "onUserOnline",
  "onUserOffline",
];

function checkPresence<Client>({ presence, onUserOnline, onUserOffline }: HubEvents<Client>): void {
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

/** A misspelt `authorize` would open what it is meant to close. */
function checkKeys(what: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new TypeError(`${what} does not know '${unknown}'. It takes ${known.join(", ")}.`);
}

function checkAuthorize(authorize: unknown): void {
  if (authorize === undefined || authorize === true) return;
  const roles = (authorize as { roles?: unknown } | null)?.roles;
  if (Array.isArray(roles) && roles.every((role) => typeof role === "string")) return;
  throw new TypeError('`authorize` of a hub must be true or { roles: ["Admin", …] }.');
}

function checkMethods(methods: Readonly<Record<string, unknown>>): void {
  if (typeof methods !== "object" || methods === null)
    throw new TypeError("defineHub needs `methods`: an object of hub methods.");
  const seen = new Map<string, string>();
  for (const [name, method] of Object.entries(methods)) {
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
  if (/Generator/.test(Object.prototype.toString.call(handler))) {
    throw new TypeError(`Hub method '${name}' is a generator. Streaming methods are not supported yet.`);
  }
  if (typeof method === "object" && method !== null) checkKeys(`Hub method '${name}'`, method, ["args", "handler"]);
  const args = typeof method === "function" ? [] : (method as { args?: unknown }).args;
  if (!Array.isArray(args) || args.some((schema) => !isSchema(schema))) {
    throw new TypeError(
      `Hub method '${name}' needs \`args\`: one Standard Schema (zod, valibot, arktype, …) per argument.`,
    );
  }
}

function isSchema(schema: unknown): schema is StandardSchemaV1 {
  const known = (typeof schema === "object" && schema !== null) || typeof schema === "function";
  return known && "~standard" in schema;
}
