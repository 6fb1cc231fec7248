// How a service is written down: its hubs, who may come in, and how long silence lasts.

import { type Authorize, checkPolicies, type Demand, type Policy } from "./authorization.ts";
import type { AnyHubDefinition } from "./define-hub.ts";
import { type AnyHubFilter, checkFilters } from "./filters.ts";
import { type HubOptions, hubOptions } from "./hub-options.ts";
import { checkHubPath } from "./hub-path.ts";
import type { Authenticate } from "./ports.ts";
import { checkServices, type ServicesFactory, type ServicesFor } from "./services.ts";

/** Bearer tokens: verified with a shared secret, or with the keys a JWKS URL publishes. */
export type JwtBearerOptions = {
  readonly issuer?: string | readonly string[];
  readonly audience?: string | readonly string[];
  /** How far clocks may differ. Milliseconds. @default 5000 */
  readonly clockTolerance?: number;
} & ({ readonly secret: string; readonly jwksUri?: never } | { readonly jwksUri: string; readonly secret?: never });

/** What {@link jwtBearer} returns; an adapter turns it into an {@link Authenticate}. */
export interface JwtBearer {
  readonly kind: "jwtBearer";
  readonly options: JwtBearerOptions;
}

/**
 * Authenticates by JWT: the `Authorization` header's bearer token, else `access_token` in the query. A token must
 * have `exp`. HS256/384/512 with `secret`; the asymmetric algorithms of the key set with `jwksUri`.
 *
 * @throws TypeError unless exactly one of `secret` (at least 32 characters) and `jwksUri` (https) is given.
 * @example
 * auth: jwtBearer({ issuer: "https://id.example.com/", audience: "chat", jwksUri: "https://id.example.com/jwks" })
 */
export function jwtBearer(options: JwtBearerOptions): JwtBearer {
  const { secret, jwksUri, clockTolerance } = options;
  if ((secret === undefined) === (jwksUri === undefined)) {
    throw new TypeError("jwtBearer needs either `secret` or `jwksUri`. Is an environment variable missing?");
  }
  if (secret !== undefined && secret.length < 32) {
    throw new TypeError("jwtBearer's `secret` must have at least 32 characters: shorter ones can be guessed.");
  }
  if (jwksUri !== undefined && !/^https:\/\/|^http:\/\/(localhost|127\.0\.0\.1)[:/]/.test(jwksUri)) {
    throw new TypeError(`jwtBearer's \`jwksUri\` must be an https URL, not '${jwksUri}'.`);
  }
  if (clockTolerance !== undefined && !(clockTolerance >= 0)) {
    throw new TypeError("jwtBearer's `clockTolerance` must be a number of milliseconds, 0 or more.");
  }
  return { kind: "jwtBearer", options };
}

/** Which claims say who somebody is: the first one present counts for id and name, all of them for roles. */
export interface ClaimTypes {
  /** @default nameidentifier's long URI, `nameid`, `sub` */
  readonly userIdentifier?: readonly string[];
  /** @default the long URI, `name`, `unique_name`, `preferred_username`, `cognito:username` */
  readonly name?: readonly string[];
  /** @default the long URI, `role`, `roles`, `cognito:groups` */
  readonly roles?: readonly string[];
}

/** All in milliseconds. */
export interface LifetimeOptions {
  /** Silence after which a client is taken for gone. At least twice the clients' keep-alive interval. @default 30000 */
  readonly clientTimeoutInterval?: number;
  /** How often a client hears something, pings included. At most half of `clientTimeoutInterval`. @default 15000 */
  readonly keepAliveInterval?: number;
  /** How long a client may take from socket to handshake. @default 15000 */
  readonly handshakeTimeout?: number;
  /**
   * How long a connection with a resume key waits for its client to come back, from when its transport was seen to be
   * lost. At least 6000. @default 30000
   */
  readonly disconnectTimeout?: number;
}

