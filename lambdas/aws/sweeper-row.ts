// The sweeper's lease: one row, one generation at a time.

import type { Store, SweeperLease } from "../hub/index.ts";
import { keys } from "./table.ts";
import type { Row, TableClient } from "./table-client.ts";

export function sweeperRow(table: TableClient): Pick<Store, "beginSweep" | "keepSweeping"> {
  return {
    async beginSweep() {
      const row = await table.update(
        keys.sweeper,
        "SET #lastTick = if_not_exists(#lastTick, :zero), #notBefore = if_not_exists(#notBefore, :zero) ADD #generation :one",
        undefined,
        { ":zero": 0, ":one": 1 },
      );
      return toLease(row ?? {});
    },
    async keepSweeping(seen, next) {
      const row = await table.update(
        keys.sweeper,
        "SET #lastTick = :next, #notBefore = :notBefore",
        // The same tick written twice, as by a retry of the SDK, is one tick.
        "#generation = :generation AND (#lastTick = :seen OR #lastTick = :next)",
        {
          ":next": next.lastTick,
          ":notBefore": next.notBefore,
          ":generation": seen.generation,
          ":seen": seen.lastTick,
        },
      );
      return row !== undefined;
    },
  };
}

function toLease(row: Row): SweeperLease {
  return { generation: Number(row.generation), lastTick: Number(row.lastTick), notBefore: Number(row.notBefore) };
}
