// Users whose coming and going is told: one row per hub and user, from the first connection to the end of
// `onUserOffline`. It never says who is connected: whoever tells looks at the memberships first.
//
//   (no row) ── arrival ──▶ coming ── told ──▶ online ── nobody there, no arrival since ──▶ leaving ── told ──▶ (no row)
//                             ▲                                                                │
//                             └────────────────────────── told, and an arrival since ──────────┘

import type { Store, UserPhase, UserState } from "../hub/index.ts";
import { keys, userPartitions } from "./table.ts";
import type { Row, TableClient } from "./table-client.ts";

type UserVerbs = Pick<
  Store,
  "arriveUser" | "user" | "departUser" | "keepUser" | "claimUser" | "settleUser" | "dueUsers"
>;

export function userRows(table: TableClient): UserVerbs {
  return {
    async arriveUser(hub, user, { id, until, checkAt }) {
      // The one write that makes the row, and changes nothing of one that is there but arrival and time.
      const row = await table.update(
        keys.user(hub, user),
        "SET #arrival = :id, #checkAt = :checkAt, #phase = if_not_exists(#phase, :phase), " +
          "#holder = if_not_exists(#holder, :id), #until = if_not_exists(#until, :until)",
        undefined,
        { ":id": id, ":checkAt": checkAt, ":phase": until === undefined ? "online" : "coming", ":until": until ?? 0 },
      );
      return toState(hub, row ?? {});
    },
    async user(hub, user) {
      const row = await table.get(keys.user(hub, user));
      return row === undefined ? undefined : toState(hub, row);
    },
    async departUser({ hub, user, arrival }, checkAt) {
      const values = { ":checkAt": checkAt, ":arrival": arrival };
      await table.update(keys.user(hub, user), "SET #checkAt = :checkAt", "#arrival = :arrival", values);
    },
    async keepUser({ hub, user, arrival, checkAt }, next) {
      await table.update(
        keys.user(hub, user),
        "SET #checkAt = :next",
        "#arrival = :arrival AND #checkAt = :seen AND #phase = :online",
        { ":next": next, ":arrival": arrival, ":seen": checkAt, ":online": "online" },
      );
    },
    async claimUser(seen, { phase, holder, until }) {
      const fromOnline = seen.phase === "online";
      const row = await table.update(
        keys.user(seen.hub, seen.user),
        `SET #phase = :phase, #holder = :holder, #until = :until${fromOnline ? ", #gone = :arrival" : ""}`,
        `#phase = :seen AND #holder = :seenHolder AND #until = :seenUntil${fromOnline ? " AND #arrival = :arrival" : ""}` +
          // The same claim made twice, as by a retry of the SDK, is one claim.
          " OR #phase = :phase AND #holder = :holder AND #until = :until",
        {
          ":phase": phase,
          ":holder": holder,
          ":until": until,
          ":seen": seen.phase,
          ":seenHolder": seen.holder,
          ":seenUntil": seen.until,
          ...(fromOnline && { ":arrival": seen.arrival }),
        },
      );
      return row === undefined ? undefined : toState(seen.hub, row);
    },
    async settleUser({ hub, user, phase, holder, until }) {
      const key = keys.user(hub, user);
      const values = { ":phase": phase, ":holder": holder, ":until": until };
      const mine = "#phase = :phase AND #holder = :holder AND #until = :until";
      if (phase === "leaving") {
        return (await table.delete(key, `${mine} AND #arrival = #gone`, values)) !== undefined;
      }
      const change = "SET #phase = :online, #until = :nobody";
      return (await table.update(key, change, mine, { ...values, ":online": "online", ":nobody": 0 })) !== undefined;
    },
    async *dueUsers(hub, now) {
      const filter = "#until > :nobody AND #until < :now OR #until = :nobody AND #checkAt < :now";
      const values = { ":now": now, ":nobody": 0 };
      // Eventually: whatever is done about a row is conditional on it.
      const partitions = userPartitions(hub).map((pk) => table.query(pk, { filter, values, consistent: false }));
      for (const partition of partitions) {
        for await (const { rows, scanned } of partition) {
          yield { users: rows.map((row) => toState(hub, row)), total: scanned };
        }
      }
    },
  };
}

function toState(hub: string, row: Row): UserState {
  return {
    hub,
    user: String(row.sk).slice(1),
    phase: row.phase as UserPhase,
    arrival: String(row.arrival),
    holder: String(row.holder),
    until: Number(row.until),
    checkAt: Number(row.checkAt),
  };
}
