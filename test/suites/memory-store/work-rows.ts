// Invocations that workers run.

import { MOST_WORK, type WorkState, type WorkStore } from "../../../lambdas/hub/index.ts";
import { key, rowKeys } from "./keys.ts";
import { type MemoryRows, putNew } from "./rows.ts";

/** How long work that nobody finished may lie about. Milliseconds. */
const WORK_GARBAGE = 24 * 3_600_000;

interface WorkRow extends WorkState {
  readonly nonce: string;
  /** Its worker has found the one before it dead. */
  readonly died: boolean;
  readonly expiresAt: number;
}

export function workRows(table: MemoryRows): WorkStore {
  const { access, get, lives, query, remove, rows, update } = table;

  return {
    async startWork(connectionId, work) {
      const name = rowKeys.work(connectionId, work.key);
      const expiresAt = work.now + WORK_GARBAGE;
      const row = { nonce: work.nonce, worker: undefined, until: 0, died: false, cancelled: false, expiresAt };
      const isNew = await access("startWork", name, () => putNew(rows, name, row));
      if (!isNew && (await get<WorkRow>("startWork", name))?.nonce !== work.nonce) return "taken";
      const [isLive, all] = await Promise.all([
        lives("startWork", connectionId),
        query("startWork", key("work", connectionId)),
      ]);
      if (isLive && all.length <= MOST_WORK) return "started";
      await remove("startWork", name);
      return isLive ? "full" : "ended";
    },
    async claimWork(connectionId, work, { worker, until, now }) {
      const name = rowKeys.work(connectionId, work);
      const claim = (condition: (row: WorkRow) => boolean, died: boolean) =>
        update<WorkRow>("claimWork", name, condition, (row) => {
          row.worker = worker;
          row.until = until;
          row.died = died;
        });
      const isOwn = (row: WorkRow) => row.worker === worker;
      if (await claim((row) => row.worker === undefined || (isOwn(row) && !row.died), false)) return "claimed";
      const isDead = (row: WorkRow) => row.until < now || (isOwn(row) && row.died);
      return (await claim(isDead, true)) === undefined ? undefined : "died";
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
