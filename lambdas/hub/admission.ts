// Who may come in: hub, origin, user. Asked at negotiate and again at connect.

import { isAuthorized } from "./authorization.ts";
import type { User } from "./connection-state.ts";
import type { HubEntry, Service } from "./define-service.ts";
import { isTooLong, NAME_BYTES } from "./names.ts";
import type { Authenticate, AuthRequest, Claims, ClientRequest, ConnectionTokens, Log } from "./ports.ts";

export interface AdmissionPorts {
  readonly service: Service;
  readonly authenticate: Authenticate | undefined;
  readonly log: Log;
}

/** An HTTP refusal. The body is what a stock client shows as the error of `start()`. */
export interface Refusal {
  readonly status: number;
  readonly body: string;
}

export interface Admission {
  readonly hub: HubEntry;
  readonly user: User;
  readonly userIdentifier: string | undefined;
}

export const ANONYMOUS: User = { isAuthenticated: false, name: undefined, roles: [], claims: {} };

/**
 * Finds the hub and the user, or says which status the client is to get.
 *
 * @param negotiatedAt of the connection that the request is for, as {@link AuthRequest} has it.
 */
export async function admit(
  ports: AdmissionPorts,
  request: ClientRequest,
  negotiatedAt?: number,
): Promise<Admission | Refusal> {
  const hub = admitTo(ports, request);
  if (isRefusal(hub)) return hub;
  const identity = await identify(ports, request, negotiatedAt);
  if (isRefusal(identity)) return identity;
  const { user, userIdentifier } = identity;
  return (await refuse(ports, hub, user, userIdentifier)) ?? { hub, user, userIdentifier };
}

/** The hub, if it is served to pages of this origin. */
export function admitTo(ports: AdmissionPorts, request: ClientRequest): HubEntry | Refusal {
  const hub = ports.service.hubs.get(request.hubPath.toLowerCase());
  if (hub === undefined) return { status: 404, body: `No hub is served at '/${request.hubPath}'.` };
  return isOriginAllowed(ports, request) ? hub : { status: 403, body: "Origin not allowed" };
}

/** Who sent a request, whether or not they may. */
export async function identify(
  ports: AdmissionPorts,
  request: ClientRequest,
  negotiatedAt?: number,
): Promise<Pick<Admission, "user" | "userIdentifier"> | Refusal> {
  const claims = await authenticate(ports, toAuthRequest(request, negotiatedAt));
  if (claims === "unknown") return { status: 500, body: "Authentication is not available" };
  const user = claims === null ? ANONYMOUS : toUser(claims, ports.service);
  const userIdentifier = claims === null ? undefined : firstClaim(claims, ports.service.claimTypes.userIdentifier);
  if (userIdentifier !== undefined && isTooLong(userIdentifier)) {
    return { status: 400, body: `A user identifier has at most ${NAME_BYTES} bytes` };
  }
  return { user, userIdentifier };
}

export function isRefusal(value: object): value is Refusal {
  return "status" in value;
}

/** When the connection was negotiated whose token a transport brings; undefined without one of the hub's. */
export async function negotiatedAt(
  { tokens }: { readonly tokens: ConnectionTokens },
  { hubPath, query }: ClientRequest,
): Promise<number | undefined> {
  const token = queryValue(query, "id");
  const claims = token === undefined ? undefined : await tokens.verify(token);
  return claims?.hub.toLowerCase() === hubPath.toLowerCase() ? claims.issuedAt : undefined;
}

/** A query parameter the protocol names; ASP.NET Core finds them in any case. */
export function queryValue(query: ClientRequest["query"], name: string): string | undefined {
  const key = Object.keys(query).find((other) => other.toLowerCase() === name.toLowerCase());
  return key === undefined ? undefined : query[key];
}

async function refuse(
  { service: { policies }, log }: AdmissionPorts,
  hub: HubEntry,
  user: User,
  userIdentifier: string | undefined,
): Promise<Refusal | undefined> {
  const { authorize } = hub.definition;
  const asked = { user, userIdentifier, hub: hub.path, method: undefined, args: [], connectionId: undefined };
  if (await isAuthorized({ policies, log }, authorize, asked)) return undefined;
  return user.isAuthenticated ? { status: 403, body: "Forbidden" } : { status: 401, body: "Unauthorized" };
}

/** A client that is no browser sends no Origin. A page of the same host may connect unless a list says otherwise. */
export function isOriginAllowed(
  { service, log }: Pick<AdmissionPorts, "service" | "log">,
  request: ClientRequest,
): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || isListed(origin, service.allowedOrigins)) return true;
  if (service.allowedOrigins === undefined && URL.canParse(origin) && new URL(origin).host === host) return true;
  log.warn("Refused a page of an origin that is not in `allowedOrigins` of defineService.", { origin, host });
  return false;
}

export function isListed(origin: string, allowed: readonly string[] | undefined): boolean {
  return allowed !== undefined && (allowed.includes("*") || allowed.includes(origin));
}

async function authenticate(ports: AdmissionPorts, request: AuthRequest): Promise<Claims | null | "unknown"> {
  if (ports.authenticate === undefined) return null;
  try {
    return (await ports.authenticate(request)) ?? null;
  } catch (error) {
    // Whoever cannot be judged is neither let in as anonymous nor told that they are unauthorised.
    ports.log.error("`auth` failed: it can not tell who sent the request.", { error });
    return "unknown";
  }
}

function toAuthRequest(request: ClientRequest, negotiatedAt: number | undefined): AuthRequest {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  return {
    ...request,
    cookies: parseCookies(request.headers.cookie),
    token: bearer ?? queryValue(request.query, "access_token"),
    negotiatedAt,
  };
}

function parseCookies(header: string | undefined): AuthRequest["cookies"] {
  const cookies: Record<string, string> = Object.create(null);
  for (const part of (header ?? "").split(";")) {
    const pair = part.trim();
    const equals = pair.indexOf("=");
    if (equals > 0) cookies[pair.slice(0, equals).trimEnd()] = pair.slice(equals + 1).trimStart();
  }
  return cookies;
}

function toUser(claims: Claims, { claimTypes }: Service): User {
  const roles = claimTypes.roles.flatMap((type) => (Object.hasOwn(claims, type) ? claims[type] : []));
  return {
    isAuthenticated: true,
    name: firstClaim(claims, claimTypes.name),
    roles: roles.filter((role) => typeof role === "string"),
    claims,
  };
}

function firstClaim(claims: Claims, types: readonly string[]): string | undefined {
  for (const type of types) {
    const value = Object.hasOwn(claims, type) ? claims[type] : undefined;
    if ((typeof value === "string" && value !== "") || typeof value === "number") return String(value);
  }
  return undefined;
}
