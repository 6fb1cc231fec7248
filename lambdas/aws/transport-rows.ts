// The transport row: phase, deadline, turn and end of a connection, each moved by one conditional write. No write is
// unconditional: that would bring back a row that has been deleted.

import type { EndClaim, EndFrom, Phase, Store, TransportState, Turn } from "../hub/index.ts";
import { isSilent } from "../hub/index.ts";
import { keys, transportPartitions } from "./table.ts";
import type { Row, TableClient, Values } from "./table-client.ts";

type TransportVerbs = Pick<
  Store,
  | "touch"
  | "take"
  | "count"
  | "steal"
  | "release"
  | "open"
  | "abandon"
  | "transport"
  | "markEnd"
  | "markLost"
  | "claimEnd"
  | "dropTransport"
  | "due"
>;

/** Nobody has asked for the end, and no other transport has taken over; a claimed ending always has a reason. */
export const LIVES = "attribute_exists(#pk) AND attribute_not_exists(#end) AND attribute_not_exists(#next)";
const FREES_TURN = "REMOVE #holder, #until, #invocations, #waiting";

export function transportRows(table: TableClient): TransportVerbs {
  const update = async (transportId: string, change: string, condition: string, values: Values) => {
    const row = await table.update(keys.transport(transportId), change, condition, values);
    return row === undefined ? undefined : toState(row);
  };

  return {
    touch: (id, deadline) =>
      update(id, "SET #previous = #deadline, #deadline = :deadline REMOVE #lost", LIVES, { ":deadline": deadline }),
    take: (id, deadline, turn) =>
      update(
        id,
        "SET #previous = #deadline, #deadline = :deadline, #holder = if_not_exists(#holder, :holder), " +
          "#until = if_not_exists(#until, :until), #invocations = if_not_exists(#invocations, :invocations) REMOVE #lost",
        LIVES,
        { ":deadline": deadline, ...turnValues(turn) },
      ),
    count: (id) => update(id, "ADD #waiting :one", LIVES, { ":one": 1 }),
    async steal(id, turn, seen) {
      // The same theft made twice, as by a retry of the SDK, is one theft.
      const same = `#holder = :holder${seen === undefined ? "" : " OR (#holder = :seen AND #until = :seenUntil)"}`;
      const state = await update(
        id,
        "SET #holder = :holder, #until = :until, #invocations = :invocations",
        `${LIVES} AND (attribute_not_exists(#holder) OR ${same})`,
        { ...turnValues(turn), ...(seen !== undefined && { ":seen": seen.holder, ":seenUntil": seen.until }) },
      );
      return state !== undefined;
    },
    async release(id, holder, seen, open) {
      const none = seen === 0 ? " OR attribute_not_exists(#waiting)" : "";
      const mine = `#holder = :holder AND (#waiting = :seen${none}) AND attribute_not_exists(#next)`;
      const values = { ":holder": holder, ":seen": seen };
      const state = open
        ? await update(id, `SET #phase = :open ${FREES_TURN}`, `${mine} AND #phase = :accepted AND ${LIVES}`, {
            ...values,
            ...phases("open", "accepted"),
          })
        : await update(id, FREES_TURN, mine, values);
      return state !== undefined;
    },
    async open(id, holder) {
      // Open already is as good: a retry of the SDK finds its own work.
      const values = { ":holder": holder, ...phases("open") };
      return (await update(id, "SET #phase = :open", `#holder = :holder AND ${LIVES}`, values)) !== undefined;
    },
    async abandon(id, holder) {
      // Its own frame has been run and answered; only what waits is left.
      const change = "SET #until = :never REMOVE #invocations";
      await update(id, change, "#holder = :holder", { ":never": 0, ":holder": holder });
    },
    async transport(id) {
      const row = await table.get(keys.transport(id));
      return row === undefined ? undefined : toState(row);
    },
    markEnd: (id, reason, deadline) =>
      // The same mark made twice, as by a retry of the SDK, is one mark.
      update(id, "SET #end = :end, #deadline = :deadline", `${LIVES} OR (#end = :end AND #deadline = :deadline)`, {
        ":end": JSON.stringify(reason),
        ":deadline": deadline,
      }),
    async markLost(id) {
      await update(id, "SET #deadline = :now", LIVES, { ":now": 0 });
    },
    claimEnd: (claim) => claimEnd(update, claim),
    async dropTransport(id, ender) {
      await table.delete(keys.transport(id), "#ender = :ender", { ":ender": ender });
    },
    due: (now) => due(table, now),
  };
}

