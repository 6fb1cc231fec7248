// `onConnected` and `onReconnected`, run by the holder of the turn.

import { type CallerPorts, createCaller } from "./caller.ts";
import type { DispatchContext } from "./dispatch.ts";
import type { HubCaller } from "./hub-caller.ts";
import { runLimited } from "./run-limited.ts";

/** The error it threw, if it did: then the connection is to be closed. */
export async function runConnected(
  ports: CallerPorts,
  context: DispatchContext,
): Promise<{ readonly error: unknown } | undefined> {
  const { onConnected } = context.hub.definition;
  return onConnected === undefined ? undefined : runEvent(ports, context, "onConnected", onConnected);
}

/** What it throws is logged, and nothing more: the connection is there, whatever its author makes of it. */
export async function runReconnected(ports: CallerPorts, context: DispatchContext): Promise<void> {
  const { onReconnected } = context.hub.definition;
  if (onReconnected !== undefined) await runEvent(ports, context, "onReconnected", onReconnected);
}

async function runEvent(
  ports: CallerPorts,
  context: DispatchContext,
  name: string,
  // biome-ignore lint/suspicious/noExplicitAny: the definition's own type of client
  run: (hub: HubCaller<any>) => unknown,
): Promise<{ readonly error: unknown } | undefined> {
  const { hub, state, session, channel } = context;
  const onAsk = name === "onConnected" ? refuseToAsk : undefined;
  const caller = createCaller(ports, { hub, state, session, channel, redelivered: false, ...(onAsk && { onAsk }) });
  const limit = Math.max(0, context.stopAt - ports.clock.now());
  const outcome = await runLimited(ports.clock, limit, caller, () => run.call(hub.definition, caller.hub));
  context.session = { ...session, items: caller.items() };
  if (!("error" in outcome)) return undefined;
  caller.hub.log.error(`${name} failed.`, { error: outcome.error });
  return outcome;
}

/** The connection handles nothing before it has returned. */
function refuseToAsk(): never {
  throw new Error("Client results inside OnConnectedAsync Hub methods are not allowed.");
}
