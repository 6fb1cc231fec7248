// The budget of request units and bytes. They are the same in every run; times are not, and are nobody's test.

import { expect, it } from "vitest";
import { isOver } from "../../bench/units/budget.ts";
import { measureOperations } from "../../bench/units/operations.ts";
import { measureRowSizes } from "../../bench/units/row-sizes.ts";

it("is kept by every operation but these", async () => {
  const operations = await measureOperations([25]);
  const over = operations.flatMap(({ name, measured, budget }) =>
    (["writeUnits", "readUnits", "callsInSequence"] as const)
      .filter((part) => isOver(measured[part], budget[part]))
      .map((part) => `${name}: ${measured[part]} ${part}, not ${budget[part]}`),
  );
  expect(over).toEqual([
    "a frame that waits its turn (1): 5 writeUnits, not 4",
    "a frame that waits its turn (1): 3 readUnits, not 2",
    "client stops (2), anonymous, in 0 groups: 3 readUnits, not 2",
    "client stops (2), anonymous, in 3 groups: 3 readUnits, not 2",
    "client stops (2), with a user, in 0 groups: 7 writeUnits, not 6",
    "client stops (2), with a user, in 0 groups: 3 readUnits, not 2",
    "client stops (2), with a user, in 3 groups: 13 writeUnits, not 12",
    "client stops (2), with a user, in 3 groups: 3 readUnits, not 2",
    "send to all, 25 members (1): 4 readUnits, not 1",
  ]);
});

it("is kept by every row", async () => {
  const rows = await measureRowSizes();
  const over = rows.filter(({ bytes, budget }) => isOver(bytes, budget));
  expect(over).toEqual([]);
});
