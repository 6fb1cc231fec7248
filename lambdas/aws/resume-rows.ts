// One connection, moved from a transport to the next.
//
//   freeze old transport (next) → put new transport, session → point connection to it → delete old session
//                                                              ^ from here on the new one counts
//
// A crash before that leaves a frozen transport that thaws, and a new one that nobody points to; both have deadlines.

import type { Store, Takeover } from "../hub/index.ts";
import { fromSession, itemsOf, NEW, toConnection } from "./connection-rows.ts";
import { keys } from "./table.ts";
import type { Row, TableClient, Values } from "./table-client.ts";
import { HEARD, LIVES, TAKES_TURN, tallyToRow, toState, turnToRow, turnValues } from "./transport-rows.ts";

type ResumeVerbs = Pick<
  Store,
  "connectionOfKey" | "freeze" | "thaw" | "takeOver" | "reopen" | "lose" | "dropUnused" | "dropReplaced" | "yieldTurn"
>;

export function resumeRows(table: TableClient): ResumeVerbs {
  const update = async (transportId: string, change: string, condition: string, values: Values) => {
    const row = await table.update(keys.transport(transportId), change, condition, values);
    return row === undefined ? undefined : toState(row);
  };

  return {
    async connectionOfKey(resumeKey) {
      const row = await table.get(keys.resumeKey(resumeKey));
      return row === undefined ? undefined : String(row.connection);
    },
    freeze: (id, next, until, heardAfter) =>
      update(
        id,
        "SET #next = :next, #deadline = :until",
        // The same freeze made twice, as by a retry of the SDK, is one freeze.
        "attribute_exists(#pk) AND attribute_not_exists(#end) AND (attribute_not_exists(#next) OR #next = :next) " +
          "AND #phase = :open AND attribute_exists(#resumable)" +
          (heardAfter === undefined ? "" : ` AND attribute_not_exists(#left) AND (${IS_FRESH})`),
        {
          ":next": next,
          ":until": until,
          ":open": "open",
          ...(heardAfter !== undefined && { ":heardAfter": heardAfter }),
        },
      ),
    async thaw(id, next) {
      await update(id, "REMOVE #next", "#next = :next", { ":next": next });
    },
    takeOver: (takeover) => takeOver(table, takeover),
    reopen(id, by, turn, { deadline, quietUntil }) {
      const condition = `${LIVES} AND attribute_exists(#resuming) AND attribute_not_exists(#lost)`;
      if ("base" in by) {
        // Whoever holds the turn has nobody to answer any more.
        const takes = TAKES_TURN.replace("if_not_exists(#invocations, :invocations)", ":invocations");
        const change =
          "SET #handshakes = if_not_exists(#handshakes, :one) + :one, #base = :base, " +
          `#replayAfter = :base, #replayUpTo = :base, #quietUntil = :quietUntil, ${HEARD}, ${takes} ` +
          "REMOVE #resuming, #received, #acknowledged, #recent, #expected";
        return update(id, change, condition, {
          ":one": 1,
          ":base": by.base,
          ":quietUntil": quietUntil,
          ":deadline": deadline,
          ...turnValues(turn),
        });
      }
      const change = `SET ${TAKES_TURN}, #replayAfter = :after, #replayUpTo = :upTo, #quietUntil = :quietUntil, ${HEARD}`;
      const { after, upTo } = by.replay;
      const values = {
        ...turnValues(turn),
        ":after": after,
        ":upTo": upTo,
        ":quietUntil": quietUntil,
        ":deadline": deadline,
      };
      return by.expected.length === 0
        ? update(id, `${change} REMOVE #resuming, #recent, #expected`, condition, values)
        : update(id, `${change}, #expected = :expected REMOVE #resuming, #recent`, condition, {
            ...values,
            ":expected": by.expected.join(" "),
          });
    },
    lose: (id, deadline, left = false) =>
      update(
        id,
        `SET #lost = :true, #deadline = :deadline${left ? ", #left = :true" : ""}`,
        `${LIVES} AND #phase = :open AND attribute_not_exists(#lost)`,
        {
          ":true": true,
          ":deadline": deadline,
          ":open": "open",
        },
      ),
    async dropUnused(id) {
      await table.delete(keys.session(id));
      await table.delete(keys.transport(id), "attribute_exists(#resuming)");
    },
    async dropReplaced(id) {
      // A connect function may have died before it did this.
      await table.delete(keys.session(id));
      await table.delete(keys.transport(id), "attribute_exists(#next)");
    },
    async yieldTurn(id, holder) {
      // Reopened meanwhile, its handshake relies on the holder; taken over, the turn has gone along.
      const condition = "#holder = :holder AND attribute_exists(#resuming) AND attribute_not_exists(#next)";
      await update(id, "REMOVE #holder, #until, #invocations", condition, { ":holder": holder });
    },
  };
}

/** Or frozen by this very call, made twice as by a retry of the SDK. */
const IS_FRESH = "attribute_exists(#lost) OR #deadline > :heardAfter OR #next = :next";

async function takeOver(table: TableClient, takeover: Takeover): Promise<boolean> {
  const {
    from,
    transportId,
    deadline,
    rotateAt,
    session,
    now,
    stateful,
    issuedAt,
    authenticatedUntil: authUntil,
  } = takeover;
  const { connectionId, hub } = from;
  const transport = keys.transport(transportId);
  const row: Row = {
    connection: connectionId,
    hub,
    phase: "open",
    deadline,
    rotateAt,
    authUntil,
    resumable: true,
    resuming: true,
    stateful: stateful || undefined,
    protocol: from.protocol,
    handshakes: from.handshakes,
    base: from.base,
    replayAfter: from.replay.after,
    replayUpTo: from.replay.upTo,
  };
  await table.put(transport, { ...row, ...turnToRow(from), ...tallyToRow(from.tally) }, NEW);
  const before = itemsOf((await table.get(keys.session(from.transportId))) ?? {});
  await table.put(keys.session(transportId), { ...fromSession(session), ...before });
  // What was posted to a client that counts counts only when it has said so.
  const stopsCounting = from.stateful && !stateful;
  const sent = stopsCounting ? ", #sent = if_not_exists(#acknowledged, :none)" : "";
  const moved = await table.update(
    keys.connection(connectionId),
    `SET #transport = :new, #flusher = :new, #flushingSince = :now, #stateful = :stateful, #issuedAt = :issuedAt${sent} ` +
      "REMOVE #reader, #greeting, #greeted, #handed, #handedBytes, #closed",
    "attribute_exists(#pk) AND attribute_not_exists(#ended) AND (#transport = :old OR #transport = :new)",
    {
      ":new": transportId,
      ":old": from.transportId,
      ":now": now,
      ":stateful": stateful,
      ":issuedAt": issuedAt,
      ...(stopsCounting && { ":none": 0 }),
    },
  );
  if (moved === undefined) {
    if ((await table.delete(transport, "attribute_not_exists(#next)")) === undefined) return false;
    await table.delete(keys.session(transportId));
    return false;
  }
  await table
    .delete(keys.session(from.transportId))
    .then((last) => keepItems(table, transportId, before, itemsOf(last ?? {})));
  return toConnection(connectionId, moved).transportId === transportId;
}

/** What a method wrote between the copy and the delete. */
async function keepItems(table: TableClient, transportId: string, before: Row, after: Row): Promise<void> {
  const changed = Object.entries(after).filter(([name, value]) => before[name] !== value);
  const removed = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  if (changed.length === 0 && removed.length === 0) return;
  await table.amend(keys.session(transportId), Object.fromEntries(changed), removed);
}
