// How a client comes back: one transport takes over from another.

import type { Session, Store, TransportState } from "../../../lambdas/hub/index.ts";
import { NOTHING_READ } from "../store/samples.ts";
import { changeItems } from "./connection-rows.ts";
import { rowKeys } from "./keys.ts";
import { type ConnectionRow, type MemoryRows, putNew } from "./rows.ts";
import { isNotToEnd, moveDeadline, NOTHING_COUNTED } from "./transport-rows.ts";

type ResumeVerbs = Pick<
  Store,
  "connectionOfKey" | "freeze" | "thaw" | "takeOver" | "reopen" | "lose" | "dropUnused" | "dropReplaced" | "yieldTurn"
>;

export function resumeRows(table: MemoryRows): ResumeVerbs {
  const { access, get, put, remove, removeIf, rows, update, updateTransport } = table;

  return {
    async connectionOfKey(resumeKey) {
      const row = await get<{ connectionId: string }>("connectionOfKey", rowKeys.resumeKey(resumeKey));
      return row?.connectionId;
    },
    freeze: (id, next, until, heardAfter) =>
      updateTransport(
        "freeze",
        id,
        (row) =>
          row.end === undefined &&
          row.phase === "open" &&
          row.resumable &&
          (row.next === undefined || row.next === next) &&
          (heardAfter === undefined || (!row.left && (row.lost || row.deadline > heardAfter || row.next === next))),
        (row) => {
          row.next = next;
          row.deadline = until;
        },
      ),
    async thaw(id, next) {
      await updateTransport(
        "thaw",
        id,
        (row) => row.next === next,
        (row) => {
          row.next = undefined;
        },
      );
    },
    async takeOver({ from, transportId, deadline, rotateAt, session, now, stateful, issuedAt, authenticatedUntil }) {
      const { connectionId, hub, waiting, handshakes, tally, base } = from;
      const row: TransportState = {
        transportId,
        connectionId,
        hub,
        phase: "open",
        deadline,
        previousDeadline: deadline,
        rotateAt,
        authenticatedUntil,
        turn: from.turn && { ...from.turn, invocations: from.stateful ? from.turn.invocations : [] },
        waiting,
        end: undefined,
        ender: undefined,
        resumable: true,
        lost: false,
        left: false,
        resuming: true,
        next: undefined,
        stateful,
        protocol: from.protocol,
        handshakes,
        tally: { ...tally, quietUntil: 0 },
        base,
        replay: from.replay,
      };
      await access("takeOver", rowKeys.transport(transportId), () => putNew(rows, rowKeys.transport(transportId), row));
      const before = (await get<Session>("takeOver", rowKeys.session(from.transportId)))?.items ?? {};
      await put("takeOver", rowKeys.session(transportId), { ...session, items: before });
      const moved = await update<ConnectionRow>(
        "takeOver",
        rowKeys.connection(connectionId),
        (each) => !each.ended && [from.transportId, transportId].includes(each.transportId),
        (each) => {
          each.transportId = transportId;
          each.stateful = stateful;
          each.issuedAt = issuedAt;
          const sent = from.stateful && !stateful ? each.outbox.acknowledged : each.outbox.sent;
          each.outbox = { ...each.outbox, sent, flusher: transportId, flushingSince: now };
          each.reading = NOTHING_READ;
        },
      );
      if (moved === undefined) {
        await remove("takeOver", rowKeys.session(transportId));
        await remove("takeOver", rowKeys.transport(transportId));
        return false;
      }
      const old = rowKeys.session(from.transportId);
      const last = await access("takeOver", old, () => {
        const session = rows.get(old) as Session | undefined;
        rows.delete(old);
        return session?.items;
      });
      const changes = changesOf(before, last ?? before);
      if (changes.length > 0) await changeItems(table, "takeOver", transportId, changes);
      return true;
    },
    reopen: (id, by, turn, { deadline, quietUntil }) =>
      updateTransport(
        "reopen",
        id,
        (row) => isNotToEnd(row) && row.resuming && !row.lost,
        (row) => {
          row.resuming = false;
          moveDeadline(row, deadline);
          row.turn ??= turn;
          if ("expected" in by) {
            row.tally = { ...row.tally, recent: [], expected: by.expected, quietUntil };
            row.replay = by.replay;
            return;
          }
          row.tally = { ...NOTHING_COUNTED, quietUntil };
          row.handshakes += 1;
          row.base = by.base;
          row.replay = { after: by.base, upTo: by.base };
          row.turn = { ...row.turn, invocations: [] };
        },
      ),
    lose: (id, deadline, left = false) =>
      updateTransport(
        "lose",
        id,
        (row) => isNotToEnd(row) && row.phase === "open" && !row.lost,
        (row) => {
          row.lost = true;
          row.left = left;
          row.deadline = deadline;
        },
      ),
    async dropUnused(id) {
      await remove("dropUnused", rowKeys.session(id));
      await removeIf<TransportState>("dropUnused", rowKeys.transport(id), (row) => row.resuming);
    },
    async dropReplaced(id) {
      await remove("dropReplaced", rowKeys.session(id));
      await removeIf<TransportState>("dropReplaced", rowKeys.transport(id), (row) => row.next !== undefined);
    },
    async yieldTurn(id, holder) {
      await updateTransport(
        "yieldTurn",
        id,
        (row) => row.turn?.holder === holder && row.resuming && row.next === undefined,
        (row) => {
          row.turn = undefined;
        },
      );
    },
  };
}

function changesOf(before: Session["items"], after: Session["items"]): [string, string | undefined][] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).map((name) => [name, after[name]]);
}
