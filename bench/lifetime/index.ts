// The section "lifetime": how soon a lost client is noticed, how soon one that comes back is through, and what watching
// over all of them takes.

import { table } from "../table.ts";
import { measureResumes } from "./resumes.ts";
import { measureSilences, SEED } from "./silences.ts";
import { measureSweeps } from "./sweeps.ts";

/** Idle connections, ascending. */
const CROWDS = [1_000, 10_000, 100_000];

export async function lifetime(): Promise<string> {
  const silences = await measureSilences();
  const resumes = await measureResumes();
  const sweeps = await measureSweeps(CROWDS);
  return [
    `Seconds of simulated time until onDisconnected; seed ${SEED}.`,
    "",
    table(
      ["", "clients", "least", "median", "99 %", "most", "bound", "later"],
      silences.map(({ name, times, bound }) => [
        name,
        String(times.length),
        ...[0, 0.5, 0.99, 1].map((part) => seconds(quantile(times, part))),
        seconds(bound),
        String(times.filter((time) => time > bound).length),
      ]),
    ),
    "",
    table(
      ["calls in sequence", "negotiate", "connect", "to the answer", "together", "client's round trips"],
      resumes.map(({ name, negotiate, connect, answer, roundTrips }) => [
        name,
        ...[negotiate, connect, answer, negotiate + connect + answer, roundTrips].map(String),
      ]),
    ),
    "",
    table(
      ["sweep tick over", "RRU / budget", "WRU", "calls in sequence", "CPU ms of the function"],
      sweeps.map(({ connections, bill, budget, cpu }) => [
        `${connections.toLocaleString("en-US")} idle connections`,
        `${bill.readUnits.toLocaleString("en-US")} / ${budget.toLocaleString("en-US")}`,
        String(bill.writeUnits),
        String(bill.callsInSequence),
        cpu.toFixed(1),
      ]),
    ),
  ].join("\n");
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1_000).toFixed(1);
}

/** The value that this part of all are not above. */
function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}
