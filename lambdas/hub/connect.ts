// A transport asks to be let in. Whatever must fail fails here: a socket that is accepted and then closed makes a
// stock client come back in a hot loop.

import {
  type Admission,
  type AdmissionPorts,
  admit,
  isRefusal,
  negotiatedAt,
  queryValue,
  type Refusal,
} from "./admission.ts";
import { platformOf } from "./client-platform.ts";
import type { ClosingPorts } from "./closing.ts";
import type { ConnectionState, RequestInfo } from "./connection-state.ts";
import { endConnection, TOMBSTONE } from "./ending.ts";
import { refuseTransport } from "./offered-transports.ts";
import type { ClientRequest, ConnectionTokens, Random, Runners } from "./ports.ts";
import { isRaw } from "./protocols.ts";
import { RESUME_PARAMETER, resume, resumeKeyOf } from "./resume.ts";
import { expiryOf } from "./token-expiry.ts";
import { type TransportName, transportNameOf } from "./transport-names.ts";

export interface ConnectPorts extends AdmissionPorts, ClosingPorts {
  readonly tokens: ConnectionTokens;
  readonly random: Random;
  readonly runners: Runners;
}

export interface ConnectRequest extends ClientRequest {
  /** A socket's is the gateway's. */
  readonly transportId: string;
}

/** How old a connection token may be at its first use, and how far clocks may differ. Milliseconds. */
const TOKEN_AGE = 15_000;
const CLOCK_SKEW = 5_000;
/** How long a resumed transport may be without the client's Sequence. Milliseconds. */
const SEQUENCE_TIMEOUT = 5_000;
/**
 * When a transport is to be replaced before the platform cuts it, from which time on and within which, spread by chance:
 * sockets before two hours, event streams before their function's 15 minutes. Milliseconds.
 */
const ROTATION: Readonly<Record<TransportName, readonly [after: number, spread: number]>> = {
  WebSockets: [110 * 60_000, 8 * 60_000],
  ServerSentEvents: [12 * 60_000, 2 * 60_000],
  LongPolling: [Number.MAX_SAFE_INTEGER / 2, 0],
};

const TAKEN: Refusal = { status: 409, body: "" };
/**
 * The JavaScript client that has had stateful reconnect, and falls back from sockets, keeps a buffer that waits for a
 * Sequence: it would be connected, send nothing and hear nothing. Refused, it goes on trying for a socket.
 */
const SOCKETS_ONLY: Refusal = {
  status: 409,
  body: "A connection with stateful reconnect goes on over WebSockets only",
};
const NOT_FOUND: Refusal = { status: 404, body: "No Connection with that ID" };
/** Query parameters that are the transport's, not the application's. */
const TRANSPORT_PARAMETERS = new Set(["id", "access_token", RESUME_PARAMETER]);

/** Undefined when the transport is accepted, else why not. */
export async function connect(ports: ConnectPorts, request: ConnectRequest): Promise<Refusal | undefined> {
  const admission = await admit(ports, request, await negotiatedAt(ports, request));
  if (isRefusal(admission)) return admission;
  const refused = refuseTransport(admission.hub, transportNameOf(request.transportId));
  if (refused !== undefined) return refused;
  const refusal = await attach(ports, request, admission);
  if (refusal === undefined && isRaw(admission.hub.definition)) {
    // No client says anything first: somebody has to open the connection once its transport is there.
    const { transportId } = request;
    await ports.runners.start({ kind: "handshake", transportId, text: "", receivedAt: ports.clock.now() });
  }
  return refusal;
}

