// The section "units": what operations and rows take, beside what they may take.

import { table } from "../table.ts";
import { isOver } from "./budget.ts";
import { measureOperations } from "./operations.ts";
import { measureRowSizes } from "./row-sizes.ts";

/** Members of what is sent to, and connections that are swept over. */
const CROWDS = [25, 100, 1000];

export async function units(): Promise<string> {
  const operations = await measureOperations(CROWDS);
  const rows = await measureRowSizes();
  return [
    "Measured / budget; **over** where it is exceeded, – where there is none.",
    "",
    table(
      ["operation", "WRU", "RRU", "calls in sequence"],
      operations.map(({ name, measured, budget }) => [
        name,
        beside(measured.writeUnits, budget.writeUnits),
        beside(measured.readUnits, budget.readUnits),
        beside(measured.callsInSequence, budget.callsInSequence),
      ]),
    ),
    "",
    ...NOTES,
    "",
    table(
      ["row", "bytes"],
      rows.map(({ name, bytes, budget }) => [name, beside(bytes, budget)]),
    ),
  ].join("\n");
}

const NOTES = [
  "1. What it adds to the invocation that it is part of, or waits for. A send posts to 64 members at once.",
  "2. Its Close frame, and the `$disconnect` that follows.",
  "3. Its start, one tick and, without connections, its end.",
  "4. Beyond the same to a client without stateful reconnect.",
  "5. It waits three seconds for what may be on its way still, and then acknowledges.",
  "6. From negotiate to `onReconnected`.",
  "7. What it adds to the tick. The resume or the new connection that follows is billed for itself.",
  "8. What `onUserOnline` and `onUserOffline` add, both of which do nothing.",
  "9. From its invocation to the end of its worker. An item of an upload has a frame of its own.",
  "10. Without looks in vain: while nothing is there a poll looks every 20 to 250 ms, one read each.",
  "11. What it adds to a second without one. The client's own requests are not in it.",
];

function beside(measured: number | undefined, budget: number | undefined): string {
  if (measured === undefined) return "–";
  return `${measured} / ${budget ?? "–"}${isOver(measured, budget) ? " **over**" : ""}`;
}
