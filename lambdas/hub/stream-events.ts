// GET of a hub by server-sent events: lets a client in, and writes what waits for it until the stream is over.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md#server-sent-events-server-to-client-only

import { isRefusal } from "./admission.ts";
import { type ConnectPorts, connect } from "./connect.ts";
import { answer, findHttpConnection, NOT_FOUND, tokenAge } from "./http-connection.ts";
import type { HttpRequest, HttpResponse } from "./negotiate.ts";
import { refuseTransport } from "./offered-transports.ts";
import { CHANGED } from "./poll.ts";
import { protocolOf } from "./protocols.ts";
import { openReader } from "./reader.ts";
import { newHttpTransportId, transportNameOf } from "./transport-names.ts";

/** A response that is written piece by piece. */
export interface EventStream {
  /** Once, before anything is written. */
  begin(status: number, headers: Readonly<Record<string, string>>): void;
  /** Resolves when it was taken: a slow reader holds it back. */
  write(text: string): Promise<void>;
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
  const { connection, claims } = found;
  if (connection !== undefined && tokenAge(found) !== "newer") {
    if (connection.ended || tokenAge(found) === "older") return answer(ports, request, NOT_FOUND);
    const isStream = transportNameOf(connection.transportId) === "ServerSentEvents";
    return answer(ports, request, isStream ? { status: 409 } : CHANGED);
  }
  const { connectionId } = claims;
  const transportId = newHttpTransportId(ports, "ServerSentEvents", connectionId);
  const refusal = await connect(ports, { ...request, transportId });
  return refusal === undefined ? { connectionId, transportId } : answer(ports, request, refusal);
}

async function pass(
  ports: ConnectPorts,
  reader: NonNullable<Awaited<ReturnType<typeof openReader>>>,
  stream: EventStream,
  stopAt: number,
): Promise<void> {
  const { clock, service } = ports;
  const keepAliveInterval = Math.min(service.lifetime.keepAliveInterval, LONGEST_SILENCE);
  let pingAt = clock.now() + keepAliveInterval;
  while (clock.now() < stopAt) {
    const read = await reader.read(Math.min(pingAt, stopAt));
    if (read.kind === "over" || read.kind === "superseded") return;
    if (read.kind === "messages") {
      await stream.write(toEvent(read.text));
      await reader.arrived();
    }
    if (clock.now() < pingAt) continue;
    pingAt = clock.now() + keepAliveInterval;
    const { reading, transportId } = reader.connection;
    // In front of the answer to its handshake a client would not understand it.
    if (reading.greeted === transportId && !reading.greeting) {
      const ping = protocolOf(ports, reader.connection).encode({ kind: "ping" });
      await stream.write(ping === "" ? COMMENT : toEvent(ping));
    }
  }
}

/** JSON has no line breaks of its own; those of other texts are all the same to an event stream. */
function toEvent(text: string): string {
  const lines = text.split(/\r\n?|\n/).map((line) => `data: ${line}\r\n`);
  return `${lines.join("")}\r\n`;
}
