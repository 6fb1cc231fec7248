// The first frame: handshake, membership, onConnected. Until it is through, its function holds the turn and the
// connection is "connecting": whoever wants it to end leaves a mark, and this function runs the ending.

import { type CallerPorts, createCaller } from "./caller.ts";
import { type DispatchContext, withDetail } from "./dispatch.ts";
import { endConnection, type Goodbye } from "./ending.ts";
import { runFrame } from "./frame.ts";
import { runLimited } from "./run-limited.ts";
import type { EndReason, Turn } from "./store.ts";
import { drain } from "./turn.ts";

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

async function runConnected(
  ports: CallerPorts,
  context: DispatchContext,
): Promise<{ readonly error: unknown } | undefined> {
  const { definition } = context.hub;
  const { onConnected } = definition;
  if (onConnected === undefined) return undefined;
  const { hub, state, session, channel } = context;
  const caller = createCaller(ports, { hub, state, session, channel, redelivered: false });
  const limit = Math.max(0, context.stopAt - ports.clock.now());
  const outcome = await runLimited(ports.clock, limit, caller, () => onConnected.call(definition, caller.hub));
  context.session = { ...session, items: caller.items() };
  if (!("error" in outcome)) return undefined;
  caller.hub.log.error("onConnected failed.", { error: outcome.error });
  return outcome;
}
