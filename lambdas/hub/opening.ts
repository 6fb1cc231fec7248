// The first frame: handshake, membership, onConnected. Until it is through, its function holds the turn and the
// connection is "connecting": whoever wants it to end leaves a mark, and this function runs the ending.

import type { CallerPorts } from "./caller.ts";
import { type DispatchContext, withDetail } from "./dispatch.ts";
import { endConnection, type Goodbye } from "./ending.ts";
import { runFrame } from "./frame.ts";
import { runConnected, runReconnected } from "./lifecycle-events.ts";
import { flushOutbox } from "./outbox.ts";
import type { EndReason, TransportState, Turn, WaitingFrame } from "./store.ts";
import { drain, waitForTurn } from "./turn.ts";

export async function openConnection(
  ports: CallerPorts,
  context: DispatchContext,
  turn: Turn,
  startedAt: number,
  text: string,
): Promise<void> {
  const { store, dialect, service } = ports;
  const { transportId, connectionId } = context.state;
  const end = (reason: EndReason, goodbye?: Goodbye): Promise<boolean> =>
    endConnection(ports, {
      transportId,
      from: { phase: "accepted", turn },
      reason,
      stopAt: context.stopAt,
      ...(goodbye && { goodbye }),
    });

  const handshake = dialect.parseHandshake(text);
  if (handshake.error !== undefined) {
    const detail = service.enableDetailedErrors && handshake.detail !== undefined ? ` ${handshake.detail}` : "";
    await end(refused(handshake.error), { text: dialect.handshakeReply(handshake.error + detail) });
    return;
  }
  if ((await context.channel.write(dialect.handshakeReply())) !== "accepted") {
    await end(refused("The handshake reply could not be posted."), {});
    return;
  }
  const member = { connectionId, transportId };
  if (!(await store.enter(member, context.hub.path, context.session.userIdentifier))) return;

  const failure = await runConnected(ports, context);
  if (failure !== undefined) {
    const error = withDetail(ports, "Connection closed with an error.", failure.error);
    await context.channel.flushed();
    await end({ stopCalled: false, code: "connect_failed" }, { message: { kind: "close", error } });
    return;
  }
  if (handshake.rest === "" && (await store.release(transportId, turn.holder, 0, true))) return;
  if (!(await store.open(transportId, turn.holder))) {
    // Somebody wants it to end, or it has ended; the mark says why.
    await end({ stopCalled: false, code: "transport_lost" }, {});
    return;
  }
  const rest = handshake.rest === "" ? "open" : await runFrame(ports, context, dialect.parse(handshake.rest));
  if (rest === "open") await drain(ports, context, turn, startedAt, undefined);
}

function refused(message: string): EndReason {
  return { stopCalled: false, code: "handshake_failed", message };
}

/**
 * The first frame of a transport that took a connection over. The client is answered at once, whoever has the turn;
 * what waited for it goes out, and `onReconnected` runs when its turn comes.
 */
export async function reopenConnection(
  ports: CallerPorts,
  context: DispatchContext,
  turn: Turn | undefined,
  startedAt: number,
  frame: Pick<WaitingFrame, "text" | "receivedAt"> & { readonly messageId: string },
): Promise<void> {
  const { store, dialect } = ports;
  const { transportId, connectionId } = context.state;
  const handshake = dialect.parseHandshake(frame.text);
  const reply = dialect.handshakeReply(handshake.error);
  const outcome = await context.channel.write(reply);
  const reopened =
    handshake.error === undefined && outcome === "accepted" ? await store.reopen(transportId) : undefined;
  if (reopened === undefined) {
    await loseAgain(ports, context.state);
    return turn === undefined ? undefined : drain(ports, context, turn, startedAt, undefined);
  }
  await flushOutbox(ports, { connectionId, transportId }, transportId);
  if (turn === undefined) {
    const key = `${String(frame.receivedAt).padStart(15, "0")}##${frame.messageId}`;
    const waiting = { key, text: handshake.rest, receivedAt: frame.receivedAt, transportId, reconnected: true };
    return waitForTurn(ports, reopened, waiting, startedAt);
  }
  await runReconnected(ports, context);
  const rest = handshake.rest === "" ? "open" : await runFrame(ports, context, dialect.parse(handshake.rest));
  if (rest === "open") await drain(ports, context, turn, startedAt, undefined);
}

/** The client did not take up its connection: it has its time to come back once more. */
export async function loseAgain(
  ports: CallerPorts,
  { transportId }: Pick<TransportState, "transportId">,
): Promise<void> {
  await ports.store.lose(transportId, ports.clock.now() + ports.service.lifetime.disconnectTimeout);
  await ports.transports.close(transportId);
}
