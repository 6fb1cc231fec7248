// The end of a connection. Whoever claims it, one caller does; what it leaves undone, the sweeper finds.
//
//   claim (transport row) → bury (connection row) → onDisconnected → drop session → clear memberships
//     → say that the user may be gone → drop transport               ^ done: it never runs again

import type { ServerMessage } from "../protocol/index.ts";
import { type CallerPorts, createCaller } from "./caller.ts";
import { GOODBYE_TIME, sayGoodbye } from "./closing.ts";
import {
  type ConnectionState,
  type EndFrom,
  type EndReason,
  isSilent,
  noted,
  type Session,
  type TransportState,
} from "./connection-state.ts";
import { DisconnectError } from "./disconnect-reason.ts";
import { LEASE, RUN_LIMIT } from "./lease.ts";
import { isAwaited, raiseDisconnected } from "./pipeline.ts";
import { protocolOf } from "./protocols.ts";
import { runLimited } from "./run-limited.ts";
import { noteEnded } from "./telemetry.ts";
import { isHttpTransport } from "./transport-names.ts";
import { userDeparted } from "./user-events.ts";

/**
 * How long a connection row stays as a tombstone: longer than a connection token can be used, and than the sweeper may
 * be away, because whoever finishes the ending learns from it what there is to clear.
 */
export const TOMBSTONE = 24 * 60 * 60_000;

export interface Goodbye {
  /** What the client is told before its transport is closed. */
  readonly message?: ServerMessage;
  /** The same, when it has to go out before a handshake. */
  readonly text?: string;
}

export interface EndRequest {
  readonly transportId: string;
  readonly from: EndFrom;
  readonly reason: EndReason;
  /** Absent when the transport is known to be closed. */
  readonly goodbye?: Goodbye;
  /** The session, if the caller has it; read otherwise. */
  readonly session?: Session;
  /** When the caller's function has to be over: epoch milliseconds. @default in 25 s */
  readonly stopAt?: number;
}

/**
 * Claims the ending and carries it through; with little time left, only closes, and leaves the ending to a function
 * that has more. False when somebody else ends it, or the state has moved on.
 */
export async function endConnection(ports: CallerPorts, request: EndRequest): Promise<boolean> {
  if (!isSilent(request.reason) && timeLeft(ports, request) < ENDING_TIME) return leaveEnding(ports, request);
  const ender = ports.random.id();
  const claimed = await ports.store.claimEnd({
    transportId: request.transportId,
    from: request.from,
    ender,
    until: ports.clock.now() + LEASE,
    reason: noted(request.reason),
  });
  if (claimed === undefined) return false;
  // Whoever died in it has told already.
  if (request.from.phase !== "ended") noteEnded(ports, claimed, claimed.end ?? request.reason);
  if (request.goodbye !== undefined)
    await sayGoodbye(ports, request.transportId, toText(ports, request.goodbye, claimed));
  await finish(ports, claimed, ender, request);
  return true;
}

/** What an ending takes at least, when `onDisconnected` is to have some time. Milliseconds. */
const ENDING_TIME = 10_000;

function timeLeft({ clock }: CallerPorts, { stopAt }: EndRequest): number {
  return stopAt === undefined ? RUN_LIMIT : Math.min(RUN_LIMIT, stopAt - clock.now());
}

/** What a function has behind the time for the author's code. Milliseconds. */
const TIME_BEHIND = 2_000;

async function leaveEnding(ports: CallerPorts, request: EndRequest): Promise<true> {
  const { transportId, reason, from, goodbye } = request;
  const now = ports.clock.now();
  const marked = await ports.store.markEnd(
    transportId,
    noted(reason),
    goodbye === undefined ? now : now + GOODBYE_TIME,
  );
  // A turn that is let go of while connecting is a dead one to the sweeper.
  if (from.phase === "accepted" && from.turn !== undefined) await ports.store.abandon(transportId, from.turn.holder);
  if (goodbye === undefined) return true;
  const limit = Math.min(GOODBYE_TIME, Math.max(0, timeLeft(ports, request)) + TIME_BEHIND);
  await sayGoodbye(ports, transportId, toText(ports, goodbye, marked), undefined, limit);
  return true;
}

function toText(
  ports: CallerPorts,
  { message, text }: Goodbye,
  state: Pick<TransportState, "protocol"> = { protocol: undefined },
): string | undefined {
  return message === undefined ? text : protocolOf(ports, state).encode(message);
}

