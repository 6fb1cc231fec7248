// The transport row: phase, deadline, turn and end of a connection, each moved by one conditional write. No write is
// unconditional: that would bring back a row that has been deleted.

import type { EndClaim, EndFrom, Phase, Receipt, Store, Tally, TransportState, Trim, Turn } from "../hub/index.ts";
import { isSilent, MOST_RECEIPTS } from "../hub/index.ts";
import { keys, transportPartitions } from "./table.ts";
import type { Row, TableClient, Values } from "./table-client.ts";

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

/** Nobody has asked for the end, and no other transport has taken over; a claimed ending always has a reason. */
export const LIVES = "attribute_exists(#pk) AND attribute_not_exists(#end) AND attribute_not_exists(#next)";
export const HEARD = "#previous = #deadline, #deadline = :deadline";
export const TAKES_TURN =
  "#holder = if_not_exists(#holder, :holder), #until = if_not_exists(#until, :until), " +
  "#invocations = if_not_exists(#invocations, :invocations)";
const FREES_TURN = "REMOVE #holder, #until, #invocations, #waiting";

export function transportRows(table: TableClient): TransportVerbs {
  const update = async (transportId: string, change: string, condition: string, values: Values) => {
    const row = await table.update(keys.transport(transportId), change, condition, values);
    return row === undefined ? undefined : toState(row);
  };

  return {
    touch: (id, deadline, receipts = []) =>
      update(id, `SET ${HEARD}${counts(receipts)}`, `${LIVES} AND ${isPlain(receipts)}`, {
        ":deadline": deadline,
        ...countValues(receipts),
      }),
    take: (id, deadline, turn, receipts = []) =>
      update(id, `SET ${HEARD}, ${TAKES_TURN}${counts(receipts)}`, `${LIVES} AND ${isPlain(receipts)}`, {
        ":deadline": deadline,
        ...turnValues(turn),
        ...countValues(receipts),
      }),
    tally: (id, seen, { deadline, turn, received, recent, expected }) =>
      update(
        id,
        "SET #received = :received, #recent = :recent" +
          (expected.length > 0 ? ", #expected = :expected" : "") +
          (deadline === undefined ? "" : `, ${HEARD}`) +
          (turn === undefined ? "" : `, ${TAKES_TURN}`) +
          (expected.length > 0 ? "" : " REMOVE #expected"),
        `${LIVES} AND ${isAsSeen(seen)}`,
        {
          ":received": received,
          ":recent": recent.map(toText),
          ":seenReceived": seen.tally.received,
          ...(expected.length > 0 && { ":expected": expected.join(" ") }),
          ...(seen.tally.expected.length > 0 && { ":seenExpected": seen.tally.expected.join(" ") }),
          ...(deadline !== undefined && { ":deadline": deadline }),
          ...(turn !== undefined && turnValues(turn)),
        },
      ),
    async trim(id, trim) {
      const { condition, values } = trimming(trim);
      await update(id, "SET #acknowledged = :acknowledged, #recent = :rest", `${LIVES} AND ${condition}`, values);
    },
    count: (id) => update(id, "ADD #waiting :one", LIVES, { ":one": 1 }),
    async steal(id, turn, seen) {
      // The same theft made twice, as by a retry of the SDK, is one theft.
      const same = `#holder = :holder${seen === undefined ? "" : " OR #holder = :seen AND #until = :seenUntil"}`;
      const state = await update(
        id,
        "SET #holder = :holder, #until = :until, #invocations = :invocations",
        `${LIVES} AND (attribute_not_exists(#holder) OR ${same})`,
        { ...turnValues(turn), ...(seen !== undefined && { ":seen": seen.holder, ":seenUntil": seen.until }) },
      );
      return state !== undefined;
    },
    async release(id, holder, seen, open, tally) {
      const none = seen === 0 ? " OR attribute_not_exists(#waiting)" : "";
      const mine = `#holder = :holder AND (#waiting = :seen${none}) AND attribute_not_exists(#next)`;
      const isNoted = tally !== undefined && tally !== "forget";
      const sets = [...(open ? ["#phase = :open"] : []), ...(isNoted ? ["#acknowledged = :acknowledged"] : [])];
      const change = `${sets.length > 0 ? `SET ${sets.join(", ")} ` : ""}${FREES_TURN}`;
      const state = await update(
        id,
        tally === "forget" ? `${change}, #recent` : change,
        open ? `${mine} AND #phase = :accepted AND ${LIVES}` : mine,
        {
          ":holder": holder,
          ":seen": seen,
          ...(open && phases("open", "accepted")),
          ...(isNoted && { ":acknowledged": tally.acknowledged }),
        },
      );
      return state !== undefined;
    },
    async open(id, holder) {
      // Open already is as good: a retry of the SDK finds its own work.
      const values = { ":holder": holder, ...phases("open") };
      return (await update(id, "SET #phase = :open", `#holder = :holder AND ${LIVES}`, values)) !== undefined;
    },
    async speak(id, protocol) {
      await update(id, "SET #protocol = :protocol", LIVES, { ":protocol": protocol });
    },
    async note(id, holder, invocations) {
      const state = await update(
        id,
        "SET #invocations = :invocations",
        "#holder = :holder AND attribute_not_exists(#next)",
        { ":holder": holder, ":invocations": notesToJson(invocations) },
      );
      return state !== undefined;
    },
    async abandon(id, holder) {
      // Its own frame has been run and answered; only what waits is left.
      const values = { ":never": 0, ":none": notesToJson([]), ":holder": holder };
      await update(id, "SET #until = :never, #invocations = :none", "#holder = :holder", values);
    },
    renewAuthentication: (id, until) =>
      until === undefined
        ? update(id, "REMOVE #authUntil", LIVES, {})
        : update(id, "SET #authUntil = :until", LIVES, { ":until": until }),
    async transport(id) {
      const row = await table.get(keys.transport(id));
      return row === undefined ? undefined : toState(row);
    },
    markEnd: (id, reason, deadline) =>
      // The same mark made twice, as by a retry of the SDK, is one mark.
      update(id, "SET #end = :end, #deadline = :deadline", `${LIVES} OR #end = :end AND #deadline = :deadline`, {
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
    `attribute_exists(#pk) AND attribute_not_exists(#next) AND (${condition} OR #ender = :ender)`,
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
  const stranded = "attribute_exists(#waiting) AND attribute_not_exists(#holder)";
  const filter = `#deadline < :now OR #until < :now OR #rotateAt < :now OR #authUntil < :now OR ${stranded}`;
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

export function turnValues(turn: Turn): Values {
  return {
    ":holder": turn.holder,
    ":until": turn.until,
    ":invocations": notesToJson(turn.invocations),
  };
}

/** Messages are counted where they arrive, unless they could have come before. */
function counts(receipts: readonly Receipt[]): string {
  if (receipts.length === 0) return "";
  return ", #received = if_not_exists(#received, :zero) + :count, #recent = list_append(if_not_exists(#recent, :none), :receipts)";
}

function countValues(receipts: readonly Receipt[]): Values {
  if (receipts.length === 0) return {};
  const texts = receipts.map(toText);
  return {
    ":zero": 0,
    ":none": [],
    ":count": texts.length,
    ":receipts": texts,
    ":first": texts[0],
    ":most": MOST_RECEIPTS,
  };
}

function isPlain(receipts: readonly Receipt[]): string {
  const present = "attribute_not_exists(#lost) AND attribute_not_exists(#resuming)";
  if (receipts.length === 0) return present;
  return (
    `${present} AND attribute_not_exists(#expected) AND ` +
    "(attribute_not_exists(#recent) OR size(#recent) < :most AND NOT contains(#recent, :first))"
  );
}

function isAsSeen({ tally, lost, resuming }: TransportState): string {
  const none = tally.received === 0 ? " OR attribute_not_exists(#received)" : "";
  return [
    `(#received = :seenReceived${none})`,
    tally.expected.length > 0 ? "#expected = :seenExpected" : "attribute_not_exists(#expected)",
    lost ? "attribute_exists(#lost)" : "attribute_not_exists(#lost)",
    resuming ? "attribute_exists(#resuming)" : "attribute_not_exists(#resuming)",
  ].join(" AND ");
}

/** Only what is as it was seen is forgotten: the count tells of every message that came since, the size of every trim. */
function trimming({ seen, acknowledged, drop }: Trim): { readonly condition: string; readonly values: Values } {
  const none = seen.recent.length === 0 ? " OR attribute_not_exists(#recent)" : "";
  return {
    condition:
      `#received = :trimmed AND (size(#recent) = :size${none}) AND ` +
      "(attribute_not_exists(#acknowledged) OR #acknowledged <= :acknowledged)",
    values: {
      ":acknowledged": acknowledged,
      ":trimmed": seen.received,
      ":size": seen.recent.length,
      ":rest": seen.recent.slice(drop).map(toText),
    },
  };
}

/** As short as may be: the sweeper reads it all. */
function toText({ fingerprint, receivedAt, frame }: Receipt): string {
  return `${fingerprint} ${receivedAt.toString(36)} ${frame}`;
}

function toReceipt(text: unknown): Receipt {
  const [fingerprint = "", receivedAt = "", frame = ""] = String(text).split(" ");
  return { fingerprint, receivedAt: Number.parseInt(receivedAt, 36), frame };
}

export function tallyToRow({ received, acknowledged, recent, expected }: Tally): Row {
  return {
    received: received === 0 ? undefined : received,
    acknowledged: acknowledged === 0 ? undefined : acknowledged,
    recent: recent.length === 0 ? undefined : recent.map(toText),
    expected: expected.length === 0 ? undefined : expected.join(" "),
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
    authenticatedUntil: row.authUntil === undefined ? undefined : Number(row.authUntil),
    turn,
    waiting: Number(row.waiting ?? 0),
    end: row.end === undefined ? undefined : JSON.parse(String(row.end)),
    ender: row.ender === undefined ? undefined : String(row.ender),
    resumable: row.resumable === true,
    lost: row.lost === true,
    left: row.left === true,
    resuming: row.resuming === true,
    next: row.next === undefined ? undefined : String(row.next),
    stateful: row.stateful === true,
    protocol: row.protocol === undefined ? undefined : String(row.protocol),
    handshakes: Number(row.handshakes ?? 1),
    tally: {
      received: Number(row.received ?? 0),
      acknowledged: Number(row.acknowledged ?? 0),
      recent: ((row.recent ?? []) as readonly unknown[]).map(toReceipt),
      expected: row.expected === undefined ? [] : String(row.expected).split(" "),
      quietUntil: Number(row.quietUntil ?? 0),
    },
    base: Number(row.base ?? 0),
    replay: { after: Number(row.replayAfter ?? 0), upTo: Number(row.replayUpTo ?? 0) },
  };
}

/** Turn and waiting count, as they go over to the next transport. Only a stateful client waits for completions still. */
export function turnToRow({ turn, waiting, stateful }: TransportState): Row {
  const count = waiting === 0 ? undefined : waiting;
  if (turn === undefined) return { waiting: count };
  const invocations = notesToJson(stateful ? turn.invocations : []);
  return { holder: turn.holder, until: turn.until, invocations, waiting: count };
}

function notesToJson(notes: Turn["invocations"]): string {
  return JSON.stringify(notes.map(({ id, target }) => [id, target]));
}

function toNotes(json: unknown): Turn["invocations"] {
  const notes = JSON.parse(String(json ?? "[]")) as readonly (readonly [string, string])[];
  return notes.map(([id, target]) => ({ id, target }));
}
