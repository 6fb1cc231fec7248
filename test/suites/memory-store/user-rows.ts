// Users whose coming and going is told.

import type { Store, UserState } from "../../../lambdas/hub/index.ts";
import { key, rowKeys } from "./keys.ts";
import { type MemoryRows, type Mutable, ofKind } from "./rows.ts";

type UserVerbs = Pick<
  Store,
  "arriveUser" | "user" | "departUser" | "keepUser" | "claimUser" | "settleUser" | "dueUsers"
>;

interface UserRow extends UserState {
  /** The last arrival before the user was found to be leaving. */
  readonly gone: string | undefined;
}

export function userRows({ access, get, rows, update }: MemoryRows): UserVerbs {
  return {
    arriveUser: (hub, user, { id, until, checkAt }) =>
      access("arriveUser", rowKeys.user(hub, user), () => {
        const name = rowKeys.user(hub, user);
        const phase = until === undefined ? "online" : "coming";
        const fresh = { hub, user, phase, holder: id, until: until ?? 0, gone: undefined } as const;
        const row: UserRow = { ...((rows.get(name) as UserRow | undefined) ?? fresh), arrival: id, checkAt };
        rows.set(name, row as object);
        return toState(row);
      }),
    async user(hub, user) {
      const row = await get<UserRow>("user", rowKeys.user(hub, user));
      return row === undefined ? undefined : toState(row);
    },
    async departUser({ hub, user, arrival }, checkAt) {
      await update<UserRow>(
        "departUser",
        rowKeys.user(hub, user),
        (row) => row.arrival === arrival,
        (row) => {
          row.checkAt = checkAt;
        },
      );
    },
    async keepUser({ hub, user, arrival, checkAt }, next) {
      await update<UserRow>(
        "keepUser",
        rowKeys.user(hub, user),
        (row) => row.arrival === arrival && row.checkAt === checkAt && row.phase === "online",
        (row) => {
          row.checkAt = next;
        },
      );
    },
    async claimUser(seen, { phase, holder, until }) {
      const row = await update<UserRow>(
        "claimUser",
        rowKeys.user(seen.hub, seen.user),
        (row) => isHeld(row, { phase, holder, until }) || (isHeld(row, seen) && hasNotArrived(row, seen)),
        (row) => {
          if (seen.phase === "online") row.gone = seen.arrival;
          Object.assign(row, { phase, holder, until });
        },
      );
      return row === undefined ? undefined : toState(row);
    },
    settleUser: (claimed) =>
      access("settleUser", rowKeys.user(claimed.hub, claimed.user), () => {
        const name = rowKeys.user(claimed.hub, claimed.user);
        const row = rows.get(name) as Mutable<UserRow> | undefined;
        if (row === undefined || !isHeld(row, claimed)) return false;
        if (claimed.phase === "leaving") return row.arrival === row.gone && rows.delete(name);
        Object.assign(row, { phase: "online", until: 0 });
        return true;
      }),
    async *dueUsers(hub, now) {
      const prefix = key("user", hub);
      const users = await access("dueUsers", prefix, () => ofKind<UserRow>(rows, prefix).map(toState));
      const isDue = ({ until, checkAt }: UserState) => (until === 0 ? checkAt < now : until < now);
      yield { users: users.filter(isDue), total: users.length };
    },
  };
}

function isHeld(row: UserRow, { phase, holder, until }: Pick<UserState, "phase" | "holder" | "until">): boolean {
  return row.phase === phase && row.holder === holder && row.until === until;
}

function hasNotArrived(row: UserRow, seen: UserState): boolean {
  return seen.phase !== "online" || row.arrival === seen.arrival;
}

function toState({ gone: _, ...state }: UserRow): UserState {
  return state;
}
