// The gateway says that a transport is closed: at most once, perhaps late, perhaps never.

import type { CallerPorts } from "./caller.ts";
import type { EndReason, TransportState } from "./connection-state.ts";
import { endConnection, isServed } from "./ending.ts";
import { isRaw } from "./protocols.ts";
import { heardAt } from "./transport-names.ts";

export interface Disconnect {
  readonly transportId: string;
  /** WebSocket close code; 1006 when no Close frame came. */
  readonly code: number;
  /** When the transport was accepted: epoch milliseconds. */
  readonly connectedAt: number;
}

/** The gateway's own cuts come as 1001, like a page that is left. Milliseconds. */
const GATEWAY_DURATION = 119 * 60_000;
const GATEWAY_IDLE = 9.5 * 60_000;

export async function disconnect(ports: CallerPorts, event: Disconnect): Promise<void> {
  const isRefusal = event.code === 1003 || event.code === 1009;
  const state = await present(ports, event.transportId, isRefusal);
  // Mostly the client has said Close before it closed its socket, and nothing is left to do.
  if (state === undefined || state.phase === "ended" || state.next !== undefined) return;
  if (state.lost && !isRefusal) return;
  const { transportId } = state;
  // Nobody was connected, and connect may be writing still: its deadline ends it.
  if (state.phase === "accepted" && state.turn === undefined) {
    // A raw connection is opened without its client: that must not happen any more.
    if (isRaw(state)) await ports.store.markEnd(transportId, toReason(ports, event, state), state.deadline);
    return;
  }
  if (!isServed(ports, state)) return;
  const reason = toReason(ports, event, state);
  if (state.resumable && state.end === undefined && reason.code === "transport_lost") {
    // While it is connecting, its client can not be back yet, and its own time-out will tell.
    if (state.phase !== "open") return;
    // What a stock client's own server time-out looks like. It also opens a socket then that it forgets.
    const left = event.code === 1000 || event.code === 1005;
    await ports.store.lose(transportId, ports.clock.now() + ports.service.lifetime.disconnectTimeout, left);
    return;
  }
  const from = { phase: "open" } as const;
  if (state.phase === "open" && (await endConnection(ports, { transportId, from, reason }))) return;
  // Connecting: whoever runs `onConnected` finds the mark. Open since then: it is ended here.
  const marked = await ports.store.markEnd(transportId, reason, ports.clock.now());
  if (marked?.phase === "open") await endConnection(ports, { transportId, from, reason });
}

/**
 * A client whose frame was refused sends it again by its next transport, and again: so its connection ends, wherever it
 * is by now.
 */
async function present(ports: CallerPorts, transportId: string, follows: boolean): Promise<TransportState | undefined> {
  const state = await ports.store.transport(transportId);
  return follows && state?.next !== undefined ? present(ports, state.next, true) : state;
}

function toReason(ports: CallerPorts, event: Disconnect, state: TransportState): EndReason {
  switch (event.code) {
    case 1000:
    case 1005:
      // What a client's own server time-out looks like: one with a resume key comes back from it. A raw client has no
      // other way to say that it stops.
      return state.resumable && !isRaw(state)
        ? { stopCalled: false, code: "transport_lost" }
        : { stopCalled: true, code: "stopped" };
    case 1001:
      return isGatewayCut(ports, event, state)
        ? { stopCalled: false, code: "transport_lost" }
        : { stopCalled: true, code: "stopped" };
    case 1003:
    case 1009:
      ports.log.warn("The gateway closed a transport: a frame was binary (1003) or larger than 32 KB (1009).", {
        transportId: event.transportId,
        code: event.code,
      });
      return { stopCalled: false, code: "message_refused" };
    default:
      return { stopCalled: false, code: "transport_lost" };
  }
}

function isGatewayCut({ clock, service }: CallerPorts, event: Disconnect, state: TransportState): boolean {
  const now = clock.now();
  const lastFrame = heardAt(service.lifetime.clientTimeoutInterval, state, state.deadline);
  return now - event.connectedAt > GATEWAY_DURATION || now - lastFrame > GATEWAY_IDLE;
}
