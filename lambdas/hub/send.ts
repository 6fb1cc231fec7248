// POST and DELETE of a hub: what a client over HTTP sends, and its going. Both are answered at once: hub code runs
// beside them, because a client sends nothing more before it has its answer, and a method may be waiting for that.

import { isCounted } from "../protocol/index.ts";
import { isRefusal } from "./admission.ts";
import { byteLength } from "./channel.ts";
import type { DispatchPorts } from "./dispatch.ts";
import { passesTurn } from "./frame.ts";
import {
  answer,
  type Found,
  findHttpConnection,
  type HttpConnectionPorts,
  NOT_FOUND,
  tokenAge,
} from "./http-connection.ts";
import { closeTooLarge } from "./message-size.ts";
import type { HttpRequest, HttpResponse } from "./negotiate.ts";
import type { Errand, Runners } from "./ports.ts";
import { isRaw, protocolOf } from "./protocols.ts";
import { receive } from "./receive.ts";
import type { ConnectionState, TransportState } from "./store.ts";
import { noteMessages } from "./telemetry.ts";
import { formatOf, silentAt, transportNameOf } from "./transport-names.ts";
import { isFree, putWaiting } from "./turn.ts";

export interface SendPorts extends DispatchPorts, HttpConnectionPorts {
  readonly store: DispatchPorts["store"];
  readonly runners: Runners;
}

export interface SendRequest extends HttpRequest {
  /** A character a byte. */
  readonly body: string;
  /** When the gateway received it: epoch milliseconds. */
  readonly receivedAt: number;
}

const ACCEPTED = { status: 200 };
/** Messages that wait together in one row of the table, which holds 400 KB. Bytes. */
const ROW_BYTES = 128 * 1024;

/** What a client sends, accepted in the order of the requests. */
export async function send(ports: SendPorts, request: SendRequest): Promise<HttpResponse> {
  const found = await findHttpConnection(ports, request);
  if (isRefusal(found)) return answer(ports, request, found);
  const connection = currentOf(found);
  if (connection === undefined) return answer(ports, request, NOT_FOUND);
  if (transportNameOf(connection.transportId) === "WebSockets") {
    return answer(ports, request, { status: 405, body: "POST requests are not allowed for WebSocket connections." });
  }
  const { body } = request;
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
  const marked = await ports.store.markEnd(transportId, reason, ports.clock.now());
  await ports.transports.close(transportId);
  if (marked !== undefined) await leave(ports, { kind: "ending", transportId });
  return answer(ports, request, { status: 202 });
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
    await leave(ports, { kind: "ending", transportId: state.transportId });
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
  { connectionId, transportId }: ConnectionState,
  body: string,
  receivedAt: number,
): Promise<boolean> {
  const state = await ports.store.transport(transportId);
  if (state === undefined || state.end !== undefined || state.next !== undefined || state.lost) return false;
  if (state.phase === "open" && !state.resuming) {
    // The handshake is over since the connection was read.
    const now = await ports.store.connection(connectionId);
    return now?.reading.greeted === transportId && accept(ports, now, body, receivedAt);
  }
  // Nothing that a raw client sends opens its connection.
  if (isRaw(state)) return leaveToTurn(ports, state, toText(body), receivedAt);
  if (state.turn !== undefined && !state.resuming) return wait(ports, state, [toText(body)], receivedAt);
  const text = formatOf(transportId) === "Binary" ? body : toText(body);
  return leave(ports, { kind: "handshake", transportId, text, receivedAt });
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
  const id = ports.random.id();
  let counted: TransportState | undefined;
  for (const [index, text] of rowsOf(records).entries()) {
    const key = `${String(receivedAt).padStart(15, "0")}##${id}${String(index).padStart(4, "0")}`;
    counted = await putWaiting(ports, state, { key, text, receivedAt, transportId, handshakes, repeated: [] });
    if (counted === undefined) return false;
  }
  if (counted === undefined || counted.phase !== "open" || counted.resuming) return true;
  if (!isFree(counted.turn, ports.clock.now())) return true;
  await leave(ports, { kind: "turn", transportId: counted.transportId });
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

/** False when nobody could be asked: what waits is then left to the next sweep. */
async function leave({ runners, log }: SendPorts, errand: Errand): Promise<boolean> {
  try {
    await runners.start(errand);
    return true;
  } catch (error) {
    const { kind, transportId } = errand;
    log.error("What a client sent could not be handed on; the next sweep does it.", { kind, transportId, error });
    return false;
  }
}

/** UTF-8, from a character a byte. */
function toText(body: string): string {
  return new TextDecoder().decode(Uint8Array.from(body, (character) => character.charCodeAt(0)));
}
