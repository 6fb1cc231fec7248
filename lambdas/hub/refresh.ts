// POST {hub}/refresh?id={connection token}: a new access token for a connection that stays as it is.
//
// Session first, then the transport's row: only while nobody takes the connection over or ends it, so a refresh that
// comes between is made again where the connection is then.

import { type Admission, type AdmissionPorts, admit, isRefusal, queryValue } from "./admission.ts";
import type { TransportState } from "./connection-state.ts";
import { answerPreflight, corsHeaders } from "./cors.ts";
import type { HttpRequest, HttpResponse } from "./negotiate.ts";
import type { Clock, ConnectionTokenClaims, ConnectionTokens, Random } from "./ports.ts";
import type { Store } from "./store.ts";
import { expiryOf } from "./token-expiry.ts";

export interface RefreshPorts extends AdmissionPorts {
  readonly tokens: ConnectionTokens;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Pick<Store, "connection" | "session" | "renewSession" | "renewAuthentication" | "enqueue" | "count">;
}

/** In the reference's words. */
type RefreshError = "refresh_disabled" | "missing_connection_token" | "connection_not_found" | "invalid_token";

const STATUS: Readonly<Record<RefreshError, number>> = {
  refresh_disabled: 404,
  missing_connection_token: 400,
  connection_not_found: 404,
  invalid_token: 401,
};

/** How often a connection is looked for that goes over to another transport, and how far apart. Milliseconds. */
const MOST_TRIES = 6;
const PAUSE = 200;

export async function refresh(ports: RefreshPorts, request: HttpRequest): Promise<HttpResponse> {
  const preflight = answerPreflight(ports, request);
  if (preflight !== undefined) return preflight;
  const cors = corsHeaders(ports.service, request);
  const text = (status: number, body: string, more: Readonly<Record<string, string>> = {}): HttpResponse => ({
    status,
    headers: { "content-type": "text/plain", ...cors, ...more },
    body,
  });
  const json = (status: number, body: object): HttpResponse => ({
    status,
    headers: { "content-type": "application/json", ...cors },
    body: JSON.stringify(body),
  });
  const refuse = (error: RefreshError): HttpResponse => json(STATUS[error], { error });

  if (request.method !== "POST") return text(405, "Method not allowed", { allow: "POST" });
  if (!ports.service.enableAuthenticationRefresh) return refuse("refresh_disabled");
  const token = queryValue(request.query, "id");
  if (token === undefined || token === "") return refuse("missing_connection_token");
  const admission = await admit(ports, request);
  if (isRefusal(admission)) {
    return admission.status === 401 ? refuse("invalid_token") : text(admission.status, admission.body);
  }
  const claims = await ports.tokens.verify(token);
  if (claims === undefined || claims.hub !== admission.hub.path) return refuse("connection_not_found");
  const state = await renew(ports, claims, admission);
  if (typeof state === "string") return refuse(state);
  ports.log.info("A connection has a new access token.", { hub: state.hub, connectionId: state.connectionId });
  if (admission.hub.definition.onAuthenticationRefreshed !== undefined) await announce(ports, state);
  const expiry = expiryOf(admission.user);
  if (expiry === undefined) return json(200, {});
  return json(200, { tokenLifetimeSeconds: Math.max(0, Math.floor((expiry - ports.clock.now()) / 1000)) });
}

async function renew(
  { store, clock, service }: RefreshPorts,
  { connectionId, issuedAt }: ConnectionTokenClaims,
  { user, userIdentifier }: Admission,
): Promise<TransportState | RefreshError> {
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    if (tries > 1) await clock.sleep(PAUSE);
    const connection = await store.connection(connectionId);
    // Another token has brought its client here since.
    if (connection === undefined || connection.ended || connection.issuedAt !== issuedAt) break;
    const { transportId } = connection;
    const session = await store.session(transportId);
    if (session === undefined) continue;
    // Memberships are kept under the user's identifier: a connection stays with its user.
    const isSame = user.isAuthenticated && session.user.isAuthenticated && session.userIdentifier === userIdentifier;
    if (!isSame) return "invalid_token";
    if (!(await store.renewSession(transportId, { user, request: session.request }))) continue;
    const until = service.closeOnAuthenticationExpiration ? expiryOf(user) : undefined;
    const state = await store.renewAuthentication(transportId, until);
    if (state !== undefined) return state;
  }
  return "connection_not_found";
}

/** `onAuthenticationRefreshed` waits for its turn: whoever handles the next frame runs it, or the next sweep. */
async function announce(
  { store, clock, random }: RefreshPorts,
  { connectionId, transportId, handshakes }: TransportState,
): Promise<void> {
  const receivedAt = clock.now();
  const key = `${String(receivedAt).padStart(15, "0")}##${random.id()}`;
  const event = { key, text: "", receivedAt, transportId, handshakes, repeated: [], refreshed: true };
  await store.enqueue(connectionId, event);
  let present: string | undefined = transportId;
  for (let tries = 1; present !== undefined && tries <= MOST_TRIES; tries++) {
    if ((await store.count(present)) !== undefined) return;
    await clock.sleep(PAUSE);
    const connection = await store.connection(connectionId);
    present = connection?.ended ? undefined : connection?.transportId;
  }
}
