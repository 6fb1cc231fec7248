// One server put through everything, from its start to its end.

import { setTimeout } from "node:timers/promises";
import { forEachLimit } from "../../lambdas/hub/index.ts";
import { median } from "../median.ts";
import { LoadClient } from "./load-client.ts";
import type { Protocol } from "./protocols.ts";
import { ServerProcess } from "./server-process.ts";

export interface Figures {
  /** Round trips per second. */
  readonly echoAlone: number;
  readonly echoTogether: number;
  /** Processor milliseconds of the server per round trip, with all those clients. */
  readonly echoCpu: number;
  /** Milliseconds per connection. */
  readonly connect: number;
  /** Milliseconds until the last client has the message. */
  readonly broadcast: number;
  /** Processor milliseconds of the server per message to a client. */
  readonly broadcastCpu: number;
  /** Items per second from the first one to the end of a stream. */
  readonly streamItems: number;
  /** Milliseconds until the first item. */
  readonly firstItem: number;
  /** Items per second from the invocation to its result. */
  readonly uploadItems: number;
  /** Milliseconds from a server's question to its answer. */
  readonly clientResult: number;
}

export interface Contestant {
  readonly server: URL;
  readonly protocol: Protocol;
}

export const CLIENTS = 100;
export const CROWD = 1000;
export const CONNECTS_AT_ONCE = 32;
/** Milliseconds. */
const WARM_UP = 300;
const DURATION = 1000;
const BROADCASTS = 5;
export const STREAMED = 5_000;
export const UPLOADED = 50;
const QUESTIONS = 20;
const TRIES = 4;
const TIME_LIMIT = 120_000;
const TEXT = "x".repeat(64);

export async function runRound({ server: module, protocol }: Contestant): Promise<Figures> {
  const server = await ServerProcess.start(module);
  const clients: LoadClient[] = [];
  try {
    return await Promise.race([measure(server, protocol, clients), timeUp()]);
  } finally {
    for (const client of clients) client.terminate();
    await server.stop();
  }
}

/** Nobody answers for a server that hangs or has lost a client. */
async function timeUp(): Promise<never> {
  await setTimeout(TIME_LIMIT, undefined, { ref: false });
  throw new Error(`A round was not over after ${TIME_LIMIT / 1000} s.`);
}

/** @param clients takes every client that is opened. */
async function measure(server: ServerProcess, protocol: Protocol, clients: LoadClient[]): Promise<Figures> {
  const connect = (count: number) =>
    forEachLimit(Array(count).fill(undefined), CONNECTS_AT_ONCE, async () => {
      clients.push(await LoadClient.open(protocol, server.url));
    });
  await connect(CLIENTS);
  const alone = await measureEcho(server, clients.slice(0, 1));
  const together = await measureEcho(server, clients);
  const streams = await measureStreams(clients[0] as LoadClient);
  const started = performance.now();
  await connect(CROWD - CLIENTS);
  const connected = performance.now() - started;
  return {
    echoAlone: alone.perSecond,
    echoTogether: together.perSecond,
    echoCpu: together.cpu,
    connect: connected / (CROWD - CLIENTS),
    ...streams,
    ...(await measureBroadcast(server, clients)),
  };
}

/** Each client calls again as soon as it has its reply. */
async function measureEcho(server: ServerProcess, clients: readonly LoadClient[]) {
  await echo(clients, WARM_UP);
  const cpuBefore = await server.cpuMilliseconds();
  const started = performance.now();
  const count = await echo(clients, DURATION);
  const seconds = (performance.now() - started) / 1000;
  return { perSecond: count / seconds, cpu: ((await server.cpuMilliseconds()) - cpuBefore) / count };
}

async function echo(clients: readonly LoadClient[], milliseconds: number): Promise<number> {
  const end = performance.now() + milliseconds;
  let count = 0;
  const repeat = async (client: LoadClient) => {
    while (performance.now() < end) {
      await client.call("echo", TEXT);
      count += 1;
    }
  };
  await Promise.all(clients.map(repeat));
  return count;
}

async function measureStreams(client: LoadClient) {
  const times: { first: number; items: number; upload: number; question: number }[] = [];
  for (let tries = 0; tries < TRIES; tries++) {
    const firstItem = new Promise<void>((resolve) => (client.onItem = resolve));
    const started = performance.now();
    const streaming = client.stream("stream", STREAMED);
    await firstItem;
    const first = performance.now();
    await streaming;
    const streamed = performance.now();
    await client.upload("collect", UPLOADED);
    const uploaded = performance.now();
    await client.call("confirm", QUESTIONS);
    times.push({
      first: first - started,
      items: streamed - first,
      upload: uploaded - streamed,
      question: (performance.now() - uploaded) / QUESTIONS,
    });
  }
  const middle = (part: keyof (typeof times)[number]) => median(times.slice(1).map((each) => each[part]));
  return {
    firstItem: middle("first"),
    streamItems: (STREAMED / middle("items")) * 1000,
    uploadItems: (UPLOADED / middle("upload")) * 1000,
    clientResult: middle("question"),
  };
}

async function measureBroadcast(server: ServerProcess, clients: readonly LoadClient[]) {
  await broadcast(clients);
  const cpuBefore = await server.cpuMilliseconds();
  const times: number[] = [];
  for (let index = 0; index < BROADCASTS; index++) times.push(await broadcast(clients));
  const cpu = (await server.cpuMilliseconds()) - cpuBefore;
  return { broadcast: median(times), broadcastCpu: cpu / (BROADCASTS * clients.length) };
}

/** Milliseconds from the first client's call until everybody has what it sends. */
async function broadcast(clients: readonly LoadClient[]): Promise<number> {
  const everybody = clients.map((client) => new Promise<void>((resolve) => (client.onPush = resolve)));
  const started = performance.now();
  const reply = clients[0]?.call("broadcast", TEXT);
  await Promise.all(everybody);
  const milliseconds = performance.now() - started;
  await reply;
  return milliseconds;
}
