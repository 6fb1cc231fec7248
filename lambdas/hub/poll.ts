// GET of a hub by long polling: lets a client in, then answers with what waits for it, or holds the request until
// something does.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md#long-polling-server-to-client-only

import { isRefusal } from "./admission.ts";
import { platformOf } from "./client-platform.ts";
import { type ConnectPorts, connect } from "./connect.ts";
import type { ConnectionState } from "./connection-state.ts";
import { leaveErrand } from "./errands.ts";
import { answer, begun, type Found, findHttpConnection, NOT_FOUND, tokenAge } from "./http-connection.ts";
import type { HttpRequest, HttpResponse } from "./negotiate.ts";
import { refuseTransport } from "./offered-transports.ts";
import { isRaw, protocolOf } from "./protocols.ts";
import { openReader } from "./reader.ts";
import { REPLACED } from "./resume.ts";
import { expiryOf } from "./token-expiry.ts";
import { newHttpTransportId, POLL_HOLD, silentAt, transportNameOf } from "./transport-names.ts";

const BYTES = { "content-type": "application/octet-stream" };
export const CHANGED = { status: 400, body: "Cannot change transports mid-connection" };

export async function poll(ports: ConnectPorts, request: HttpRequest): Promise<HttpResponse> {
  const until = ports.clock.now() + POLL_HOLD;
  const found = await findHttpConnection(ports, request);
  if (isRefusal(found)) return answer(ports, request, found);
  const refused = refuseTransport(found.hub, "LongPolling");
  if (refused !== undefined) return answer(ports, request, refused);
  const connection = begun(found);
  if (connection === undefined) {
    const transportId = newHttpTransportId(ports, "LongPolling", found.claims.connectionId);
    const refusal = await connect(ports, { ...request, transportId });
    return answer(ports, request, refusal ?? { status: 200, headers: BYTES });
  }
  const isPolled = transportNameOf(connection.transportId) === "LongPolling";
  if (connection.ended && !(isPolled && tokenAge(found) === "current")) return answer(ports, request, NOT_FOUND);
  if (tokenAge(found) === "older") return tellReplaced(ports, request, connection);
  if (!isPolled) return answer(ports, request, CHANGED);
  return hold(ports, request, found, connection, until);
}

async function hold(
  ports: ConnectPorts,
  request: HttpRequest,
  found: Found,
  connection: ConnectionState,
  until: number,
): Promise<HttpResponse> {
  const { store, clock, service } = ports;
  const { transportId } = connection;
  const { clientTimeoutInterval } = service.lifetime;
  // Before its handshake a client has its time for that, and no more.
  const isOpen = !connection.ended && connection.reading.greeted === transportId;
  const heard = async (deadline: number): Promise<void> => {
    const state = isOpen ? await store.touch(transportId, deadline) : undefined;
    if (state !== undefined) await renewAuthentication(ports, state, found);
  };
  const [reader] = await Promise.all([
    openReader(ports, connection, ports.random.id()),
    heard(silentAt(clientTimeoutInterval, connection, clock.now())),
  ]);
  if (reader === undefined) return answer(ports, request, NOT_FOUND);
  const read = await reader.read(until);
  if (read.kind === "over" && !reader.connection.ended) {
    // The last of it has arrived: if somebody marked the connection to end, this is what `$disconnect` is to a socket.
    await leaveErrand(ports, { kind: "ending", transportId });
  }
  if (read.kind === "superseded" || read.kind === "over") return answer(ports, request, { status: 204 });
  await heard(clock.now() + clientTimeoutInterval);
  if (read.kind === "nothing")
    return answer(ports, request, { status: 200, body: keepAlive(ports, request, reader.connection) });
  const isBinary = protocolOf(ports, reader.connection).transferFormat === "Binary";
  return answer(ports, request, { status: 200, headers: BYTES, body: read.text, isBinary });
}

/** The Swift client gives up on a server that it hears no message from, also when it polls. */
function keepAlive(ports: ConnectPorts, request: HttpRequest, connection: ConnectionState): string {
  const isOpen = connection.reading.greeted === connection.transportId && !isRaw(connection);
  return isOpen && platformOf(request) === "Swift"
    ? protocolOf(ports, { protocol: undefined }).encode({ kind: "ping" })
    : "";
}

/** A poll may bring a new access token. */
async function renewAuthentication(
  { store, service }: ConnectPorts,
  {
    transportId,
    authenticatedUntil,
  }: { readonly transportId: string; readonly authenticatedUntil: number | undefined },
  { user }: Found,
): Promise<void> {
  if (!service.closeOnAuthenticationExpiration || !user.isAuthenticated) return;
  const until = expiryOf(user);
  if (until !== authenticatedUntil) await store.renewAuthentication(transportId, until);
}

/** To the older of two pages with one resume key: without a word it would come back, and take the connection over. */
function tellReplaced(ports: ConnectPorts, request: HttpRequest, connection: ConnectionState): HttpResponse {
  const protocol = protocolOf(ports, connection);
  const body = protocol.encode({ kind: "close", error: REPLACED });
  // It cannot be told, and does not poll again either.
  if (body === "") return answer(ports, request, { status: 204 });
  const isBinary = protocol.transferFormat === "Binary";
  return answer(ports, request, { status: 200, headers: BYTES, body, isBinary });
}
