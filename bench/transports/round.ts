// One transport put through everything, on a server that is there.

import { median } from "../median.ts";
import { type Contestant, open } from "./contestants.ts";

export interface Times {
  /** Milliseconds of `start()`: negotiation, transport and handshake. */
  readonly connect: number;
  /** Milliseconds from an invocation to its result, of one client alone. */
  readonly echo: number;
  /** Per second, by all clients at once, each waiting for its result before it goes on. */
  readonly invocations: number;
  /** Per second, by one client that waits for nothing. */
  readonly sends: number;
  /** Per second, to one client. */
  readonly received: number;
}

export const CLIENTS = 32;
const CONNECTS = 5;
const ECHOES = 15;
/** Milliseconds. */
const DURATION = 1_000;
export const SENDS = 100;
export const RECEIVED = 100;
const TEXT = "x".repeat(64);

type Client = Awaited<ReturnType<typeof open>>;

export async function runRound(contestant: Contestant, serverUrl: string): Promise<Times> {
  const clients: Client[] = [];
  const start = async (): Promise<void> => void clients.push(await open(contestant, serverUrl));
  try {
    const connects: number[] = [];
    for (let index = 0; index < CONNECTS; index++) connects.push(await timeOf(start));
    const [client] = clients as [Client];
    // They are gone while one client is alone.
    await Promise.all(clients.splice(1).map(({ connection }) => connection.stop()));
    const echoes: number[] = [];
    for (let index = 0; index < ECHOES; index++)
      echoes.push(await timeOf(() => client.connection.invoke("echo", TEXT)));
    const sends = (SENDS / (await timeOf(() => sendNotes(client)))) * 1000;
    const received = (RECEIVED / (await timeOf(() => receiveFlood(client)))) * 1000;
    await Promise.all(Array.from({ length: CLIENTS - 1 }, start));
    const invocations = await invokeTogether(clients);
    // The first ones warm up.
    return { connect: median(connects.slice(1)), echo: median(echoes.slice(3)), invocations, sends, received };
  } finally {
    await Promise.all(clients.map(({ connection }) => connection.stop()));
  }
}

/** Milliseconds. */
async function timeOf(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}

async function sendNotes({ connection }: Client): Promise<void> {
  const noted = new Promise<void>((resolve) => connection.on("noted", resolve));
  await Promise.all([...Array.from({ length: SENDS }, () => connection.send("note", SENDS)), noted]);
}

async function receiveFlood({ connection }: Client): Promise<void> {
  let count = 0;
  const all = new Promise<void>((resolve) => {
    connection.on("receive", () => {
      count += 1;
      if (count === RECEIVED) resolve();
    });
  });
  await Promise.all([connection.send("flood", RECEIVED, TEXT), all]);
}

/** Per second. */
async function invokeTogether(clients: readonly Client[]): Promise<number> {
  const started = performance.now();
  let count = 0;
  const repeat = async ({ connection }: Client) => {
    while (performance.now() - started < DURATION) {
      await connection.invoke("echo", TEXT);
      count += 1;
    }
  };
  await Promise.all(clients.map(repeat));
  return (count / (performance.now() - started)) * 1000;
}
