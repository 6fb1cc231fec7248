// How large the rows are that are read by the thousand: by the sweeper, and by sends.

import { itemSize } from "./item-size.ts";
import { GROUP, invocation, openClient, openMeteredHub, openTellingHub, PING, USER, whileHeld } from "./metered-hub.ts";
import type { SimulatedCloud } from "./simulated-cloud.ts";

export interface RowSize {
  readonly name: string;
  readonly bytes: number;
  readonly budget: number;
}

const TRANSPORT_ROW = 400;
const MEMBERSHIP_ROW = 160;
const USER_ROW = 200;

export async function measureRowSizes(): Promise<RowSize[]> {
  const cloud = await openMeteredHub();
  try {
    const client = await openClient(cloud, { user: USER });
    await client.send(invocation("join", GROUP));
    await client.send(PING);
    const rows: RowSize[] = [];
    const measure = async (name: string, kind: string, budget: number) => {
      rows.push({ name, bytes: await largest(cloud, kind), budget });
    };
    await measure("transport, idle", "T#", TRANSPORT_ROW);
    await whileHeld(client, invocation("hold"), () => measure("transport, running an invocation", "T#", TRANSPORT_ROW));
    const many = invocation("hold") + invocation("e").repeat(200);
    await whileHeld(client, many, () => measure("transport, running a frame of 200 short ones", "T#", TRANSPORT_ROW));
    await measure("membership of the hub", "H#", MEMBERSHIP_ROW);
    await measure("membership of a user", "U#", MEMBERSHIP_ROW);
    await measure("membership of a group", "G#", MEMBERSHIP_ROW);
    rows.push({ name: "user who is told of", bytes: await userRow(), budget: USER_ROW });
    for (const [name, pause, count] of [
      ["one invocation a second", 1_000, 30],
      ["ten invocations a second", 100, 60],
    ] as const) {
      rows.push({ name: `transport, stateful, ${name}`, bytes: await busiest(pause, count), budget: TRANSPORT_ROW });
    }
    return rows;
  } finally {
    await cloud.close();
  }
}

async function userRow(): Promise<number> {
  const cloud = await openTellingHub();
  try {
    await openClient(cloud, { user: USER });
    return await largest(cloud, "P#");
  } finally {
    await cloud.close();
  }
}

/** The largest that the row of a stateful client becomes that keeps sending. @param pause milliseconds. */
async function busiest(pause: number, count: number): Promise<number> {
  const cloud = await openMeteredHub();
  try {
    const { clock } = cloud;
    const client = await openClient(cloud, { stateful: true });
    let bytes = 0;
    const functions: Promise<void>[] = [];
    for (let index = 0; index < count; index++) {
      functions.push(client.send(invocation("echo", "hello")));
      await clock.pass(pause);
      bytes = Math.max(bytes, await largest(cloud, "T#"));
    }
    await clock.during(Promise.all(functions));
    return bytes;
  } finally {
    await cloud.close();
  }
}

async function largest(cloud: SimulatedCloud, kind: string): Promise<number> {
  return Math.max(...(await cloud.rows(kind)).map(itemSize));
}
