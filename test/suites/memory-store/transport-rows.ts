// The transport row: phase, deadline, turn and end of a connection.

import type { Phase, Receipt, Store, Tally, TransportState, Trim, Turn } from "../../../lambdas/hub/index.ts";
import { isSilent, MOST_RECEIPTS } from "../../../lambdas/hub/index.ts";
import { key, rowKeys } from "./keys.ts";
import { type MemoryRows, type Mutable, ofKind } from "./rows.ts";

type TransportVerbs = Pick<
  Store,
  | "touch"
  | "take"
  | "tally"
  | "trim"
  | "count"
  | "steal"
  | "release"
  | "open"
  | "note"
  | "speak"
  | "abandon"
  | "renewAuthentication"
  | "transport"
  | "markEnd"
  | "markLost"
  | "claimEnd"
  | "dropTransport"
  | "due"
>;

export const NOTHING_COUNTED: Tally = { received: 0, acknowledged: 0, recent: [], expected: [], quietUntil: 0 };

export function transportRows(table: MemoryRows): TransportVerbs {
  const { access, get, removeIf, rows, updateTransport } = table;

  return {
    touch: (id, deadline, receipts = []) =>
      updateTransport(
        "touch",
        id,
        (row) => takesFrames(row, receipts),
        (row) => {
          moveDeadline(row, deadline);
          countReceipts(row, receipts);
        },
      ),
    take: (id, deadline, turn, receipts = []) =>
      updateTransport(
        "take",
        id,
        (row) => takesFrames(row, receipts),
        (row) => {
          moveDeadline(row, deadline);
          countReceipts(row, receipts);
          row.turn ??= turn;
        },
      ),
    tally: (id, seen, { deadline, turn, received, recent, expected }) =>
      updateTransport(
        "tally",
        id,
        (row) =>
          isNotToEnd(row) &&
          row.tally.received === seen.tally.received &&
          row.tally.expected.join() === seen.tally.expected.join() &&
          row.lost === seen.lost &&
          row.resuming === seen.resuming,
        (row) => {
          row.tally = { ...row.tally, received, recent, expected };
          if (deadline !== undefined) moveDeadline(row, deadline);
          if (turn !== undefined) row.turn ??= turn;
        },
      ),
    async trim(id, trim) {
      await updateTransport(
        "trim",
        id,
        (row) => isNotToEnd(row) && isTallyAsSeen(row, trim),
        (row) => applyTrim(row, trim),
      );
    },
    count: (id) =>
      updateTransport("count", id, isNotToEnd, (row) => {
        row.waiting += 1;
      }),
    async steal(id, turn, seen) {
      const state = await updateTransport(
        "steal",
        id,
        (row) => isNotToEnd(row) && (row.turn === undefined || isSame(row.turn, seen) || isSame(row.turn, turn)),
        (row) => {
          row.turn = turn;
        },
      );
      return state !== undefined;
    },
    async release(id, holder, seen, open, tally) {
      const state = await updateTransport(
        "release",
        id,
        (row) =>
          row.turn?.holder === holder &&
          row.waiting === seen &&
          row.next === undefined &&
          (!open || (isNotToEnd(row) && row.phase === "accepted")),
        (row) => {
          if (open) row.phase = "open";
          if (tally === "forget") row.tally = { ...row.tally, recent: [] };
          else if (tally !== undefined) row.tally = { ...row.tally, acknowledged: tally.acknowledged };
          row.turn = undefined;
          row.waiting = 0;
        },
      );
      return state !== undefined;
    },
    async open(id, holder) {
      const state = await updateTransport(
        "open",
        id,
        (row) => row.turn?.holder === holder && isNotToEnd(row),
        (row) => {
          row.phase = "open";
        },
      );
      return state !== undefined;
    },
    async speak(id, protocol) {
      await updateTransport("speak", id, isNotToEnd, (row) => {
        row.protocol = protocol;
      });
    },
    async note(id, holder, invocations) {
      const state = await updateTransport(
        "note",
        id,
        (row) => row.turn?.holder === holder && row.next === undefined,
        (row) => {
          if (row.turn !== undefined) row.turn = { ...row.turn, invocations };
        },
      );
      return state !== undefined;
    },
    async abandon(id, holder) {
      await updateTransport(
        "abandon",
        id,
        (row) => row.turn?.holder === holder,
        (row) => {
          row.turn = { holder, until: 0, invocations: [] };
        },
      );
    },
    transport: (id) => get("transport", rowKeys.transport(id)),
    markEnd: (id, reason, deadline) =>
      updateTransport("markEnd", id, isNotToEnd, (row) => {
        row.end = reason;
        row.deadline = deadline;
      }),
    renewAuthentication: (id, until) =>
      updateTransport("renewAuthentication", id, isNotToEnd, (row) => {
        row.authenticatedUntil = until;
      }),
    async markLost(id) {
      await updateTransport("markLost", id, isNotToEnd, (row) => {
        row.deadline = 0;
      });
    },
    claimEnd: ({ transportId, from, ender, until, reason }) =>
      updateTransport(
        "claimEnd",
        transportId,
        (row) => {
          if (row.next !== undefined) return false;
          if (row.ender === ender) return true;
          if (row.phase !== from.phase) return false;
          if (from.phase === "open") return from.deadline === undefined || row.deadline === from.deadline;
          if (from.phase === "accepted") return from.turn ? isSame(row.turn, from.turn) : row.turn === undefined;
          return row.ender === from.ender && row.deadline === from.deadline;
        },
        (row) => {
          row.phase = "ended" satisfies Phase;
          row.ender = ender;
          row.deadline = until;
          row.end = isSilent(reason) ? reason : (row.end ?? reason);
        },
      ),
    dropTransport: (id, ender) =>
      removeIf<TransportState>("dropTransport", rowKeys.transport(id), (row) => row.ender === ender),
    async *due(now) {
      yield await access("due", key("transport"), () => {
        const all = ofKind<TransportState>(rows, key("transport"));
        return { transports: structuredClone(all.filter((row) => isDue(row, now))), total: all.length };
      });
    },
  };
}

