// What the sweeper does about one transport that has something due. Each action is claimed with a condition on what
// was read, so a frame, a second sweeper or a late function may come between at any point.

import { sayGoodbye } from "./closing.ts";
import type { EndReason, SweeperLease, TransportState } from "./connection-state.ts";
import type { DispatchPorts } from "./dispatch.ts";
import { endConnection, isServed } from "./ending.ts";
import { handshakeReply } from "./handshakes.ts";
import { detailOf, optionsOf } from "./hub-options.ts";
import { LEASE } from "./lease.ts";
import { isRaw, protocolOf } from "./protocols.ts";
import { isHttpTransport, silentAt } from "./transport-names.ts";
import { isFree, takeOver } from "./turn.ts";

export async function repair(ports: DispatchPorts, state: TransportState, lease: SweeperLease): Promise<void> {
  if (!isServed(ports, state)) return;
  if (state.next !== undefined) return clearReplaced(ports, state, state.next, lease.lastTick);
  switch (state.phase) {
    case "ended":
      return finishEnding(ports, state, lease.lastTick);
    case "accepted":
      return state.turn === undefined
        ? endUnopened(ports, state, lease)
        : endDiedConnecting(ports, state, lease.lastTick);
    case "open":
      return repairOpen(ports, state, lease);
  }
}

/** The one who claimed the ending died over it: what is left is done again. */
async function finishEnding(ports: DispatchPorts, state: TransportState, now: number): Promise<void> {
  if (state.deadline >= now) return;
  const { transportId, ender, deadline } = state;
  const reason = state.end ?? { stopCalled: false, code: "transport_lost" };
  await endConnection(ports, { transportId, from: { phase: "ended", ender, deadline }, reason, goodbye: {} });
}

async function endUnopened(ports: DispatchPorts, state: TransportState, lease: SweeperLease): Promise<void> {
  const { transportId, deadline } = state;
  if (!isSilent(deadline, lease)) return;
  await endConnection(ports, {
    transportId,
    from: { phase: "accepted", turn: undefined },
    reason: { stopCalled: false, code: "handshake_failed", message: "No handshake came in time." },
    goodbye: { text: handshakeReply(ports, state, "Handshake was canceled.") },
  });
}

async function endDiedConnecting(ports: DispatchPorts, state: TransportState, now: number): Promise<void> {
  if (!isFree(state.turn, now)) return;
  // The membership is written right before `onConnected`: without it, that never started.
  const started = (await ports.store.member(state.connectionId, state.hub)) !== undefined;
  await endConnection(ports, {
    transportId: state.transportId,
    from: { phase: "accepted", turn: state.turn },
    reason: { stopCalled: false, code: started ? "function_died" : "handshake_failed" },
    goodbye: { message: { kind: "close", error: "Connection closed with an error.", allowReconnect: true } },
  });
}

async function repairOpen(ports: DispatchPorts, state: TransportState, lease: SweeperLease): Promise<void> {
  const { transportId, deadline } = state;
  if (state.end !== undefined) {
    // Whoever marked it may be saying goodbye still.
    if (deadline >= lease.lastTick) return;
    await endConnection(ports, { transportId, from: { phase: "open" }, reason: state.end, goodbye: {} });
  } else if (deadline === 0) {
    await endConnection(ports, { transportId, from: { phase: "open", deadline }, reason: LOST, goodbye: {} });
  } else if (isSilent(deadline, lease)) {
    if (await isUnused(ports, state)) await dropUnused(ports, state, lease.lastTick);
    else if (state.lost) await endConnection(ports, { transportId, from: { phase: "open", deadline }, reason: LOST });
    else if (isQuiet(state) && (await isThere(ports, state))) return;
    else if (state.resumable) await loseSilent(ports, state);
    else if (isRaw(state)) await endConnection(ports, { transportId, from: { phase: "open", deadline }, reason: LOST });
    else await endSilent(ports, state);
  } else if (isExpired(state, lease.lastTick)) {
    await endExpired(ports, state);
  } else if ((state.turn !== undefined || state.waiting > 0) && isFree(state.turn, lease.lastTick)) {
    await takeOver(ports, state, ports.clock.now());
  } else if (state.rotateAt < lease.lastTick && !state.lost) {
    await rotate(ports, state);
  }
}

/** A raw client has no pings to show that it is there; the gateway knows its socket. */
function isQuiet(state: TransportState): boolean {
  return isRaw(state) && !isHttpTransport(state.transportId) && !state.resuming;
}

