// What operations take with stateful reconnect and with resume keys.

import type { Bill } from "./meter.ts";
import {
  ack,
  CLOSE,
  connect,
  invocation,
  negotiate,
  type OpenClient,
  oneWay,
  openClient,
  openMeteredHub,
  openSocket,
  PING,
  sequence,
} from "./metered-hub.ts";
import { beyond, LOST, NORMAL, type Operation } from "./operation.ts";
import type { Client, SimulatedCloud } from "./simulated-cloud.ts";

const MESSAGES = 10;
const BUSY = 20;
const MANY = 200;
/** Behind it, a message is old enough to be acknowledged, and its client due for no ping. Milliseconds. */
const SETTLED = 4_000;
/** Behind it, a token is good for coming back only. Milliseconds. */
const LIVED = 30_000;
const UNTIL_ROTATION = 119 * 60_000;

const STATEFUL: Client = { stateful: true };
const KEY_LENGTH = 32;
let keys = 0;

/** A key that no other client has. */
function withKey(): Client {
  keys += 1;
  return { resumeKey: String(keys).padStart(KEY_LENGTH, "0") };
}

export async function measureResumableOperations(): Promise<Operation[]> {
  const cloud = await openMeteredHub();
  try {
    return [
      ...(await openings(cloud)),
      ...(await messagesOut(cloud)),
      ...(await messagesIn(cloud)),
      ...(await resumes(cloud)),
      ...(await endings(cloud)),
      ...(await rotations()),
    ];
  } finally {
    await cloud.close();
  }
}

async function measure(cloud: SimulatedCloud, action: () => Promise<unknown>): Promise<Bill> {
  return (await cloud.meter.record(() => cloud.clock.during(action()))).bill;
}

async function openings(cloud: SimulatedCloud): Promise<Operation[]> {
  const negotiation = await measure(cloud, () => negotiate(cloud, withKey()));
  const operations: Operation[] = [
    {
      name: "negotiate, with a resume key",
      measured: negotiation,
      budget: { writeUnits: 0, readUnits: 1, callsInSequence: 1 },
    },
  ];
  for (const [name, client, writeUnits] of [
    ["with a resume key", withKey(), 8],
    ["stateful", STATEFUL, 6],
    ["stateful, with a resume key", { ...STATEFUL, ...withKey() }, 8],
  ] as const) {
    const { connectionToken } = await negotiate(cloud, client);
    const bill = await measure(cloud, () => connect(cloud, connectionToken, client));
    operations.push({ name: `connect to connected, ${name}`, measured: bill, budget: { writeUnits, readUnits: 2 } });
  }
  return operations;
}

/** To a stateful client, beyond the same to one that is not. */
async function messagesOut(cloud: SimulatedCloud): Promise<Operation[]> {
  const plain = await openClient(cloud);
  const stateful = await openClient(cloud, STATEFUL);
  const senders: OpenClient[] = [];
  for (let index = 0; index < BUSY; index++) senders.push(await openClient(cloud));
  const compare = async (send: (id: string) => Promise<unknown>) => {
    const known = await measure(cloud, () => send(plain.connectionId));
    return beyond(known, await measure(cloud, () => send(stateful.connectionId)));
  };
  const [sender] = senders;
  if (sender === undefined) throw new RangeError("Somebody has to send.");
  const alone = await compare((id) => sender.send(invocation("toClient", id, "hello")));
  const inARow = await compare((id) => sender.send(invocation("inARow", id, BUSY)));
  const atOnce = await compare((id) => sender.send(invocation("atOnce", id, BUSY)));
  const together = await compare((id) =>
    Promise.all(senders.map((each) => each.send(invocation("toClient", id, "hello")))),
  );
  const budget = { writeUnits: 3, readUnits: 0 };
  const busy = { writeUnits: 3 * BUSY, readUnits: 0 };
  return [
    { name: "message to a stateful client (4)", measured: alone, budget },
    { name: `${BUSY} by one sender, one after the other (4)`, measured: inARow, budget: busy },
    { name: `${BUSY} by one sender, at once (4)`, measured: withoutCalls(atOnce), budget: busy },
    { name: `${BUSY} by ${BUSY} senders, at once (4)`, measured: withoutCalls(together), budget: busy },
  ];
}

function withoutCalls({ writeUnits, readUnits }: Bill): Operation["measured"] {
  return { writeUnits, readUnits };
}

