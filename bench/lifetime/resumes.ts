// What a client that comes back waits for: calls one after the other, up to the answer that lets it go on.

import {
  handshake,
  invocation,
  negotiate,
  type OpenClient,
  openClient,
  openMeteredHub,
  openSocket,
  sequence,
} from "../units/metered-hub.ts";
import { LOST } from "../units/operation.ts";
import type { Client, SimulatedCloud } from "../units/simulated-cloud.ts";

/** Calls to DynamoDB and `@connections`, one after the other. */
export interface Return {
  readonly name: string;
  readonly negotiate: number;
  readonly connect: number;
  /** From the first frame to what it is answered. */
  readonly answer: number;
  /** Between client and service, without those of TCP and TLS. */
  readonly roundTrips: number;
}

const MESSAGES = 10;
/** Behind it, a token is good for coming back only. Milliseconds. */
const LIVED = 30_000;
const STATEFUL: Client = { stateful: true };
const WITH_KEY: Client = { resumeKey: "0123456789".repeat(4) };

export async function measureResumes(): Promise<Return[]> {
  const cloud = await openMeteredHub();
  try {
    return [
      await bySequence(cloud, 0),
      await bySequence(cloud, MESSAGES),
      await byHandshake(cloud, "resume by key", WITH_KEY, await lost(cloud, WITH_KEY)),
      await byHandshake(cloud, "new connection", {}, undefined),
    ];
  } finally {
    await cloud.close();
  }
}

async function bySequence(cloud: SimulatedCloud, count: number): Promise<Return> {
  const { connectionToken } = await lost(cloud, STATEFUL, count);
  const { meter } = cloud;
  const { bill, result: transport } = await meter.record(() => openSocket(cloud, connectionToken, STATEFUL));
  const { callsToPost } = await meter.record(() => transport.send(sequence(1)));
  const name = `resume by Sequence, ${count} messages to repeat`;
  return { name, negotiate: 0, connect: bill.callsInSequence, answer: callsToPost, roundTrips: 2 };
}

async function byHandshake(
  cloud: SimulatedCloud,
  name: string,
  client: Client,
  before: OpenClient | undefined,
): Promise<Return> {
  const { meter } = cloud;
  const { bill, result: negotiated } = await meter.record(() => negotiate(cloud, client));
  if (before !== undefined && before.connectionId !== negotiated.connectionId) throw new Error("It is another one.");
  const socket = await meter.record(() => openSocket(cloud, negotiated.connectionToken, client));
  const { callsToPost } = await meter.record(() => socket.result.send(handshake(client)));
  const calls = { negotiate: bill.callsInSequence, connect: socket.bill.callsInSequence, answer: callsToPost };
  return { name, ...calls, roundTrips: 3 };
}

/** A client whose transport is gone, with messages on their way that it has not acknowledged. */
async function lost(cloud: SimulatedCloud, client: Client, count = 0): Promise<OpenClient> {
  const opened = await openClient(cloud, client);
  const sender = await openClient(cloud);
  await sender.send(invocation("inARow", opened.connectionId, count));
  await cloud.clock.pass(LIVED);
  await opened.disconnect(LOST);
  return opened;
}