/** And no other transport has taken over. */
export function isNotToEnd(row: TransportState): boolean {
  return row.end === undefined && row.next === undefined;
}

function isSame(turn: Turn | undefined, other: Turn | undefined): boolean {
  return turn?.holder === other?.holder && turn?.until === other?.until;
}

function isDue({ deadline, turn, waiting, rotateAt, authenticatedUntil }: TransportState, now: number): boolean {
  return (
    deadline < now ||
    rotateAt < now ||
    (authenticatedUntil !== undefined && authenticatedUntil < now) ||
    (turn === undefined ? waiting > 0 : turn.until < now)
  );
}

/** Messages that could have come before are counted by nobody who has not looked. */
function takesFrames(row: TransportState, receipts: readonly Receipt[]): boolean {
  const [first] = receipts;
  const isCountedAlready = row.tally.recent.some(
    ({ fingerprint, receivedAt, frame }) =>
      fingerprint === first?.fingerprint && receivedAt === first.receivedAt && frame === first.frame,
  );
  const isRoom = row.tally.recent.length < MOST_RECEIPTS;
  const counts = receipts.length === 0 || (row.tally.expected.length === 0 && !isCountedAlready && isRoom);
  return isNotToEnd(row) && !row.lost && !row.resuming && counts;
}

function countReceipts(row: Mutable<TransportState>, receipts: readonly Receipt[]): void {
  const { tally } = row;
  row.tally = { ...tally, received: tally.received + receipts.length, recent: [...tally.recent, ...receipts] };
}

function isTallyAsSeen({ tally }: TransportState, { seen, acknowledged }: Trim): boolean {
  return (
    tally.received === seen.received && tally.recent.length === seen.recent.length && tally.acknowledged <= acknowledged
  );
}

function applyTrim(row: Mutable<TransportState>, { acknowledged, drop }: Trim): void {
  row.tally = { ...row.tally, acknowledged, recent: row.tally.recent.slice(drop) };
}

/** A frame has come, so the transport is there. */
export function moveDeadline(row: Mutable<TransportState>, deadline: number): void {
  row.previousDeadline = row.deadline;
  row.deadline = deadline;
}
