// The first frame: handshake, membership, onConnected. Until it is through, its function holds the turn and the
// connection is "connecting": whoever wants it to end leaves a mark, and this function runs the ending.

import type { EndReason, Turn } from "./connection-state.ts";
import { type DispatchContext, type DispatchPorts, withDetail } from "./dispatch.ts";
import { endConnection, type Goodbye } from "./ending.ts";
import { greet } from "./greeting.ts";
import { handshakeReply, readHandshake } from "./handshakes.ts";
import { detailOf } from "./hub-options.ts";
import { runConnected } from "./lifecycle-events.ts";
import { noteConnected } from "./telemetry.ts";
import { hintOf } from "./transport-names.ts";
import { channelOf, drain } from "./turn.ts";
import { userArrived, userDeparted } from "./user-events.ts";

/** Returns what followed the handshake in its frame, when the connection is open. */
export async function openConnection(
  ports: DispatchPorts,
  context: DispatchContext,
  turn: Turn,
  startedAt: number,
  text: string,
): Promise<string> {
  const { store } = ports;
  const { transportId, connectionId, stateful } = context.state;
  const end = (reason: EndReason, goodbye?: Goodbye): Promise<boolean> =>
    endConnection(ports, {
      transportId,
      from: { phase: "accepted", turn },
      reason,
      stopAt: context.stopAt,
      ...(goodbye && { goodbye }),
    });

  const handshake = readHandshake(ports, context.state, text);
  const problem = handshake.error ?? (stateful && !handshake.counts ? TOO_OLD : undefined);
  if (problem !== undefined) {
    const detail = handshake.detail === undefined ? "" : detailOf(context.hub.options, handshake.detail);
    await end(refused(problem), { text: ports.dialect.handshakeReply(problem + detail) });
    return "";
  }
  const protocol = handshake.protocol === "json" ? undefined : handshake.protocol;
  if (protocol !== context.state.protocol && protocol !== undefined) {
    await store.speak(transportId, protocol);
    context.state = { ...context.state, protocol };
    context.channel = channelOf(ports, context.state);
  }
  const reply = handshakeReply(ports, context.state);
  if ((await greet(ports, context.state, reply, protocol)) !== "accepted") {
    await end(refused("The handshake reply could not be posted."), {});
    return "";
  }
  const member = { connectionId, transportId: hintOf(context.state) };
  const { userIdentifier } = context.session;
  if (!(await store.enter(member, context.hub.path, userIdentifier))) {
    await userDeparted(ports, context.hub, userIdentifier);
    return "";
  }

  const failure = await runConnected(ports, context);
  if (failure !== undefined) {
    const error = withDetail(context.hub, "Connection closed with an error.", failure.error);
    await context.channel.flushed();
    await end({ stopCalled: false, code: "connect_failed" }, { message: { kind: "close", error } });
    return "";
  }
  noteConnected(ports, context.state);
  await userArrived(ports, context.hub, userIdentifier, context.stopAt);
  if (await store.release(transportId, turn.holder, 0, true)) return handshake.rest;
  if (!(await store.open(transportId, turn.holder))) {
    // Somebody wants it to end, or it has ended; the mark says why.
    await end({ stopCalled: false, code: "transport_lost" }, {});
    return "";
  }
  await drain(ports, context, turn, startedAt, undefined);
  return handshake.rest;
}

/** Negotiate and handshake contradict each other. */
export const TOO_OLD = "Stateful reconnect was negotiated, which needs version 2 of the protocol.";

function refused(message: string): EndReason {
  return { stopCalled: false, code: "handshake_failed", message };
}
