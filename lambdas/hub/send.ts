// POST and DELETE of a hub: what a client over HTTP sends, and its going. Both are answered at once: hub code runs
// beside them, because a client sends nothing more before it has its answer, and a method may be waiting for that.

import { isCounted } from "../protocol/index.ts";
import { isRefusal, type Refusal } from "./admission.ts";
import { byteLength } from "./channel.ts";
import { type ConnectPorts, connect } from "./connect.ts";
import type { ConnectionState, TransportState } from "./connection-state.ts";
import type { DispatchPorts } from "./dispatch.ts";
import { leaveErrand } from "./errands.ts";
import { passesTurn } from "./frame.ts";
import { answer, begun, type Found, findHttpConnection, NOT_FOUND, tokenAge } from "./http-connection.ts";
import { closeTooLarge } from "./message-size.ts";
import type { HttpRequest, HttpResponse } from "./negotiate.ts";
import type { Runners } from "./ports.ts";
import { isRaw, protocolOf } from "./protocols.ts";
import { receive } from "./receive.ts";
import { noteMessages } from "./telemetry.ts";
import { formatOf, newHttpTransportId, silentAt, transportNameOf } from "./transport-names.ts";
import { isFree, putWaiting } from "./turn.ts";

export interface SendPorts extends DispatchPorts, ConnectPorts {
  readonly runners: Runners;
}

export interface SendRequest extends HttpRequest {
  /** A character a byte. */
  readonly body: string;
  /** When the gateway received it: epoch milliseconds. */
  readonly receivedAt: number;
}

const ACCEPTED = { status: 200 };
/** What an invocation carries whose text is escaped, and a row whose records nobody can tell apart yet. Bytes. */
const UNREAD_BYTES = 128 * 1024;
const TOO_LARGE = {
  status: 413,
  body: `A request before the answer to the handshake has at most ${UNREAD_BYTES} bytes.`,
};
/** Messages that wait together in one row of the table, which holds 400 KB. Bytes. */
const ROW_BYTES = 128 * 1024;
/** How late a handshake may begin that was accepted before. Milliseconds. */
const HANDSHAKE_START = 2_000;
const PAUSE = 100;

/** What a client sends, accepted in the order of the requests. */
export async function send(ports: SendPorts, request: SendRequest): Promise<HttpResponse> {
  const found = await findHttpConnection(ports, request);
  if (isRefusal(found)) return answer(ports, request, found);
  const connection = currentOf(found) ?? (await begin(ports, request, found));
  if (connection === undefined) return answer(ports, request, NOT_FOUND);
  if (isRefusal(connection)) return answer(ports, request, connection);
  if (transportNameOf(connection.transportId) === "WebSockets") {
    return answer(ports, request, { status: 405, body: "POST requests are not allowed for WebSocket connections." });
  }
  const { body } = request;
  const isRead = connection.reading.greeted === connection.transportId || isRaw(connection);
  if (!isRead && body.length > UNREAD_BYTES) return answer(ports, request, TOO_LARGE);
  const isAccepted = body === "" || (await accept(ports, connection, body, request.receivedAt));
  return answer(ports, request, isAccepted ? ACCEPTED : NOT_FOUND);
}

/** The client goes: ends its connection, and the poll that it left behind. */
export async function stop(ports: SendPorts, request: HttpRequest): Promise<HttpResponse> {
  const found = await findHttpConnection(ports, request);
  if (isRefusal(found)) return answer(ports, request, found);
  const connection = currentOf(found);
  if (connection === undefined) return answer(ports, request, NOT_FOUND);
  const { transportId } = connection;
  if (transportNameOf(transportId) !== "LongPolling") {
    const body = "Cannot terminate this connection using the DELETE endpoint.";
    return answer(ports, request, { status: 400, body });
  }
  const reason = { stopCalled: true, code: "stopped" } as const;
  await ports.store.markEnd(transportId, reason, ports.clock.now());
  await ports.transports.close(transportId);
  // Also when somebody else has marked it, and its client goes because it was told so.
  await leaveErrand(ports, { kind: "ending", transportId });
  return answer(ports, request, { status: 202 });
}

/** A client may send before its first poll. Undefined when nobody may begin with this token any more. */
async function begin(
  ports: SendPorts,
  request: SendRequest,
  found: Found,
): Promise<ConnectionState | Refusal | undefined> {
  if (begun(found) !== undefined) return undefined;
  const transportId = newHttpTransportId(ports, "LongPolling", found.claims.connectionId);
  const refusal = await connect(ports, { ...request, transportId });
  // Its first poll may have been quicker.
  const now = await findHttpConnection(ports, request);
  return isRefusal(now) ? now : (currentOf(now) ?? refusal);
}

function currentOf(found: Found): ConnectionState | undefined {
  const { connection } = found;
  return connection === undefined || connection.ended || tokenAge(found) !== "current" ? undefined : connection;
}

/** False when nobody takes it any more. */
async function accept(
  ports: SendPorts,
  connection: ConnectionState,
  body: string,
  receivedAt: number,
): Promise<boolean> {
  const { transportId, protocol } = connection;
  if (connection.reading.greeted !== transportId) return acceptFirst(ports, connection, body, receivedAt);
  const hubProtocol = protocolOf(ports, connection);
  const text = hubProtocol.transferFormat === "Text" ? toText(body) : body;
  const { messages, error } = hubProtocol.parse(text);
  if (error === undefined && messages.every(passesTurn)) {
    await receive(ports, { transportId, messageId: ports.random.id(), text, receivedAt, protocol });
    return true;
  }
  const state = await heard(ports, connection);
  return state !== undefined && leaveToTurn(ports, state, text, receivedAt);
}

