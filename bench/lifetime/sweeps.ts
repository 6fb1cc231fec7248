// What one tick of the sweeper takes over idle connections.

import { median } from "../median.ts";
import type { Item } from "../units/item-size.ts";
import type { Bill } from "../units/meter.ts";
import { openClient, openMeteredHub } from "../units/metered-hub.ts";
import { recordAnswers } from "./recorded-answers.ts";

export interface SweptCrowd {
  readonly connections: number;
  readonly bill: Bill;
  /** Read units that it may take. */
  readonly budget: number;
  /** Of the function: what the table takes is AWS's. Milliseconds. */
  readonly cpu: number;
}

const ROUNDS = 7;
const SWEEPS = 20;
const TRANSPORT_SHARDS = 16;

/** @param crowds how many connections, ascending. */
export async function measureSweeps(crowds: readonly number[]): Promise<SweptCrowd[]> {
  const cloud = await openMeteredHub();
  try {
    await openClient(cloud);
    const [idle] = await cloud.rows("T#");
    if (idle === undefined) throw new Error("There is no connection to make others like.");
    const swept: SweptCrowd[] = [];
    let size = 1;
    for (const connections of crowds) {
      await cloud.fill(range(size, connections).map((index) => like(idle, index)));
      size = connections;
      const { bill } = await cloud.meter.record(() => cloud.sweepOnce());
      const { record, replay } = recordAnswers(cloud.requestHandler);
      await cloud.sweeper(record)();
      const cpu = await cpuOf(cloud.sweeper(replay));
      swept.push({ connections, bill, budget: connections / 20 + 8, cpu });
    }
    return swept;
  } finally {
    await cloud.close();
  }
}

/** Another connection's transport row, of the same size. */
function like(row: Item, index: number): Item {
  const id = String(index).padStart(15, "0");
  return {
    ...row,
    pk: { S: `T#${index % TRANSPORT_SHARDS}` },
    sk: { S: `${id}=` },
    connection: { S: id.padStart(22, "0") },
  };
}

async function cpuOf(sweep: () => Promise<void>): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let index = 0; index < SWEEPS; index++) await sweep();
    const { user, system } = process.cpuUsage(before);
    rounds.push((user + system) / 1_000 / SWEEPS);
  }
  return median(rounds);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
