// What docs/operations.md says that each transport costs. It follows from units and prices, so it is the same in every
// run.

import { expect, it } from "vitest";
import { PACKED_AND_NOT } from "../../bench/transports/contestants.ts";
import { measurePayload } from "../../bench/transports/payload-usages.ts";
import { PAYLOADS } from "../../bench/transports/payloads.ts";
import { cost, times } from "../../bench/transports/prices.ts";
import { measureUsages } from "../../bench/transports/usages.ts";

const CONNECTION_HOURS = 1_000 * 730;
const MILLION = 1_000_000;
/** Both play dozens of requests. Milliseconds. */
const TIMEOUT = 60_000;

it(
  "is known of idle connections and of echoes",
  async () => {
    const usages = await measureUsages();
    const costs = Object.entries(usages).map(([name, { idleHour, echo }]) => [
      name,
      cost(times(CONNECTION_HOURS, idleHour)).toFixed(2),
      cost(times(MILLION, echo)).toFixed(2),
    ]);
    expect(costs).toEqual([
      ["WebSockets", "515.23", "3.63"],
      ["ServerSentEvents", "10490.73", "9.38"],
      ["LongPolling", "10449.85", "11.71"],
    ]);
  },
  TIMEOUT,
);

it(
  "is known of payloads",
  async () => {
    const costs: string[][] = [];
    for (const payload of PAYLOADS) {
      const own: string[] = [];
      for (const each of PACKED_AND_NOT) own.push(cost(times(MILLION, await measurePayload(each, payload))).toFixed(2));
      costs.push(own);
    }
    expect(costs).toEqual([
      ["1.00", "5.20", "5.20"],
      ["3.63", "15.46", "14.21"],
      ["3.63", "14.21", "14.21"],
    ]);
  },
  TIMEOUT,
);
