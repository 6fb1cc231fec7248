// What requests over HTTP leave to be done beside them.

import type { DispatchPorts } from "./dispatch.ts";
import { endConnection } from "./ending.ts";
import { pauseBehind } from "./look-pause.ts";
import type { Errand, Log, Runners } from "./ports.ts";
import { receive } from "./receive.ts";
import { isHttpTransport } from "./transport-names.ts";
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
    if (!isHttpTransport(transportId) && !(await isAccepted(ports, transportId))) return;
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

/** Until when a socket may be on its way: connect has returned by then, or never will. Milliseconds. */
const ACCEPTING_TIME = 10_000;

/** What is posted to a socket before connect has returned finds nobody, and would look like a client that is gone. */
async function isAccepted({ transports, clock }: DispatchPorts, transportId: string): Promise<boolean> {
  const giveUpAt = clock.now() + ACCEPTING_TIME;
  for (let looks = 0; clock.now() < giveUpAt; looks++) {
    if ((await transports.look(transportId)) === "open") return true;
    await clock.sleep(pauseBehind(looks));
  }
  return false;
}
