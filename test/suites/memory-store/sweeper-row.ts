// The sweeper's lease.

import type { Store, SweeperLease } from "../../../lambdas/hub/index.ts";
import { rowKeys } from "./keys.ts";
import type { MemoryRows } from "./rows.ts";

type SweeperVerbs = Pick<Store, "beginSweep" | "keepSweeping">;

const NEVER_SWEPT: SweeperLease = { generation: 0, lastTick: 0, notBefore: 0 };

export function sweeperRow(table: MemoryRows): SweeperVerbs {
  const { access, rows, update } = table;

  return {
    beginSweep: () =>
      access("beginSweep", rowKeys.sweeper, () => {
        const last = (rows.get(rowKeys.sweeper) as SweeperLease | undefined) ?? NEVER_SWEPT;
        const lease = { ...last, generation: last.generation + 1 };
        rows.set(rowKeys.sweeper, lease as object);
        return { ...lease };
      }),
    async keepSweeping(seen, next) {
      const row = await update<SweeperLease>(
        "keepSweeping",
        rowKeys.sweeper,
        (row) => row.generation === seen.generation && [seen.lastTick, next.lastTick].includes(row.lastTick),
        (row) => {
          row.lastTick = next.lastTick;
          row.notBefore = next.notBefore;
        },
      );
      return row !== undefined;
    },
  };
}
