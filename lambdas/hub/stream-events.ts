// GET of a hub by server-sent events: lets a client in, and writes what waits for it until the stream is over.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md#server-sent-events-server-to-client-only

import { isRefusal } from "./admission.ts";
import { type ConnectPorts, connect } from "./connect.ts";
import type { ConnectionState } from "./connection-state.ts";
import { leaveErrand } from "./errands.ts";
import { answer, begun, findHttpConnection, NOT_FOUND, tokenAge } from "./http-connection.ts";
import type { HttpRequest, HttpResponse } from "./negotiate.ts";
import { refuseTransport } from "./offered-transports.ts";
import { CHANGED } from "./poll.ts";
import { protocolOf } from "./protocols.ts";
import { openReader, type Reader } from "./reader.ts";
import { REPLACED } from "./resume.ts";
import { newHttpTransportId, transportNameOf } from "./transport-names.ts";

/** A response that is written piece by piece. */
export interface EventStream {
  /** Once, before anything is written. */
  begin(status: number, headers: Readonly<Record<string, string>>): void;
  /** Resolves when it was taken: a slow reader holds it back. */
  write(text: string): Promise<void>;
  /** Breaks it off when something is not taken yet. */
  end(): void;
}

/** A function has 15 minutes; its client is told to come back before that. Milliseconds. */
const LONGEST = 14.5 * 60_000;

/** CloudFront cuts a response that is silent for a minute. Milliseconds. */
const LONGEST_SILENCE = 30_000;

/** Says nothing to the client. */
const COMMENT = ":\r\n";

const EVENTS = {
  "content-type": "text/event-stream",
  "content-encoding": "identity",
};

export async function streamEvents(ports: ConnectPorts, request: HttpRequest, stream: EventStream): Promise<void> {
  const stopAt = ports.clock.now() + LONGEST;
  const begun = await begin(ports, request);
  if ("status" in begun) {
    stream.begin(begun.status, begun.headers);
    if (begun.body !== "") await stream.write(begun.body);
    return stream.end();
  }
  const { headers } = answer(ports, request, { status: 200, headers: EVENTS });
  stream.begin(200, headers);
  // Some browsers take the stream for open only when they have read something.
  await stream.write(COMMENT);
  const connection = await ports.store.connection(begun.connectionId);
  const reader =
    connection?.transportId === begun.transportId ? await openReader(ports, connection, ports.random.id()) : undefined;
  if (reader !== undefined) await pass(ports, reader, stream, stopAt);
  stream.end();
}

async function begin(
  ports: ConnectPorts,
  request: HttpRequest,
): Promise<HttpResponse | { readonly connectionId: string; readonly transportId: string }> {
  const found = await findHttpConnection(ports, request);
  if (isRefusal(found)) return answer(ports, request, found);
  const refused = refuseTransport(found.hub, "ServerSentEvents");
  if (refused !== undefined) return answer(ports, request, refused);
  const connection = begun(found);
  if (connection !== undefined) {
    if (connection.ended || tokenAge(found) === "older") return answer(ports, request, NOT_FOUND);
    const isStream = transportNameOf(connection.transportId) === "ServerSentEvents";
    return answer(ports, request, isStream ? { status: 409 } : CHANGED);
  }
  const { connectionId } = found.claims;
  const transportId = newHttpTransportId(ports, "ServerSentEvents", connectionId);
  const refusal = await connect(ports, { ...request, transportId });
  return refusal === undefined ? { connectionId, transportId } : answer(ports, request, refusal);
}

async function pass(ports: ConnectPorts, reader: Reader, stream: EventStream, stopAt: number): Promise<void> {
  const { clock, service } = ports;
  const keepAliveInterval = Math.min(service.lifetime.keepAliveInterval, LONGEST_SILENCE);
  const write = (text: string): Promise<boolean> => isTaken(ports, stream.write(toEvent(text)));
  const { transportId } = reader.connection;
  let pingAt = clock.now() + keepAliveInterval;
  for (;;) {
    const until = Math.min(pingAt, stopAt);
    const read = await reader.read(until);
    switch (read.kind) {
      case "over":
        // If somebody marked the connection to end, this is what `$disconnect` is to a socket.
        if (!reader.connection.ended) await leaveErrand(ports, { kind: "ending", transportId });
        return;
      case "superseded":
        return tellReplaced(ports, { ...reader.connection, transportId }, stream);
      case "messages":
        if (!(await write(read.text))) return lose(ports, reader.connection);
        await reader.arrived();
        break;
      case "nothing":
        // Its process ends: it is let sleep no more.
        if (clock.now() < until) return;
    }
    if (clock.now() >= stopAt) return comeBack(ports, reader.connection, stream);
    if (clock.now() < pingAt) continue;
    pingAt = clock.now() + keepAliveInterval;
    const { reading } = reader.connection;
    // In front of the answer to its handshake a client would not understand it.
    const isOpen = reading.greeted === transportId && !reading.greeting;
    if (isOpen && !(await write(protocolOf(ports, reader.connection).encode({ kind: "ping" }))))
      return lose(ports, reader.connection);
  }
}

/** False when its client has not taken it for as long as it may be silent. */
async function isTaken({ clock, service }: ConnectPorts, written: Promise<void>): Promise<boolean> {
  const settled = new AbortController();
  const taken = written.then(() => {
    settled.abort();
    return true;
  });
  const late = clock.sleep(service.lifetime.clientTimeoutInterval, settled.signal).then(() => false);
  return Promise.race([taken, late]);
}

/** Its client may come back; the next sweep ends the connection of one that may not. */
async function lose({ store, clock, service }: ConnectPorts, connection: ConnectionState): Promise<void> {
  const { transportId, resumeKey } = connection;
  const now = clock.now();
  if (resumeKey !== undefined) await store.lose(transportId, now + service.lifetime.disconnectTimeout);
  else await store.markEnd(transportId, { stopCalled: false, code: "transport_lost" }, now);
}

/** The sweeper would have told it earlier, so that is away. */
async function comeBack(ports: ConnectPorts, connection: ConnectionState, stream: EventStream): Promise<void> {
  await isTaken(ports, stream.write(toEvent(protocolOf(ports, connection).encode(COME_BACK))));
  await lose(ports, connection);
}

const COME_BACK = { kind: "close", allowReconnect: true } as const;

/** To the older of two pages with one resume key: without a word it would come back, and take the connection over. */
async function tellReplaced(ports: ConnectPorts, seen: ConnectionState, stream: EventStream): Promise<void> {
  const now = await ports.store.connection(seen.connectionId);
  if (now === undefined || now.ended || now.transportId === seen.transportId) return;
  await isTaken(ports, stream.write(toEvent(protocolOf(ports, seen).encode({ kind: "close", error: REPLACED }))));
}

/** JSON has no line breaks of its own; those of other texts are all the same to an event stream. */
function toEvent(text: string): string {
  if (text === "") return COMMENT;
  const lines = text.split(/\r\n?|\n/).map((line) => `data: ${line}\r\n`);
  return `${lines.join("")}\r\n`;
}
