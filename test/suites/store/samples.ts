// What the tests put into a store, and what they expect to find in it.

import type {
  Audience,
  EndClaim,
  EndReason,
  Member,
  NewConnection,
  NumberRequest,
  OutboxHead,
  Reading,
  Receipt,
  Replay,
  Session,
  Store,
  Takeover,
  Tally,
  TallyChange,
  TransportState,
  Trim,
  Turn,
  WaitingFrame,
} from "../../../lambdas/hub/index.ts";

export const NOW = Date.UTC(2026, 0, 1);
export const HUB = "chat";
export const LOST: EndReason = { stopCalled: false, code: "transport_lost" };
export const STOPPED: EndReason = { stopCalled: true, code: "stopped", message: "Bye." };
export const FAILED: EndReason = { stopCalled: false, code: "handshake_failed" };

export const EMPTY: OutboxHead = { last: 0, sent: 0, acknowledged: 0, bytes: 0, flusher: undefined, flushingSince: 0 };
export const HANDSHAKE = { base: 0 };

/** Of a transport that was reopened. */
export const QUIET_UNTIL = NOW + 2_000;
/** Of a transport that its client has taken up. */
export const TIMES = { deadline: NOW + 30_000, quietUntil: QUIET_UNTIL };
export const NO_REPLAY: Replay = { after: 0, upTo: 0 };
export const NOTHING_COUNTED: Tally = { received: 0, acknowledged: 0, recent: [], expected: [], quietUntil: 0 };

export function turnOf(holder: string, until = NOW + 35_000): Turn {
  return { holder, until, invocations: [] };
}

export function userOf(user: string): Audience {
  return { kind: "user", hub: HUB, user };
}

export function groupOf(group: string): Audience {
  return { kind: "group", hub: HUB, group };
}

export function memberOf({ connectionId, transportId }: NewConnection): Member {
  return { connectionId, transportId };
}

export function claimOf(connection: NewConnection, changes: Partial<EndClaim> = {}): EndClaim {
  return {
    transportId: connection.transportId,
    from: { phase: "open" },
    ender: "ender",
    until: NOW + 35_000,
    reason: LOST,
    ...changes,
  };
}

export function sessionOf({ userIdentifier }: { readonly userIdentifier?: string | undefined }): Session {
  return {
    userIdentifier,
    user: { isAuthenticated: true, name: undefined, roles: ["admin"], claims: { sub: "ada", level: 3 } },
    request: { query: { room: "1" }, headers: { "user-agent": "test" } },
    items: {},
  };
}

export function frameOf({ transportId }: Pick<NewConnection, "transportId">, key = "1"): WaitingFrame {
  return { key, text: "{}", receivedAt: NOW, transportId, handshakes: 1, repeated: [] };
}

export function printOf(index: number): string {
  return `print${index}`;
}

export function receiptOf(index: number): Receipt {
  return { fingerprint: printOf(index), receivedAt: NOW + index, frame: `f${index}` };
}

/** The counts as they were seen, but for what changes. */
export function changeOf({ tally }: TransportState, changes: Partial<TallyChange> = {}): TallyChange {
  const { received, recent, expected } = tally;
  return { received, recent, expected, ...changes };
}

export function trimOf({ tally }: TransportState, drop: number, acknowledged = 0): Trim {
  return { seen: tally, acknowledged, drop };
}

let nonces = 0;

export function numberFor(flusher: string, changes: Partial<NumberRequest> = {}): NumberRequest {
  nonces += 1;
  return { flusher, nonce: `n${nonces}`, now: NOW, bytes: 10, limit: 1_000, ...changes };
}

export function flushBy(
  flusher: string,
  seen: string | undefined,
  now = NOW,
  handshakes = 1,
): Parameters<Store["startFlush"]>[2] {
  return { flusher, seen, now, handshakes };
}

/** A frozen transport that was there once, of a connection of the same name. */
export function frozenOf(name: string): TransportState {
  return {
    transportId: name,
    connectionId: name,
    hub: HUB,
    phase: "open",
    deadline: NOW,
    previousDeadline: NOW,
    rotateAt: NOW,
    authenticatedUntil: undefined,
    turn: undefined,
    waiting: 0,
    end: undefined,
    ender: undefined,
    resumable: true,
    lost: false,
    left: false,
    resuming: false,
    next: `${name} next`,
    stateful: false,
    protocol: undefined,
    handshakes: 1,
    tally: NOTHING_COUNTED,
    base: 0,
    replay: NO_REPLAY,
  };
}

export function takeoverOf(from: TransportState, transportId: string): Takeover {
  const times = { deadline: NOW + 15_000, rotateAt: NOW + 6_600_000, now: NOW };
  return { from, transportId, session: sessionOf({}), stateful: false, issuedAt: 0, ...times };
}

/** Of a connection whose client has not come for anything yet. */
export const NOTHING_READ: Reading = {
  reader: undefined,
  greeting: undefined,
  greeted: undefined,
  handed: undefined,
  closed: undefined,
};
