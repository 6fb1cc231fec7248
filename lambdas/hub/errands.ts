// What requests over HTTP leave to be done beside them.

import type { DispatchPorts } from "./dispatch.ts";
import { endConnection } from "./ending.ts";
import type { Errand, Log, Runners } from "./ports.ts";
import { receive } from "./receive.ts";
import { isFree, takeOver } from "./turn.ts";

/** False when nobody could be asked: what waits is then left to the next sweep. */
export async function leaveErrand(
  { runners, log }: { readonly runners: Runners; readonly log: Log },
  errand: Errand,
): Promise<boolean> {
  try {
    await runners.start(errand);
    return true;
  } catch (error) {
    const { kind, transportId } = errand;
    log.error("What a client sent could not be handed on; the next sweep does it.", { kind, transportId, error });
    return false;
  }
}

/** What is not done, because its function dies, the sweeper finds. */
export async function runErrand(ports: DispatchPorts, errand: Errand): Promise<void> {
  const { store, clock, random } = ports;
  const { transportId } = errand;
  if (errand.kind === "handshake") {
    const { text, receivedAt } = errand;
    return receive(ports, { transportId, messageId: random.id(), text, receivedAt });
  }
  const state = await store.transport(transportId);
  if (state?.phase !== "open" || state.next !== undefined) return;
  if (errand.kind === "ending" && state.end !== undefined) {
    await endConnection(ports, { transportId, from: { phase: "open" }, reason: state.end });
  } else if (state.end === undefined && state.waiting > 0 && !state.resuming && isFree(state.turn, clock.now())) {
    await takeOver(ports, state, clock.now());
  }
}
