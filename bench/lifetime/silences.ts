// From the last that is heard of a client to its `onDisconnected`: the real functions, a sweeper that is started once a
// minute with jitter, and a clock that is simulated.

import { openClient, openMeteredHub, PING } from "../units/metered-hub.ts";
import { LOST } from "../units/operation.ts";
import type { Client, SimulatedCloud } from "../units/simulated-cloud.ts";
import { seededRandom } from "./seeded-random.ts";

export interface Silence {
  readonly name: string;
  /** Of each client. Milliseconds. */
  readonly times: readonly number[];
  /** When the last one should have ended. Milliseconds. */
  readonly bound: number;
}

export const SEED = 20_260_101;
const CLIENTS = 1_000;
const RESUMABLE_CLIENTS = 300;
/** Each comes to a hub with nobody in it, which takes minutes. */
const LONE_CLIENTS = 40;
/** In which the clients fall silent. Milliseconds. */
const SPAN = 8 * 60_000;
const MINUTE = 60_000;
/** A one-minute schedule starts its function at any time of the minute. Milliseconds. */
const JITTER = 59_000;
/** A call to DynamoDB or `@connections`. Milliseconds. */
const LATENCY = { least: 2, most: 20 };

const CLIENT_TIMEOUT = 30_000;
const DISCONNECT_TIMEOUT = 30_000;
/** How much later than the time-out the sweeper may be. Milliseconds. */
const LATE = 10_000;
/** After which nobody is waited for any more. Milliseconds. */
const PATIENCE = 5 * MINUTE;
const KEEP_ALIVE = 15_000;
const STATEFUL: Client = { stateful: true };

export async function measureSilences(): Promise<Silence[]> {
  const silent = CLIENT_TIMEOUT + LATE;
  const away = DISCONNECT_TIMEOUT + LATE;
  return [
    { name: "silent, not resumable", times: await amongOthers(CLIENTS, {}, "silent"), bound: silent },
    {
      name: "silent, resumable",
      times: await amongOthers(RESUMABLE_CLIENTS, STATEFUL, "silent"),
      bound: silent + away,
    },
    { name: "socket closed, resumable", times: await amongOthers(RESUMABLE_CLIENTS, STATEFUL, "closed"), bound: away },
    { name: "silent, the only client of all", times: await alone(), bound: silent },
  ];
}

/** Some client is always there, as in a hub that is used. */
function amongOthers(clients: number, client: Client, way: "silent" | "closed"): Promise<readonly number[]> {
  return simulate(clients, async ({ cloud, random, lose }) => {
    void keepAlive(cloud);
    const losses = Array.from({ length: clients }, async () => {
      await cloud.clock.sleep(random() * SPAN);
      await lose(client, way);
    });
    await Promise.all(losses);
  });
}

/** Each comes when the sweeper has gone home, because nobody was left. */
function alone(): Promise<readonly number[]> {
  return simulate(LONE_CLIENTS, async ({ cloud, random, lose, ended }) => {
    for (let index = 0; index < LONE_CLIENTS; index++) {
      await lose({}, "silent");
      while (ended() <= index) await cloud.clock.sleep(1_000);
      await cloud.clock.sleep(MINUTE + random() * MINUTE);
    }
  });
}

interface Simulation {
  readonly cloud: SimulatedCloud;
  readonly random: () => number;
  /** Opens a client, and hears no more of it. */
  lose(client: Client, way: "silent" | "closed"): Promise<void>;
  /** How many have ended. */
  ended(): number;
}

/** How long it took from the loss of each client to its end. */
async function simulate(
  clients: number,
  scenario: (simulation: Simulation) => Promise<void>,
): Promise<readonly number[]> {
  const random = seededRandom(SEED);
  const lost = new Map<string, number>();
  const times: number[] = [];
  const cloud = await openMeteredHub({
    latency: () => LATENCY.least + random() * (LATENCY.most - LATENCY.least),
    onDisconnected(connectionId) {
      const since = lost.get(connectionId);
      if (since === undefined) throw new Error(`${connectionId} ended twice, or while it was there.`);
      lost.delete(connectionId);
      times.push(cloud.clock.now() - since);
    },
  });
  const { clock } = cloud;
  try {
    void schedule(cloud, random);
    const lose = async (client: Client, way: "silent" | "closed"): Promise<void> => {
      const opened = await openClient(cloud, client);
      lost.set(opened.connectionId, clock.now());
      if (way === "closed") await opened.disconnect(LOST);
    };
    await clock.during(scenario({ cloud, random, lose, ended: () => times.length }));
    const giveUpAt = clock.now() + PATIENCE;
    while (times.length < clients && clock.now() < giveUpAt) await clock.pass(1_000);
    if (times.length < clients) throw new Error(`${clients - times.length} clients never ended.`);
    return times;
  } finally {
    await cloud.close();
  }
}

/** As EventBridge would: once in every minute, at any time of it. */
async function schedule(cloud: SimulatedCloud, random: () => number): Promise<void> {
  for (;;) {
    const delay = random() * JITTER;
    await cloud.clock.sleep(delay);
    void cloud.sweep();
    await cloud.clock.sleep(MINUTE - delay);
  }
}

async function keepAlive(cloud: SimulatedCloud): Promise<void> {
  const client = await openClient(cloud);
  for (;;) {
    await cloud.clock.sleep(KEEP_ALIVE);
    await client.send(PING);
  }
}