/** What is said of hubs here goes for those that do not say otherwise. */
export interface ServiceOptions extends HubOptions {
  /** By path: `chat` is served at `/chat`, `hubs/notifications` at `/hubs/notifications`. Paths match in any case. */
  readonly hubs: Readonly<Record<string, AnyHubDefinition>>;
  /** Says who sends a request: {@link jwtBearer}, or a function that returns claims, or null for nobody known. */
  readonly auth?: JwtBearer | Authenticate;
  readonly claimTypes?: ClaimTypes;
  /**
   * Closes a connection within 10 seconds after the access token has expired that opened it: `exp`, in seconds since
   * the epoch, of the claims that `auth` returned. Its client may reconnect, with a token that is good. @default false
   */
  readonly closeOnAuthenticationExpiration?: boolean;
  /**
   * Lets a client bring a new access token for its connection: `POST /{hub}/refresh?id={connectionToken}`. It must be of
   * the same user. Roles, claims and the end for `closeOnAuthenticationExpiration` are the new token's. @default false
   */
  readonly enableAuthenticationRefresh?: boolean;
  /** What `authorize: { policy: "…" }` of hubs and methods asks for, by name. */
  readonly policies?: Readonly<Record<string, Policy>>;
  /** Run around the methods and events of every hub, outside the hubs' own, the first one outermost. */
  readonly filters?: readonly AnyHubFilter[];
  /**
   * Makes what handlers and filters find in `hub.services`: clients of databases and the like. Called once for each
   * instance of a function, when it is needed first; again if it failed. @default nothing
   */
  readonly services?: ServicesFactory;
  /**
   * Origins whose pages may connect, scheme and host as browsers send them, or `"*"` for every page: not together
   * with an `auth` function, which may read cookies that browsers add to any page's requests.
   * @default pages of the same host only
   */
  readonly allowedOrigins?: readonly string[];
  /** Headers of the connect request to keep for `hub.request.headers`. @default none */
  readonly requestHeaders?: readonly string[];
  readonly lifetime?: LifetimeOptions;
  /**
   * How much of what was sent to one client may be unacknowledged, or wait for it to come back, before the connection
   * is ended. Bytes, 1024 or more. @default 100000
   */
  readonly statefulReconnectBufferSize?: number;
}

/** A service, checked and complete: what a service file exports as default. */
export interface Service {
  readonly kind: "signalr-lambda.service";
  readonly hubs: ReadonlyMap<string, HubEntry>;
  readonly auth: JwtBearer | Authenticate | undefined;
  readonly claimTypes: Required<ClaimTypes>;
  readonly closeOnAuthenticationExpiration: boolean;
  readonly enableAuthenticationRefresh: boolean;
  readonly policies: ReadonlyMap<string, Policy>;
  readonly filters: readonly AnyHubFilter[];
  readonly services: ServicesFactory | undefined;
  readonly allowedOrigins: readonly string[] | undefined;
  readonly requestHeaders: readonly string[];
  readonly lifetime: Required<LifetimeOptions>;
  readonly statefulReconnectBufferSize: number;
}

export interface HubEntry {
  /** As written; also the name under which its state is kept. */
  readonly path: string;
  readonly definition: AnyHubDefinition;
  /** Its own, else the service's. */
  readonly options: Required<HubOptions>;
}