async function messagesIn(cloud: SimulatedCloud): Promise<Operation[]> {
  const client = await openClient(cloud, STATEFUL);
  const { clock } = cloud;
  const ping = await measure(cloud, () => client.send(PING));
  const echo = await measure(cloud, () => client.send(invocation("echo", "hello")));
  const withRelease = await measure(cloud, async () => {
    await clock.sleep(SETTLED);
    await client.send(invocation("echo", "hello"));
  });
  const withPing = await measure(cloud, async () => {
    await clock.sleep(SETTLED);
    await client.send(PING);
  });
  const acknowledgement = await measure(cloud, () => client.send(ack(2)));
  const busy = await measure(cloud, async () => {
    for (let index = 0; index < BUSY - 1; index++) await client.send(invocation("echo", "hello"));
  });
  const pressing = await measure(cloud, () => client.send(invocation("echo", "hello")));
  const many = oneWay("nothing").repeat(MANY);
  const plain = await openClient(cloud);
  const ofPlain = await measure(cloud, () => plain.send(many));
  const other = await openClient(cloud, STATEFUL);
  const ofStateful = await measure(cloud, () => other.send(many));
  return [
    { name: "ping of a stateful client", measured: ping, budget: { writeUnits: 1, readUnits: 0, callsInSequence: 1 } },
    {
      name: "invocation with a result of a stateful client",
      measured: echo,
      budget: { writeUnits: 5, readUnits: 1, callsInSequence: 3 },
    },
    {
      name: `${BUSY - 1} more, one after the other`,
      measured: busy,
      budget: { writeUnits: 5 * (BUSY - 1), readUnits: BUSY - 1 },
    },
    { name: "one with which too much is not acknowledged (5)", measured: pressing, budget: {} },
    { name: `frame of ${MANY} short messages`, measured: ofPlain, budget: { writeUnits: 2, readUnits: 1 } },
    {
      name: `frame of ${MANY} short messages of a stateful client`,
      measured: ofStateful,
      budget: { writeUnits: 2, readUnits: 1 },
    },
    { name: "Ack of a stateful client", measured: acknowledgement, budget: { writeUnits: 2, readUnits: 0 } },
    {
      name: "Ack to a stateful client, with its ping (1)",
      measured: beyond(ping, withPing),
      budget: { writeUnits: 1, readUnits: 0, callsInSequence: 1 },
    },
    {
      name: "Ack to a stateful client, with its invocation (1)",
      measured: beyond(echo, withRelease),
      budget: { writeUnits: 0, readUnits: 0, callsInSequence: 0 },
    },
  ];
}

async function resumes(cloud: SimulatedCloud): Promise<Operation[]> {
  const operations: Operation[] = [];
  const budget = { writeUnits: 6, readUnits: 2 };
  for (const [name, lived, count] of [
    ["right after negotiate", 0, 0],
    ["0 messages to repeat", LIVED, 0],
    [`${MESSAGES} messages to repeat`, LIVED, MESSAGES],
  ] as const) {
    const client = await openClient(cloud, STATEFUL);
    await sendMessages(cloud, client, count);
    await cloud.clock.pass(lived);
    const loss = await measure(cloud, () => client.disconnect(LOST));
    if (lived === 0) operations.push({ name: "transport lost, stateful", measured: loss, budget: {} });
    const resumed = await measure(cloud, () => resumeBySequence(cloud, client));
    operations.push({ name: `resume by Sequence, ${name}`, measured: resumed, budget });
  }
  for (const count of [0, MESSAGES]) {
    const key = withKey();
    const client = await openClient(cloud, key);
    const loss = await measure(cloud, () => client.disconnect(LOST));
    if (count === 0) operations.push({ name: "transport lost, with a resume key", measured: loss, budget: {} });
    await sendMessages(cloud, client, count);
    const resumed = await measure(cloud, () => openClient(cloud, key));
    operations.push({
      name: `resume by key, ${count} messages waiting (6)`,
      measured: resumed,
      budget: { ...budget, readUnits: 3 },
    });
  }
  operations.push(await repeatedFrame(cloud));
  return operations;
}

/** What the client has not seen acknowledged, it sends again. */
async function repeatedFrame(cloud: SimulatedCloud): Promise<Operation> {
  const client = await openClient(cloud, STATEFUL);
  const frame = invocation("echo", "hello");
  await client.send(frame);
  await client.disconnect(LOST);
  const back = await resumeBySequence(cloud, client);
  const measured = await measure(cloud, () => back.send(frame));
  return { name: "frame that the client repeats", measured, budget: { writeUnits: 3, readUnits: 1 } };
}

async function resumeBySequence(cloud: SimulatedCloud, { connectionToken }: OpenClient) {
  const back = await openSocket(cloud, connectionToken, STATEFUL);
  await back.send(sequence(1));
  return back;
}

async function sendMessages(cloud: SimulatedCloud, { connectionId }: OpenClient, count: number): Promise<void> {
  const sender = await openClient(cloud);
  await sender.send(invocation("inARow", connectionId, count));
  await sender.disconnect(LOST);
}

async function endings(cloud: SimulatedCloud): Promise<Operation[]> {
  const operations: Operation[] = [];
  for (const count of [0, MESSAGES]) {
    const client = await openClient(cloud, STATEFUL);
    await sendMessages(cloud, client, count);
    const measured = await measure(cloud, async () => {
      await client.send(CLOSE);
      await client.disconnect(NORMAL);
    });
    operations.push({
      name: `client stops (2), stateful, ${count} messages not acknowledged`,
      measured,
      budget: { writeUnits: 6 + count, readUnits: 2 },
    });
  }
  return operations;
}

/** Each in a table of its own: what the sweep of one connection more takes. */
async function rotations(): Promise<Operation[]> {
  const operations: Operation[] = [];
  for (const [name, client] of [
    ["stateful", STATEFUL],
    ["with a resume key", withKey()],
    ["anonymous", {}],
  ] as const) {
    operations.push({ name: `rotation (7), ${name}`, measured: await rotation(client), budget: {} });
  }
  return operations;
}

/** The sweeper's part; the resume that follows is billed above. */
async function rotation(client: Client): Promise<Bill> {
  const idle = await sweepAfter(client, 0);
  return beyond(idle, await sweepAfter(client, UNTIL_ROTATION));
}

async function sweepAfter(client: Client, milliseconds: number): Promise<Bill> {
  const cloud = await openMeteredHub();
  try {
    const transport = await openClient(cloud, client);
    await cloud.clock.pass(milliseconds);
    await transport.send(PING);
    return (await cloud.meter.record(() => cloud.sweepOnce())).bill;
  } finally {
    await cloud.close();
  }
}