/** Or nobody can tell, and the next tick asks again. */
async function isThere({ store, transports, clock, service }: DispatchPorts, state: TransportState): Promise<boolean> {
  const found = await transports.look(state.transportId);
  const { clientTimeoutInterval } = service.lifetime;
  if (found === "open") await store.touch(state.transportId, silentAt(clientTimeoutInterval, state, clock.now()));
  return found !== "gone";
}

const LOST: EndReason = { stopCalled: false, code: "transport_lost" };

/** A client that is away, or not quite back, has its time: whatever brings it back brings a token that is good. */
function isExpired({ authenticatedUntil, lost, resuming }: TransportState, now: number): boolean {
  return authenticatedUntil !== undefined && authenticatedUntil < now && !lost && !resuming;
}

async function endExpired(ports: DispatchPorts, { transportId, authenticatedUntil }: TransportState): Promise<void> {
  // Its client may have brought a new token since the sweep read its row.
  if ((await ports.store.transport(transportId))?.authenticatedUntil !== authenticatedUntil) return;
  await endConnection(ports, {
    transportId,
    from: { phase: "open" },
    reason: { stopCalled: false, code: "token_expired" },
    goodbye: { message: { kind: "close", allowReconnect: true } },
  });
}

async function rotate(ports: DispatchPorts, { transportId, resumable, stateful }: TransportState): Promise<void> {
  const message = { kind: "close", allowReconnect: true } as const;
  if (stateful) {
    // A stock client comes back by itself from a socket that closes without a word, and nobody notices.
    await ports.store.lose(transportId, ports.clock.now() + ports.service.lifetime.disconnectTimeout);
    await ports.transports.close(transportId);
  } else if (resumable) {
    const lost = await ports.store.lose(transportId, ports.clock.now() + ports.service.lifetime.disconnectTimeout);
    if (lost !== undefined) await sayGoodbye(ports, transportId, protocolOf(ports, lost).encode(message));
  } else {
    await endConnection(ports, {
      transportId,
      from: { phase: "open" },
      reason: { stopCalled: false, code: "rotated" },
      goodbye: { message },
    });
  }
}

/** Its client may come back: so far it has only lost its transport. */
async function loseSilent(ports: DispatchPorts, { transportId, deadline }: TransportState): Promise<void> {
  // It may have been heard since the sweep read its row.
  if ((await ports.store.transport(transportId))?.deadline !== deadline) return;
  const lost = await ports.store.lose(transportId, ports.clock.now() + ports.service.lifetime.disconnectTimeout, true);
  if (lost !== undefined) await ports.transports.close(transportId);
}

/** Unless the connect function may still be at it. */
async function dropUnused(
  { store }: DispatchPorts,
  { transportId, deadline }: TransportState,
  now: number,
): Promise<void> {
  if (deadline + LEASE < now) await store.dropUnused(transportId);
}

/** Whether a connect function died before it pointed the connection here: then there is nothing to end. */
async function isUnused(ports: DispatchPorts, state: TransportState): Promise<boolean> {
  if (!state.resuming) return false;
  return (await ports.store.connection(state.connectionId))?.transportId !== state.transportId;
}

/** The row of a transport that was taken over has served when nobody can hold its turn any more. */
async function clearReplaced(ports: DispatchPorts, state: TransportState, next: string, now: number): Promise<void> {
  if (state.deadline >= now) return;
  const connection = await ports.store.connection(state.connectionId);
  const stands = connection !== undefined && !connection.ended && connection.transportId === state.transportId;
  if (stands) return ports.store.thaw(state.transportId, next);
  // Closed already, unless the connect function died before that: a half-open one goes on swallowing posts.
  await ports.transports.close(state.transportId);
  await ports.store.dropReplaced(state.transportId);
}

function isSilent(deadline: number, lease: SweeperLease): boolean {
  return deadline < lease.lastTick && lease.lastTick >= lease.notBefore;
}

async function endSilent(ports: DispatchPorts, { transportId, deadline, hub }: TransportState): Promise<void> {
  const text = "Client hasn't sent a message/ping within the configured ClientTimeoutInterval.";
  const detail = detailOf(optionsOf(ports.service, hub), `OperationCanceledException: ${text}`);
  await endConnection(ports, {
    transportId,
    from: { phase: "open", deadline },
    reason: { stopCalled: false, code: "client_timeout", message: text },
    goodbye: { message: { kind: "close", error: `Connection closed with an error.${detail}`, allowReconnect: true } },
  });
}
