// Invocations that workers run.

import { type ConnectionState, MOST_WORK, type WorkState, type WorkStore } from "../../../lambdas/hub/index.ts";
import { key, rowKeys } from "./keys.ts";
import { type MemoryRows, putNew } from "./rows.ts";

/** How long work that nobody finished may lie about. Milliseconds. */
const WORK_GARBAGE = 24 * 3_600_000;

interface WorkRow extends WorkState {
  readonly nonce: string;
  readonly expiresAt: number;
}

export function workRows(table: MemoryRows): WorkStore {
  const { access, get, query, remove, rows, update } = table;

  return {
    async startWork(connectionId, work) {
      if ((await query("startWork", key("work", connectionId))).length >= MOST_WORK) return "full";
      const name = rowKeys.work(connectionId, work.key);
      const expiresAt = work.now + WORK_GARBAGE;
      const row = { nonce: work.nonce, worker: undefined, until: 0, cancelled: false, expiresAt };
      if (!(await access("startWork", name, () => putNew(rows, name, row)))) {
        return (await get<WorkRow>("startWork", name))?.nonce === work.nonce ? "started" : "taken";
      }
      const connection = await get<ConnectionState>("startWork", rowKeys.connection(connectionId));
      if (connection !== undefined && !connection.ended) return "started";
      await remove("startWork", name);
      return "ended";
    },
    async claimWork(connectionId, work, { worker, until, now }) {
      const name = rowKeys.work(connectionId, work);
      const claim = (condition: (row: WorkRow) => boolean) =>
        update<WorkRow>("claimWork", name, condition, (row) => {
          row.worker = worker;
          row.until = until;
        });
      if (await claim((row) => row.worker === undefined || row.worker === worker)) return "claimed";
      return (await claim((row) => row.until < now)) === undefined ? undefined : "died";
    },
    async work(connectionId, work) {
      return toWork(await get<WorkRow>("work", rowKeys.work(connectionId, work)));
    },
    async renewWork(connectionId, work, worker, until) {
      const row = await update<WorkRow>(
        "renewWork",
        rowKeys.work(connectionId, work),
        (each) => each.worker === worker,
        (each) => {
          each.until = until;
        },
      );
      return toWork(row);
    },
    async cancelWork(connectionId, work) {
      await update<WorkRow>(
        "cancelWork",
        rowKeys.work(connectionId, work),
        () => true,
        (row) => {
          row.cancelled = true;
        },
      );
    },
    async finishWork(connectionId, work) {
      await remove("finishWork", rowKeys.work(connectionId, work));
    },
  };
}

function toWork(row: WorkRow | undefined): WorkState | undefined {
  return row && { worker: row.worker, until: row.until, cancelled: row.cancelled };
}
