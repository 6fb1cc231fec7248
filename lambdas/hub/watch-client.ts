// Whether the client of a method that runs is still there. Methods that are quick look at nothing.

import type { CallerPorts } from "./caller.ts";
import type { TransportState } from "./connection-state.ts";

/** How long a method runs before anybody looks, and between two looks. Milliseconds. */
const LOOK_INTERVAL = 3_000;

type Asker = Pick<TransportState, "transportId" | "connectionId" | "stateful" | "handshakes">;

/** Until `over`; hears at most once that the client which asked does not wait any more. Never throws. */
export async function watchClient(
  ports: CallerPorts,
  asker: Asker,
  over: AbortSignal,
  onGone: (reason: Error) => void,
): Promise<void> {
  for (;;) {
    await ports.clock.sleep(LOOK_INTERVAL, over);
    if (over.aborted) return;
    try {
      if (await isThere(ports, asker)) continue;
      if (!over.aborted) onGone(new Error("The client is gone."));
      return;
    } catch (error) {
      const { connectionId } = asker;
      ports.log.warn("It could not be seen whether a client is still there; it is tried again.", {
        connectionId,
        error,
      });
    }
  }
}

/** One read: of the connection if its client can come back for the answer, else of its transport. */
async function isThere(
  { store }: CallerPorts,
  { transportId, connectionId, stateful, handshakes }: Asker,
): Promise<boolean> {
  if (stateful) {
    const connection = await store.connection(connectionId);
    return connection !== undefined && !connection.ended && connection.handshakes === handshakes;
  }
  const state = await store.transport(transportId);
  return state?.phase === "open" && state.end === undefined && state.next === undefined && !state.lost;
}
