// What each operation of the budget takes.

import { forEachLimit } from "../../lambdas/hub/index.ts";
import { measureHttpOperations } from "./http-operations.ts";
import {
  CLOSE,
  connect,
  GROUP,
  invocation,
  negotiate,
  openClient,
  openMeteredHub,
  PING,
  USER,
  whileHeld,
} from "./metered-hub.ts";
import { beyond, LOST, NORMAL, type Operation } from "./operation.ts";
import { measurePresenceOperations } from "./presence-operations.ts";
import { measureResumableOperations } from "./resumable-operations.ts";
import type { SimulatedCloud, SimulatedTransport } from "./simulated-cloud.ts";
import { measureWorkOperations } from "./work-operations.ts";

const CLIENTS: readonly { readonly who: string; readonly user?: string }[] = [
  { who: "anonymous" },
  { who: "with a user", user: USER },
];
const CONNECTS_AT_ONCE = 16;

/** @param crowds how many connections to send to and to sweep over, ascending. */
export async function measureOperations(crowds: readonly number[]): Promise<Operation[]> {
  const cloud = await openMeteredHub();
  try {
    return [
      ...(await openings(cloud)),
      ...(await frames(cloud)),
      ...(await endings(cloud)),
      ...(await measureResumableOperations()),
      ...(await measurePresenceOperations()),
      ...(await measureWorkOperations()),
      ...(await measureHttpOperations()),
      await sweep(cloud, 0),
      ...(await crowded(cloud, crowds)),
    ];
  } finally {
    await cloud.close();
  }
}

async function openings(cloud: SimulatedCloud): Promise<Operation[]> {
  const { bill } = await cloud.meter.record(() => negotiate(cloud, { user: USER }));
  const operations: Operation[] = [
    { name: "negotiate", measured: bill, budget: { writeUnits: 0, readUnits: 0, callsInSequence: 0 } },
  ];
  for (const { who, user } of CLIENTS) {
    const { connectionToken } = await negotiate(cloud, { user });
    const { bill, result: client } = await cloud.meter.record(() => connect(cloud, connectionToken, { user }));
    const budget = { writeUnits: user === undefined ? 6 : 7, readUnits: 2 };
    operations.push({ name: `connect to connected, ${who}`, measured: bill, budget });
    await client.disconnect(LOST);
  }
  return operations;
}

async function frames(cloud: SimulatedCloud): Promise<Operation[]> {
  const client = await openClient(cloud);
  const measure = async (action: () => Promise<void>) => (await cloud.meter.record(action)).bill;
  const ping = await measure(() => client.send(PING));
  const echo = await measure(() => client.send(invocation("echo", "hello")));
  const waiting = await measure(() =>
    whileHeld(client, invocation("hold"), () => client.send(invocation("echo", "hello"))),
  );
  const join = await measure(() => client.send(invocation("join", GROUP)));
  await client.disconnect(LOST);
  return [
    { name: "ping", measured: ping, budget: { writeUnits: 1, readUnits: 0, callsInSequence: 1 } },
    {
      name: "invocation with a result",
      measured: echo,
      budget: { writeUnits: 2, readUnits: 1, callsInSequence: 2 },
    },
    {
      name: "a frame that waits its turn (1)",
      measured: beyond(echo, waiting),
      budget: { writeUnits: 4, readUnits: 2 },
    },
    { name: "join a group (1)", measured: beyond(echo, join), budget: { writeUnits: 2, readUnits: 1 } },
  ];
}

async function endings(cloud: SimulatedCloud): Promise<Operation[]> {
  const operations: Operation[] = [];
  for (const { who, user } of CLIENTS) {
    for (const groups of [0, 3]) {
      const budget = { writeUnits: 6 + 2 * groups, readUnits: 2 };
      const name = `${who}, in ${groups} groups`;
      const lost = await openMember(cloud, groups, user);
      const loss = await cloud.meter.record(() => lost.disconnect(LOST));
      operations.push({ name: `transport lost, ${name}`, measured: loss.bill, budget });
      const stopped = await openMember(cloud, groups, user);
      const stop = await cloud.meter.record(async () => {
        await stopped.send(CLOSE);
        await stopped.disconnect(NORMAL);
      });
      operations.push({ name: `client stops (2), ${name}`, measured: stop.bill, budget });
    }
  }
  return operations;
}

async function openMember(cloud: SimulatedCloud, groups: number, user?: string): Promise<SimulatedTransport> {
  const client = await openClient(cloud, { user });
  for (let index = 0; index < groups; index++) await client.send(invocation("join", `${GROUP}-${index}`));
  return client;
}

/** Everybody is a member of the hub and of one group. */
async function crowded(cloud: SimulatedCloud, crowds: readonly number[]): Promise<Operation[]> {
  const operations: Operation[] = [];
  const sender = await openClient(cloud);
  await sender.send(invocation("join", GROUP));
  let size = 1;
  const echo = await cloud.meter.record(() => sender.send(invocation("echo", "hello")));
  for (const members of crowds) {
    await forEachLimit(Array(members - size).fill(undefined), CONNECTS_AT_ONCE, async () => {
      const client = await openClient(cloud);
      await client.send(invocation("join", GROUP));
    });
    size = members;
    for (const [target, audience] of [
      ["toGroup", "a group"],
      ["toAll", "all"],
    ] as const) {
      const send = await cloud.meter.record(() => sender.send(invocation(target, "hello")));
      operations.push({
        name: `send to ${audience}, ${members} members (1)`,
        measured: beyond(echo.bill, send.bill),
        budget: { writeUnits: 0, readUnits: members / 25 },
      });
    }
    operations.push(await sweep(cloud, members));
  }
  return operations;
}

async function sweep(cloud: SimulatedCloud, connections: number): Promise<Operation> {
  const { bill } = await cloud.meter.record(() => cloud.sweepOnce());
  const budget = { readUnits: connections / 20 + 8 };
  return { name: `sweep tick, ${connections} idle connections (3)`, measured: bill, budget };
}