/** The transport becomes that of a new connection, or takes over the one that it asks for. */
async function attach(
  ports: ConnectPorts,
  request: ConnectRequest,
  admission: Admission,
): Promise<Refusal | undefined> {
  const found = await findConnection(ports, request, admission);
  if (isRefusal(found)) return found;
  const { connectionId, issuedAt } = found;
  const transportName = transportNameOf(request.transportId);
  // It is negotiated before the client knows which transport it gets.
  const stateful = found.stateful && transportName === "WebSockets";
  const [rotateAfter, rotateSpread] = ROTATION[transportName];
  const { clock, service, store } = ports;
  const resumeKey = await resumeKeyOf(ports, request, admission.hub.path, admission.userIdentifier);
  const now = clock.now();
  const transport = {
    transportId: request.transportId,
    stateful,
    issuedAt,
    deadline: now + service.lifetime.handshakeTimeout,
    rotateAt: Math.floor(now + rotateAfter + spread(connectionId) * rotateSpread),
    authenticatedUntil: service.closeOnAuthenticationExpiration ? expiryOf(admission.user) : undefined,
    session: {
      userIdentifier: admission.userIdentifier,
      user: admission.user,
      request: requestInfo(request, service.requestHeaders),
      items: {},
    },
  };
  const { path: hub, definition } = admission.hub;
  const isNew = async (): Promise<boolean> =>
    (await store.accept({ ...transport, connectionId, hub, resumeKey, protocol: definition.protocol })) === "accepted";
  // With a key, or an old token, it may well be there already, and finding out is cheaper than trying.
  const known = resumeKey === undefined && found.isFresh ? undefined : await store.connection(connectionId);
  if (known === undefined && found.isFresh && (await isNew())) return undefined;
  let connection = known ?? (await store.connection(connectionId));
  for (let tries = 1; ; tries++) {
    if (connection === undefined || connection.ended) return NOT_FOUND;
    const byToken = stateful && connection.stateful && connection.issuedAt === issuedAt;
    // A page that has lost its connection to another one may still hold a token that is young.
    const isNewer = issuedAt === 0 || issuedAt >= connection.issuedAt;
    const byKey = resumeKey !== undefined && connection.resumeKey === resumeKey && found.isFresh && isNewer;
    if (!byToken && !byKey) return TAKEN;
    if (connection.stateful && transportName !== "WebSockets" && platformOf(request) === "JavaScript")
      return SOCKETS_ONLY;
    // One that resumes begins at once. A stock client also opens sockets that it forgets, and those never begin.
    const deadline = byToken ? Math.min(transport.deadline, now + SEQUENCE_TIMEOUT) : transport.deadline;
    if (await resume(ports, { ...transport, deadline, isOther: !byToken, connection })) return undefined;
    if (byToken) return TAKEN;
    if (await clearUnopened(ports, connection)) return NOT_FOUND;
    if (tries === MOST_TRIES) return TAKEN;
    // Another socket of the same client's may be taking it over at this moment.
    await clock.sleep(PAUSE);
    connection = await store.connection(connectionId);
  }
}

/** A client that left before its handshake, or a connect that died, must not hold the key of a client that comes back. */
async function clearUnopened(ports: ConnectPorts, { connectionId, transportId }: ConnectionState): Promise<boolean> {
  const state = await ports.store.transport(transportId);
  if (state === undefined) {
    const buried = await ports.store.bury(connectionId, ports.clock.now() + TOMBSTONE);
    if (buried !== undefined) await ports.store.clear(buried);
    return true;
  }
  if (state.phase !== "accepted" || state.turn !== undefined) return false;
  return endConnection(ports, {
    transportId,
    from: { phase: "accepted", turn: undefined },
    reason: { stopCalled: false, code: "handshake_failed", message: "Its client began anew." },
    goodbye: {},
  });
}

/** How often, and how far apart, a connect with a resume key tries to take its connection over. Milliseconds. */
const MOST_TRIES = 6;
const PAUSE = 200;

interface Found {
  readonly connectionId: string;
  /** Whether stateful reconnect was negotiated. */
  readonly stateful: boolean;
  /** Whether it may be new: an older token only resumes what is there. */
  readonly isFresh: boolean;
  readonly issuedAt: number;
}

async function findConnection(
  ports: ConnectPorts,
  request: ConnectRequest,
  admission: Admission,
): Promise<Found | Refusal> {
  const token = queryValue(request.query, "id");
  // A client that skips negotiation has no id; it gets one it never learns, or the one its resume key belongs to.
  if (token === undefined) {
    const connectionId = (await findResumable(ports, request, admission)) ?? ports.random.id();
    return { connectionId, stateful: false, isFresh: true, issuedAt: 0 };
  }
  const claims = await ports.tokens.verify(token);
  const age = claims === undefined ? 0 : ports.clock.now() - claims.issuedAt;
  const isFresh = age <= TOKEN_AGE + CLOCK_SKEW;
  const isUsable = isFresh || claims?.stateful;
  if (claims === undefined || claims.hub !== admission.hub.path || !isUsable || age < -CLOCK_SKEW) return NOT_FOUND;
  if (claims.userIdentifier === admission.userIdentifier) {
    const { connectionId, stateful, issuedAt } = claims;
    return { connectionId, stateful, isFresh, issuedAt };
  }
  // The token was handed to one user: nobody else may use it, signed in or not.
  return admission.userIdentifier === undefined
    ? { status: 401, body: "Unauthorized" }
    : { status: 403, body: "Forbidden" };
}

async function findResumable(
  ports: ConnectPorts,
  request: ConnectRequest,
  { hub, userIdentifier }: Admission,
): Promise<string | undefined> {
  const resumeKey = await resumeKeyOf(ports, request, hub.path, userIdentifier);
  return resumeKey === undefined ? undefined : ports.store.connectionOfKey(resumeKey);
}

function requestInfo(request: ConnectRequest, headerNames: readonly string[]): RequestInfo {
  const query: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(request.query)) {
    if (value !== undefined && !TRANSPORT_PARAMETERS.has(name.toLowerCase())) query[name] = value;
  }
  const headers: Record<string, string> = Object.create(null);
  for (const name of headerNames) {
    const value = request.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  return { query, headers };
}

/** A number in [0, 1) that is the same for the same id. Ids are random already. */
function spread(id: string): number {
  let sum = 0;
  for (let index = 0; index < id.length; index++) sum = (sum * 31 + id.charCodeAt(index)) % 9973;
  return sum / 9973;
}