const URI = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
const DEFAULT_CLAIM_TYPES: Required<ClaimTypes> = {
  userIdentifier: [`${URI}/nameidentifier`, "nameid", "sub"],
  name: [`${URI}/name`, "name", "unique_name", "preferred_username", "cognito:username"],
  roles: ["http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "role", "roles", "cognito:groups"],
};

/**
 * Defines a service: the default export of a service file.
 *
 * @throws TypeError for a wrong option, saying which and what it should be.
 * @example
 * export default defineService({ hubs: { chat }, allowedOrigins: ["https://app.example.com"] });
 */
export function defineService<Hubs extends ServiceOptions["hubs"], Services extends object = object>(
  options: ServiceOptions & ServicesFor<Hubs, Services>,
): Service {
  if (typeof options.auth === "function" && options.allowedOrigins?.includes("*")) {
    throw new TypeError(
      "`allowedOrigins` cannot be '*' when `auth` is a function: with cookies, every page a user visits could act as them. List the origins.",
    );
  }
  const hubs = checkHubs(options.hubs, options);
  return {
    kind: "signalr-lambda.service",
    hubs,
    auth: checkAuth(options.auth),
    claimTypes: { ...DEFAULT_CLAIM_TYPES, ...options.claimTypes },
    closeOnAuthenticationExpiration: checkBoolean(
      "closeOnAuthenticationExpiration",
      options.closeOnAuthenticationExpiration ?? false,
    ),
    enableAuthenticationRefresh: checkBoolean(
      "enableAuthenticationRefresh",
      options.enableAuthenticationRefresh ?? false,
    ),
    policies: checkPolicies(options.policies, [...hubs.values()].flatMap(demands)),
    filters: checkFilters(options.filters),
    services: checkServices(options.services),
    allowedOrigins: checkOrigins(options.allowedOrigins),
    requestHeaders: (options.requestHeaders ?? []).map((name) => name.toLowerCase()),
    lifetime: checkLifetime(options.lifetime ?? {}),
    statefulReconnectBufferSize: checkBufferSize(options.statefulReconnectBufferSize ?? 100_000),
  };
}

/** True for what `defineService` returned, from any copy of this package. */
export function isService(value: unknown): value is Service {
  return typeof value === "object" && value !== null && (value as Partial<Service>).kind === "signalr-lambda.service";
}

function checkHubs(hubs: ServiceOptions["hubs"], common: HubOptions): ReadonlyMap<string, HubEntry> {
  const entries = Object.entries(hubs ?? {});
  if (entries.length === 0) throw new TypeError("defineService needs `hubs`: at least one, by its path.");
  const byPath = new Map<string, HubEntry>();
  for (const [path, definition] of entries) {
    checkHubPath(path);
    if (/(^|\/)negotiate$/i.test(path)) throw new TypeError(`Hub path '${path}' cannot end in 'negotiate'.`);
    if (/\/refresh$/i.test(path)) throw new TypeError(`Hub path '${path}' cannot end in '/refresh'.`);
    if (byPath.has(path.toLowerCase()))
      throw new TypeError(`Hub path '${path}' is there twice: paths match in any case.`);
    if (typeof definition?.methods !== "object")
      throw new TypeError(`Hub '${path}' must be made with defineHub or defineConnection.`);
    byPath.set(path.toLowerCase(), { path, definition, options: hubOptions(definition, common) });
  }
  return byPath;
}

/** Everything on a hub that may ask for a policy. */
function demands({ path, definition }: HubEntry): readonly Demand[] {
  const methods = Object.entries(definition.methods).map(([name, method]) => ({
    what: `Method '${name}' of hub '${path}'`,
    authorize: (method as { readonly authorize?: Authorize }).authorize,
  }));
  return [{ what: `Hub '${path}'`, authorize: definition.authorize }, ...methods];
}

function checkAuth(auth: ServiceOptions["auth"]): Service["auth"] {
  if (auth === undefined || typeof auth === "function" || auth?.kind === "jwtBearer") return auth;
  throw new TypeError("`auth` must be jwtBearer({ … }) or a function of the request.");
}

function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`\`${name}\` is ${JSON.stringify(value)}; it is true or false.`);
}

function checkOrigins(origins: readonly string[] | undefined): readonly string[] | undefined {
  for (const origin of origins ?? []) {
    if (origin !== "*" && !isOrigin(origin)) {
      throw new TypeError(
        `\`allowedOrigins\` holds '${origin}'; an origin is scheme and host without a path, such as 'https://app.example.com'.`,
      );
    }
  }
  return origins;
}

function isOrigin(text: string): boolean {
  const origin = URL.canParse(text) ? new URL(text).origin : undefined;
  // Apps that are no websites have schemes of their own, whose origins URL does not tell: `capacitor://localhost`.
  return origin === text || (origin === "null" && /^[a-z][a-z\d+.-]*:\/\/[^\s/?#]+$/.test(text));
}

function checkBufferSize(bytes: number): number {
  if (Number.isSafeInteger(bytes) && bytes >= 1024) return bytes;
  throw new TypeError(`\`statefulReconnectBufferSize\` is ${bytes}; it is a number of bytes, 1024 or more.`);
}

function checkLifetime(given: LifetimeOptions): Required<LifetimeOptions> {
  const clientTimeoutInterval = given.clientTimeoutInterval ?? 30_000;
  const lifetime = {
    clientTimeoutInterval,
    keepAliveInterval: given.keepAliveInterval ?? Math.min(15_000, clientTimeoutInterval / 2),
    handshakeTimeout: given.handshakeTimeout ?? 15_000,
    disconnectTimeout: given.disconnectTimeout ?? 30_000,
  };
  for (const [name, value] of Object.entries(lifetime)) {
    if (!Number.isFinite(value) || value < 1000) {
      throw new TypeError(`lifetime.${name} is ${value}; it is a number of milliseconds, 1000 or more.`);
    }
  }
  if (lifetime.disconnectTimeout < 6000) {
    throw new TypeError(`lifetime.disconnectTimeout is ${lifetime.disconnectTimeout} ms; it must be 6000 or more.`);
  }
  if (lifetime.keepAliveInterval > clientTimeoutInterval / 2) {
    throw new TypeError(
      `lifetime.keepAliveInterval (${lifetime.keepAliveInterval} ms) must be at most half of clientTimeoutInterval (${clientTimeoutInterval} ms).`,
    );
  }
  return lifetime;
}
