// Invocations that workers run: one row each beside their connection's.

import { MOST_WORK, type WorkState, type WorkStore } from "../hub/index.ts";
import { lives, NEW, toSeconds } from "./connection-rows.ts";
import { keys, TIME_TO_LIVE } from "./table.ts";
import type { Row, TableClient } from "./table-client.ts";

/** How long work that nobody finished may lie about. Milliseconds. */
const WORK_GARBAGE = 24 * 3_600_000;

export function workRows(table: TableClient): WorkStore {
  async function workKeys(connectionId: string): Promise<readonly string[]> {
    const { pk, sk } = keys.work(connectionId, "");
    const found: string[] = [];
    for await (const page of table.query(pk, { prefix: sk, consistent: true })) {
      found.push(...page.rows.map((row) => String(row.sk).slice(sk.length)));
    }
    return found;
  }

  return {
    async startWork(connectionId, { key, nonce, now }) {
      const row = keys.work(connectionId, key);
      const isNew = await table.put(row, { nonce, [TIME_TO_LIVE]: toSeconds(now + WORK_GARBAGE) }, NEW);
      if (!isNew && (await table.get(row))?.nonce !== nonce) return "taken";
      // An ending marks the connection first and looks for work afterwards: so one of the two sees the other. Nor do two
      // starts miss each other, when there is room for one.
      const [isLive, all] = await Promise.all([lives(table, connectionId), workKeys(connectionId)]);
      if (isLive && all.length <= MOST_WORK) return "started";
      await table.delete(row);
      return isLive ? "full" : "ended";
    },
    async claimWork(connectionId, key, { worker, until, now }) {
      const row = keys.work(connectionId, key);
      const values = { ":worker": worker, ":until": until };
      const change = "SET #worker = :worker, #until = :until";
      const isOwn = "#worker = :worker AND attribute_not_exists(#died)";
      const isFree = `attribute_exists(#pk) AND (attribute_not_exists(#worker) OR ${isOwn})`;
      if ((await table.update(row, change, isFree, values)) !== undefined) return "claimed";
      const isDead = "attribute_exists(#pk) AND (#until < :now OR #worker = :worker AND #died = :true)";
      const found = await table.update(row, `${change}, #died = :true`, isDead, {
        ...values,
        ":now": now,
        ":true": true,
      });
      return found === undefined ? undefined : "died";
    },
    async work(connectionId, key) {
      const row = await table.get(keys.work(connectionId, key));
      return row === undefined ? undefined : toWork(row);
    },
    async renewWork(connectionId, key, worker, until) {
      const row = await table.update(keys.work(connectionId, key), "SET #until = :until", "#worker = :worker", {
        ":until": until,
        ":worker": worker,
      });
      return row === undefined ? undefined : toWork(row);
    },
    async cancelWork(connectionId, key) {
      await table.update(keys.work(connectionId, key), "SET #cancelled = :true", "attribute_exists(#pk)", {
        ":true": true,
      });
    },
    async finishWork(connectionId, key) {
      await table.delete(keys.work(connectionId, key));
    },
  };
}

function toWork({ worker, until, cancelled }: Row): WorkState {
  return {
    worker: worker === undefined ? undefined : String(worker),
    until: Number(until ?? 0),
    cancelled: cancelled === true,
  };
}