/** What has to wait for its turn, unless it is too large. */
async function leaveToTurn(
  ports: SendPorts,
  state: TransportState,
  text: string,
  receivedAt: number,
): Promise<boolean> {
  if (await closeTooLarge(ports, state, text)) {
    await leaveErrand(ports, { kind: "ending", transportId: state.transportId });
    return true;
  }
  const { parse, split } = protocolOf(ports, state);
  const { messages } = parse(text);
  noteMessages(ports, state.hub, "signalr.server.messages.received", messages.filter(isCounted).length);
  return wait(ports, state, split(text), receivedAt);
}

/** A handshake, or what comes while `onConnected` runs. */
async function acceptFirst(
  ports: SendPorts,
  connection: ConnectionState,
  body: string,
  receivedAt: number,
): Promise<boolean> {
  const { transportId } = connection;
  const state = await ports.store.transport(transportId);
  if (state === undefined || state.end !== undefined || state.next !== undefined || state.lost) return false;
  if (isOpen(state)) return acceptGreeted(ports, connection, body, receivedAt);
  // Nothing that a raw client sends opens its connection.
  if (isRaw(state)) return leaveToTurn(ports, state, toText(body), receivedAt);
  if (state.turn !== undefined && !state.resuming) return wait(ports, state, [toText(body)], receivedAt);
  const text = formatOf(transportId) === "Binary" ? body : toText(body);
  const handshake = ports.dialect.parseHandshake(text, formatOf(transportId));
  if (state.resuming) return leaveErrand(ports, { kind: "handshake", transportId, text, receivedAt });
  if (handshake.error !== undefined && (await isConnecting(ports, transportId))) {
    return acceptFirst(ports, connection, body, receivedAt);
  }
  if (handshake.rest === "") return leaveErrand(ports, { kind: "handshake", transportId, text, receivedAt });
  // In front of what the next requests bring.
  const [first = text] = protocolOf(ports, { protocol: undefined }).split(text);
  const records = ports.dialect.protocolOf(handshake.protocol).split(handshake.rest);
  if (!(await wait(ports, state, records, receivedAt))) return false;
  return leaveErrand(ports, { kind: "handshake", transportId, text: first, receivedAt });
}

/** The handshake is over since the connection was read. */
async function acceptGreeted(
  ports: SendPorts,
  { connectionId, transportId }: ConnectionState,
  body: string,
  receivedAt: number,
): Promise<boolean> {
  const now = await ports.store.connection(connectionId);
  return now?.reading.greeted === transportId && accept(ports, now, body, receivedAt);
}

function isOpen({ phase, resuming }: TransportState): boolean {
  return phase === "open" && !resuming;
}

/**
 * A client that does not wait for the answer to its handshake may be quicker than the errand of that, which is what
 * this waits for.
 */
async function isConnecting({ store, clock }: SendPorts, transportId: string): Promise<boolean> {
  const giveUpAt = clock.now() + HANDSHAKE_START;
  for (;;) {
    const state = await store.transport(transportId);
    if (state === undefined || state.turn !== undefined || state.phase !== "accepted") return true;
    if (clock.now() >= giveUpAt) return false;
    await clock.sleep(PAUSE);
  }
}

/** Undefined when the transport takes nothing any more. */
async function heard(
  { store, clock, service }: SendPorts,
  connection: ConnectionState,
): Promise<TransportState | undefined> {
  const deadline = silentAt(service.lifetime.clientTimeoutInterval, connection, clock.now());
  return store.touch(connection.transportId, deadline);
}

/** Puts messages where the holder of the turn finds them, in their order. */
async function wait(
  ports: SendPorts,
  state: TransportState,
  records: readonly string[],
  receivedAt: number,
): Promise<boolean> {
  const { transportId, handshakes } = state;
  // One request after another may come within a millisecond: the later one sees the earlier one waiting, or done.
  const id = `${String(state.waiting).padStart(6, "0")}#${ports.random.id()}`;
  let counted: TransportState | undefined;
  for (const [index, text] of rowsOf(records).entries()) {
    const key = `${String(receivedAt).padStart(15, "0")}##${id}${String(index).padStart(4, "0")}`;
    counted = await putWaiting(ports, state, { key, text, receivedAt, transportId, handshakes, repeated: [] });
    if (counted === undefined) return false;
  }
  if (counted === undefined || counted.phase !== "open" || counted.resuming) return true;
  if (!isFree(counted.turn, ports.clock.now())) return true;
  await leaveErrand(ports, { kind: "turn", transportId: counted.transportId });
  return true;
}

function rowsOf(records: readonly string[]): readonly string[] {
  const rows: string[] = [];
  let bytes = 0;
  for (const record of records) {
    bytes += byteLength(record);
    if (rows.length === 0 || bytes > ROW_BYTES) {
      rows.push(record);
      bytes = byteLength(record);
    } else {
      rows.push(`${rows.pop()}${record}`);
    }
  }
  return rows;
}

/** UTF-8, from a character a byte. */
function toText(body: string): string {
  return new TextDecoder().decode(Uint8Array.from(body, (character) => character.charCodeAt(0)));
}
