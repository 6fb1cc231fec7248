// What it takes to ask who is connected, and to be told that users come and go.

import type { Bill } from "./meter.ts";
import {
  connect,
  GROUP,
  invocation,
  negotiate,
  openClient,
  openMeteredHub,
  openTellingHub,
  USER,
} from "./metered-hub.ts";
import { beyond, LOST, type Operation } from "./operation.ts";
import type { SimulatedCloud } from "./simulated-cloud.ts";

const MEMBERS = 100;
const PAGE = 100;
/** Behind a grace of the hub's. Milliseconds. */
const GRACE = 11_000;

export async function measurePresenceOperations(): Promise<Operation[]> {
  return [...(await questions()), ...(await events())];
}

async function questions(): Promise<Operation[]> {
  const cloud = await openMeteredHub();
  try {
    const asker = await openClient(cloud, { user: USER });
    for (let members = 1; members < MEMBERS; members++) {
      await (await openClient(cloud)).send(invocation("join", GROUP));
    }
    await asker.send(invocation("join", GROUP));
    const { bill: echo } = await cloud.meter.record(() => asker.send(invocation("echo", "hello")));
    const operations: Operation[] = [];
    for (const [name, frame] of [
      [`a page of ${PAGE} of a group of ${MEMBERS}`, invocation("page", GROUP, PAGE)],
      [`a page of 10 of a group of ${MEMBERS}`, invocation("page", GROUP, 10)],
      [`a page of ${PAGE} of a hub of ${MEMBERS}`, invocation("page", "", PAGE)],
      [`count of a group of ${MEMBERS}`, invocation("count", GROUP)],
      [`count of a hub of ${MEMBERS}`, invocation("count", "")],
      ["whether a user is online", invocation("isOnline", USER)],
      ["the groups of another connection", invocation("groupsOf", asker.connectionId)],
    ] as const) {
      const { bill } = await cloud.meter.record(() => asker.send(frame));
      operations.push({ name: `${name} (1)`, measured: beyond(echo, bill), budget: { writeUnits: 0 } });
    }
    return operations;
  } finally {
    await cloud.close();
  }
}

/** Beside the same hub that tells nothing. */
async function events(): Promise<Operation[]> {
  const [plain, telling] = [await visit(await openMeteredHub()), await visit(await openTellingHub())];
  return plain.map(({ name, bill }, index) => ({
    name: `${name} (8)`,
    measured: beyond(bill, telling[index]?.bill ?? bill),
    budget: {},
  }));
}

/** Of a user with two tabs. */
async function visit(cloud: SimulatedCloud): Promise<readonly { readonly name: string; readonly bill: Bill }[]> {
  try {
    const open = async () => {
      const { connectionToken } = await negotiate(cloud, { user: USER });
      return cloud.meter.record(() => connect(cloud, connectionToken, { user: USER }));
    };
    const bystander = await openClient(cloud);
    const [first, second] = [await open(), await open()];
    const { bill: idle } = await cloud.meter.record(() => cloud.sweepOnce());
    const oneLeaves = await cloud.meter.record(() => first.result.disconnect(LOST));
    const lastLeaves = await cloud.meter.record(() => second.result.disconnect(LOST));
    await cloud.clock.pass(GRACE);
    const { bill: due } = await cloud.meter.record(() => cloud.sweepOnce());
    await bystander.disconnect(LOST);
    return [
      { name: "first connection of a user who is told of", bill: first.bill },
      { name: "another one", bill: second.bill },
      { name: "one of them ends", bill: oneLeaves.bill },
      { name: "the last one ends", bill: lastLeaves.bill },
      { name: "tick with one user online", bill: idle },
      { name: "tick in which a user is offline", bill: due },
    ];
  } finally {
    await cloud.close();
  }
}
