// Which connection a request over HTTP belongs to, and whether it may: polls, sends, endings, event streams.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/common/Http.Connections/src/Internal/HttpConnectionDispatcher.cs

import { type AdmissionPorts, admitTo, identify, isRefusal, queryValue, type Refusal } from "./admission.ts";
import type { ConnectionState, User } from "./connection-state.ts";
import { corsHeaders } from "./cors.ts";
import type { HubEntry } from "./define-service.ts";
import type { HttpRequest, HttpResponse } from "./negotiate.ts";
import type { ConnectionTokenClaims, ConnectionTokens } from "./ports.ts";
import type { Store } from "./store.ts";

export interface HttpConnectionPorts extends AdmissionPorts {
  readonly tokens: ConnectionTokens;
  readonly store: Pick<Store, "connection">;
}

/** What the connection token of a request leads to. */
export interface Found {
  readonly hub: HubEntry;
  readonly claims: ConnectionTokenClaims;
  /** Undefined before its first transport. */
  readonly connection: ConnectionState | undefined;
  /** Who sent this request, as far as it tells. */
  readonly user: User;
}

/** Of one that is there: whether this token brought its client here, or one before or after it. */
export function tokenAge({ claims, connection }: Found): "current" | "newer" | "older" {
  const issuedAt = connection?.issuedAt ?? 0;
  if (claims.issuedAt === issuedAt) return "current";
  return claims.issuedAt > issuedAt ? "newer" : "older";
}

/** The connection, unless this token is to open a transport: its first one, or one that takes over. */
export function begun(found: Found): ConnectionState | undefined {
  return tokenAge(found) === "newer" ? undefined : found.connection;
}

const NO_ID: Refusal = { status: 400, body: "Connection ID required" };
export const NOT_FOUND: Refusal = { status: 404, body: "No Connection with that ID" };
const FORBIDDEN: Refusal = { status: 403, body: "Forbidden" };

/**
 * The token is what counts: an access token that has expired since does not end the connection, unless
 * `closeOnAuthenticationExpiration` says so. One of another user is refused.
 */
export async function findHttpConnection(ports: HttpConnectionPorts, request: HttpRequest): Promise<Found | Refusal> {
  const hub = admitTo(ports, request);
  if (isRefusal(hub)) return hub;
  const token = queryValue(request.query, "id");
  if (token === undefined || token === "") return NO_ID;
  const claims = await ports.tokens.verify(token);
  if (claims === undefined || claims.hub !== hub.path) return NOT_FOUND;
  const identity = await identify(ports, request, claims.issuedAt);
  if (isRefusal(identity)) return identity;
  const { user, userIdentifier } = identity;
  if (userIdentifier !== undefined && userIdentifier !== claims.userIdentifier) return FORBIDDEN;
  const connection = await ports.store.connection(claims.connectionId);
  return { hub, claims, connection, user };
}

const TEXT = { "content-type": "text/plain" };
/** Browsers and proxies keep what they were not told to forget. */
const NOT_STORED = {
  "cache-control": "no-cache, no-store",
  pragma: "no-cache",
  expires: "Thu, 01 Jan 1970 00:00:00 GMT",
};

/** An answer that a page of an allowed origin may read. */
export function answer(
  { service }: Pick<HttpConnectionPorts, "service">,
  request: HttpRequest,
  { status, body = "", headers = TEXT, isBinary = false }: Pick<HttpResponse, "status"> & Partial<HttpResponse>,
): HttpResponse {
  return { status, headers: { ...headers, ...NOT_STORED, ...corsHeaders(service, request) }, body, isBinary };
}
