// What long polling and event streams take.

import type { Bill } from "./meter.ts";
import { handshake, invocation, type OpenClient, openClient, openHttp, openMeteredHub, PING } from "./metered-hub.ts";
import { beyond, type Operation, sum } from "./operation.ts";
import type { SimulatedCloud } from "./simulated-cloud.ts";
import type { HttpClient } from "./simulated-http.ts";

/** Until a stream, or a poll, that has just found nothing looks again. Milliseconds. */
const FIRST_PAUSE = 20;
const SECOND = 1_000;
const MINUTE = 60_000;
const ECHO = invocation("echo", "hello");

export interface HttpBills {
  readonly pollingConnect: Bill;
  readonly idlePoll: Bill;
  readonly answeredPoll: Bill;
  readonly post: Bill;
  readonly pollingMessage: Bill;
  readonly stop: Bill;
  readonly streamConnect: Bill;
  readonly idleMinute: Bill;
  readonly streamPing: Bill;
  readonly streamMessage: Bill;
  /** Its part in that. */
  readonly streamReading: Bill;
}

export async function measureHttpOperations(): Promise<Operation[]> {
  const bills = await measureHttp();
  const operation = (name: string, { writeUnits, readUnits }: Bill, budget: Operation["budget"]): Operation => {
    return { name, measured: { writeUnits, readUnits }, budget };
  };
  return [
    operation("connect to connected, long polling (10)", bills.pollingConnect, { writeUnits: 11, readUnits: 6 }),
    operation("poll of 25 s that finds nothing", bills.idlePoll, { writeUnits: 3, readUnits: 104 }),
    operation("poll that finds a message (10)", bills.answeredPoll, { writeUnits: 4, readUnits: 2 }),
    operation("POST of an invocation, its errand and result", bills.post, { writeUnits: 9, readUnits: 5 }),
    operation("message to a client that polls (1)", bills.pollingMessage, { writeUnits: 2, readUnits: 1 }),
    operation("DELETE, and its errand", bills.stop, { writeUnits: 8, readUnits: 4 }),
    operation("connect to connected, event stream", bills.streamConnect, { writeUnits: 10, readUnits: 8 }),
    operation("minute of an event stream without messages", bills.idleMinute, { writeUnits: 0, readUnits: 252 }),
    operation("ping of a client with an event stream", bills.streamPing, { writeUnits: 1, readUnits: 1 }),
    operation("message to an event stream (11)", bills.streamMessage, { writeUnits: 4, readUnits: 4 }),
  ];
}

/** The same as bills. */
export async function measureHttp(): Promise<HttpBills> {
  const cloud = await openMeteredHub({ transports: ["WebSockets", "ServerSentEvents", "LongPolling"] });
  try {
    const sender = await openClient(cloud);
    return { ...(await polling(cloud, sender)), ...(await streaming(cloud, sender)) };
  } finally {
    await cloud.close();
  }
}

async function polling(cloud: SimulatedCloud, sender: OpenClient) {
  const client = await openHttp(cloud);
  const pollingConnect = await measure(cloud, () => shakeHands(cloud, client));
  const idlePoll = await measure(cloud, () => client.poll());
  const post = await measure(cloud, () => postAndRun(cloud, client, ECHO));
  const answeredPoll = await measure(cloud, () => client.poll());
  const pollingMessage = await messageTo(cloud, sender, client.connectionId);
  await client.poll();
  const stop = await measure(cloud, async () => {
    await client.delete();
    await cloud.worked();
  });
  return { pollingConnect, idlePoll, answeredPoll, post, pollingMessage, stop };
}

async function streaming(cloud: SimulatedCloud, sender: OpenClient) {
  const client = await openHttp(cloud);
  const streamConnect = await measure(cloud, async () => {
    void client.stream();
    await cloud.clock.idle();
    await postAndRun(cloud, client, handshake({}));
    await cloud.clock.sleep(FIRST_PAUSE);
  });
  const idleSecond = await measure(cloud, () => cloud.clock.sleep(SECOND));
  const idleMinute = await measure(cloud, () => cloud.clock.sleep(MINUTE));
  const streamPing = await measure(cloud, () => client.post(PING));
  const sent = await messageTo(cloud, sender, client.connectionId);
  const streamReading = beyond(idleSecond, await measure(cloud, () => cloud.clock.sleep(SECOND)));
  const streamMessage = sum(sent, streamReading);
  return { streamConnect, idleMinute, streamPing, streamMessage, streamReading };
}

/** The first poll lets the client in, the second one brings the answer to its handshake. */
export async function shakeHands(cloud: SimulatedCloud, client: HttpClient, hello = handshake({})): Promise<void> {
  await client.poll();
  await postAndRun(cloud, client, hello);
  await client.poll();
}

/** Resolves when what it left is done. */
export async function postAndRun(cloud: SimulatedCloud, client: HttpClient, body: string): Promise<void> {
  await client.post(body);
  await cloud.worked();
}

async function messageTo(cloud: SimulatedCloud, sender: OpenClient, connectionId: string): Promise<Bill> {
  const echo = await measure(cloud, () => sender.send(ECHO));
  return beyond(echo, await measure(cloud, () => sender.send(invocation("toClient", connectionId, "hello"))));
}

/** What it takes, with the time that passes meanwhile. */
export async function measure(cloud: SimulatedCloud, action: () => Promise<unknown>): Promise<Bill> {
  return (await cloud.meter.record(() => cloud.clock.during(action()))).bill;
}