type Update = (id: string, change: string, condition: string, values: Values) => Promise<TransportState | undefined>;

/** The same claim made twice, as by a retry of the SDK, is one claim. */
function claimEnd(
  update: Update,
  { transportId, from, ender, until, reason }: EndClaim,
): Promise<TransportState | undefined> {
  const { condition, values } = stillAs(from);
  const end = isSilent(reason) ? ":reason" : "if_not_exists(#end, :reason)";
  return update(
    transportId,
    `SET #phase = :ended, #ender = :ender, #deadline = :lease, #end = ${end}`,
    `attribute_exists(#pk) AND attribute_not_exists(#next) AND ((${condition}) OR #ender = :ender)`,
    { ...phases("ended"), ":ender": ender, ":lease": until, ":reason": JSON.stringify(reason), ...values },
  );
}

function stillAs(from: EndFrom): { readonly condition: string; readonly values: Values } {
  switch (from.phase) {
    case "open": {
      const unmoved = from.deadline === undefined ? "" : " AND #deadline = :deadline";
      const deadline = from.deadline === undefined ? {} : { ":deadline": from.deadline };
      return { condition: `#phase = :open${unmoved}`, values: { ...phases("open"), ...deadline } };
    }
    case "accepted": {
      const turn = from.turn === undefined ? "attribute_not_exists(#holder)" : "#holder = :holder AND #until = :until";
      const values = from.turn === undefined ? {} : { ":holder": from.turn.holder, ":until": from.turn.until };
      return { condition: `#phase = :accepted AND ${turn}`, values: { ...phases("accepted"), ...values } };
    }
    case "ended":
      return {
        condition: "#phase = :ended AND #ender = :seen AND #deadline = :deadline",
        values: { ":seen": from.ender ?? "", ":deadline": from.deadline },
      };
  }
}

/** Reads eventually: whatever is done about a row is conditional on it anyway. */
async function* due(table: TableClient, now: number): AsyncGenerator<{ transports: TransportState[]; total: number }> {
  // A frame was counted, and its function died before it took the free turn.
  const stranded = "(attribute_exists(#waiting) AND attribute_not_exists(#holder))";
  const filter = `#deadline < :now OR #until < :now OR #rotateAt < :now OR ${stranded}`;
  const partitions = transportPartitions.map((pk) =>
    table.query(pk, { filter, values: { ":now": now }, consistent: false }),
  );
  for (const partition of partitions) {
    for await (const page of partition) yield { transports: page.rows.map(toState), total: page.scanned };
  }
}

function phases(...names: readonly Phase[]): Values {
  return Object.fromEntries(names.map((name) => [`:${name}`, name]));
}

function turnValues(turn: Turn): Values {
  return {
    ":holder": turn.holder,
    ":until": turn.until,
    ":invocations": notesToJson(turn.invocations),
  };
}

export function toState(row: Row): TransportState {
  const turn: Turn | undefined =
    row.holder === undefined
      ? undefined
      : { holder: String(row.holder), until: Number(row.until), invocations: toNotes(row.invocations) };
  return {
    transportId: String(row.sk),
    connectionId: String(row.connection),
    hub: String(row.hub),
    phase: row.phase as Phase,
    deadline: Number(row.deadline),
    previousDeadline: Number(row.previous ?? row.deadline),
    rotateAt: Number(row.rotateAt),
    turn,
    waiting: Number(row.waiting ?? 0),
    end: row.end === undefined ? undefined : JSON.parse(String(row.end)),
    ender: row.ender === undefined ? undefined : String(row.ender),
    resumable: row.resumable === true,
    lost: row.lost === true,
    resuming: row.resuming === true,
    next: row.next === undefined ? undefined : String(row.next),
  };
}

/** Turn and waiting count, as they go over to the next transport: nobody waits for the old one's completions. */
export function turnToRow({ turn, waiting }: TransportState): Row {
  const count = waiting === 0 ? undefined : waiting;
  if (turn === undefined) return { waiting: count };
  return { holder: turn.holder, until: turn.until, invocations: notesToJson([]), waiting: count };
}

function notesToJson(notes: Turn["invocations"]): string {
  return JSON.stringify(notes.map(({ id, target }) => [id, target]));
}

function toNotes(json: unknown): Turn["invocations"] {
  const notes = JSON.parse(String(json ?? "[]")) as readonly (readonly [string, string])[];
  return notes.map(([id, target]) => ({ id, target }));
}
