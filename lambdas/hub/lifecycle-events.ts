// `onConnected`, `onReconnected` and `onAuthenticationRefreshed`, run by the holder of the turn.

import { type CallerPorts, createCaller } from "./caller.ts";
import type { DispatchContext } from "./dispatch.ts";
import { keepItems } from "./items.ts";
import { type AwaitedEvent, isAwaited, raiseEvent } from "./pipeline.ts";
import { runLimited } from "./run-limited.ts";

/** The error it threw, if it did: then the connection is to be closed. */
export async function runConnected(
  ports: CallerPorts,
  context: DispatchContext,
): Promise<{ readonly error: unknown } | undefined> {
  return runEvent(ports, context, "onConnected");
}

/** What it throws is logged, and nothing more: the connection is there, whatever its author makes of it. */
export async function runReconnected(ports: CallerPorts, context: DispatchContext): Promise<void> {
  await runEvent(ports, context, "onReconnected");
}

/** What comes behind it in this function finds the new user too. */
export async function runRefreshed(ports: CallerPorts, context: DispatchContext): Promise<void> {
  const session = await ports.store.session(context.state.transportId);
  if (session === undefined) return;
  context.session = session;
  await runEvent(ports, context, "onAuthenticationRefreshed");
}

async function runEvent(
  ports: CallerPorts,
  context: DispatchContext,
  name: AwaitedEvent,
): Promise<{ readonly error: unknown } | undefined> {
  const { hub, state, session, channel } = context;
  const { service } = ports;
  if (!isAwaited({ service, hub }, name)) return undefined;
  const onAsk = name === "onConnected" ? refuseToAsk : undefined;
  const caller = createCaller(ports, { hub, state, session, channel, redelivered: false, ...(onAsk && { onAsk }) });
  const limit = Math.max(0, context.stopAt - ports.clock.now());
  const outcome = await runLimited(ports.clock, limit, caller, () => raiseEvent({ service, hub, caller }, name));
  keepItems(context, session, caller.items());
  if (!("error" in outcome)) return undefined;
  caller.hub.log.error(`${name} failed.`, { error: outcome.error });
  return outcome;
}

/** The connection handles nothing before it has returned. */
function refuseToAsk(): never {
  throw new Error("Client results inside OnConnectedAsync Hub methods are not allowed.");
}