/**
 * Whether this service has the connection's hub. One of another deployment may: its sweeper knows what to run. After
 * two hours it is gone for good.
 */
export function isServed({ service, clock }: CallerPorts, state: TransportState): boolean {
  return service.hubs.has(state.hub.toLowerCase()) || state.rotateAt < clock.now();
}

async function finish(ports: CallerPorts, claimed: TransportState, ender: string, request: EndRequest): Promise<void> {
  const { store } = ports;
  const reason = claimed.end ?? { stopCalled: false, code: "transport_lost" };
  const connection = await bury(ports, claimed, reason);
  if (!isSilent(reason)) await runDisconnected(ports, claimed, reason, request);
  await store.dropSession(claimed.transportId);
  const isRead = isReadToEnd(claimed, reason, request.from);
  if (connection !== undefined) await clear(ports, connection, request.from, isRead);
  if (!isRead) await store.dropTransport(claimed.transportId, ender);
}

/**
 * Whether a client that comes for its messages has to find the last of them still: one that its connection was taken
 * from. Whoever closed that may have said so before, as `hub.abort()` does. The sweeper removes them, when the lease is
 * over.
 */
function isReadToEnd({ transportId, lost }: TransportState, { code }: EndReason, from: EndFrom): boolean {
  const isGone = lost || code === "stopped" || code === "transport_lost";
  return isHttpTransport(transportId) && !isGone && from.phase !== "ended";
}

async function clear(
  ports: CallerPorts,
  connection: ConnectionState,
  from: EndFrom,
  keepsOutbox: boolean,
): Promise<void> {
  await ports.store.clear(connection, keepsOutbox);
  const hub = ports.service.hubs.get(connection.hub.toLowerCase());
  // Before its handshake it was nobody's connection.
  const isUnopened = from.phase === "accepted" && from.turn === undefined;
  if (hub !== undefined && !isUnopened) await userDeparted(ports, hub, connection.userIdentifier);
}

/**
 * A connect that died over a token used twice leaves a transport that names a connection of another's. It never got as
 * far as a handshake, so only then is there something to look at first.
 */
async function bury(
  { store, clock }: CallerPorts,
  { connectionId, transportId }: TransportState,
  reason: EndReason,
): Promise<ConnectionState | undefined> {
  if (reason.code === "handshake_failed") {
    const connection = await store.connection(connectionId);
    if (connection?.transportId !== transportId) return undefined;
  }
  return store.bury(connectionId, clock.now() + TOMBSTONE);
}

/** Nothing the author's code does keeps the rest of the ending from happening. */
async function runDisconnected(
  ports: CallerPorts,
  claimed: TransportState,
  reason: EndReason,
  request: EndRequest,
): Promise<void> {
  const { service } = ports;
  const hub = service.hubs.get(claimed.hub.toLowerCase());
  if (hub === undefined || !isAwaited({ service, hub }, "onDisconnected")) return;
  const session = request.session ?? (await ports.store.session(claimed.transportId));
  if (session === undefined) return;
  const redelivered = request.from.phase === "ended";
  const caller = createCaller(ports, { hub, session, redelivered, state: claimed, channel: undefined });
  const told = { stopCalled: reason.stopCalled, error: toError(reason) };
  const outcome = await runLimited(ports.clock, timeLeft(ports, request), caller, () =>
    raiseDisconnected({ service, hub, caller }, told),
  );
  if ("error" in outcome) caller.hub.log.error("onDisconnected failed.", { error: outcome.error });
}

function toError(reason: EndReason): DisconnectError | undefined {
  if (reason.code === "stopped") return undefined;
  return new DisconnectError(reason.code, reason.message ?? MESSAGES[reason.code]);
}

const MESSAGES: Readonly<Record<EndReason["code"], string>> = {
  stopped: "The client stopped.",
  transport_lost: "The transport was lost.",
  client_timeout: "Client hasn't sent a message/ping within the configured ClientTimeoutInterval.",
  handshake_failed: "The handshake failed.",
  aborted: "The connection was aborted by the server.",
  protocol_error: "The client broke the protocol.",
  message_refused: "The gateway refused a frame: larger than 32 KB, or binary.",
  connect_failed: "onConnected threw.",
  rotated: "The gateway ends sockets after two hours; the client was told to come back.",
  function_died: "The function that ran onConnected died.",
  server_error: "A function failed; the log says why.",
  token_expired: "The access token that opened the connection has expired.",
  outbox_full: "More waited for the client to come back than the outbox holds.",
};
