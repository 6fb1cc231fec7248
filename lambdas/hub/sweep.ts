// The sweeper: ends whoever fell silent, finishes what a dead function left, and says goodbye before the gateway's
// two hours are over. Scheduled every minute, it ticks every five seconds until a newer one has begun.

import type { SweeperLease } from "./connection-state.ts";
import type { DispatchPorts } from "./dispatch.ts";
import type { Log } from "./ports.ts";
import { repair } from "./repair.ts";
import { repairUser, tellsUsers } from "./user-events.ts";

const TICK = 5_000;
/** Two starts of a one-minute schedule may lie 119 s apart. */
const LIFE = 170_000;
/** A sweeper silent for longer was away, and cannot know who was heard meanwhile. */
const OUTAGE = 30_000;
const REPAIRS_AT_ONCE = 32;

/** Runs until its time is up, a newer sweeper has begun, or no connection is left. */
export async function sweep(ports: DispatchPorts): Promise<void> {
  const { clock, store } = ports;
  const stopAt = clock.now() + LIFE;
  const repairs = new Repairs(ports.log);
  let lease = await store.beginSweep();
  let isCounted = false;
  while (clock.now() < stopAt) {
    const now = clock.now();
    const next = { ...lease, lastTick: now, notBefore: notBefore(ports, lease, now) };
    if (!(await store.keepSweeping(lease, next))) break;
    lease = next;
    const { connections, users } = await tick(ports, repairs, lease);
    // Once a minute: each line of it costs.
    if (!isCounted) ports.metrics?.record({ "signalr.server.active_connections": connections }, {});
    isCounted = true;
    if (connections + users === 0) {
      await store.keepSweeping(lease, { ...lease, lastTick: 0 });
      break;
    }
    await clock.sleep(now + TICK - clock.now());
  }
  await repairs.settled();
}

function notBefore({ service, log }: DispatchPorts, lease: SweeperLease, now: number): number {
  if (lease.lastTick === 0 || now - lease.lastTick <= OUTAGE) return lease.notBefore;
  log.warn("No sweeper ran for a while; every client gets its whole time-out again.", {
    milliseconds: now - lease.lastTick,
  });
  return now + service.lifetime.clientTimeoutInterval;
}

/** How many connections there are, and users whose going is to be told. */
async function tick(
  ports: DispatchPorts,
  repairs: Repairs,
  lease: SweeperLease,
): Promise<{ readonly connections: number; readonly users: number }> {
  const count = { connections: 0, users: 0 };
  for await (const { transports, total } of ports.store.due(lease.lastTick)) {
    count.connections += total;
    for (const transport of transports) {
      repairs.add(`transport ${transport.transportId}`, () => repair(ports, transport, lease));
    }
  }
  for (const hub of [...ports.service.hubs.values()].filter(tellsUsers)) {
    for await (const { users, total } of ports.store.dueUsers(hub.path, lease.lastTick)) {
      count.users += total;
      for (const user of users) {
        repairs.add(`user ${hub.path} ${user.user}`, () => repairUser(ports, hub, user, lease));
      }
    }
  }
  return count;
}

/** Repairs run beside the ticks, so that slow code of the author's holds no other connection up. */
class Repairs {
  readonly #log: Log;
  readonly #known = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #queue: (() => Promise<void>)[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /** Unless one of that name is known and not done. */
  add(name: string, repair: () => Promise<void>): void {
    if (this.#known.has(name)) return;
    this.#known.add(name);
    this.#queue.push(() => this.#run(name, repair));
    this.#next();
  }

  /** What has not begun is left to the next sweeper. */
  async settled(): Promise<void> {
    this.#queue.splice(0);
    await Promise.all(this.#running);
  }

  async #run(name: string, repair: () => Promise<void>): Promise<void> {
    try {
      await repair();
    } catch (error) {
      this.#log.error("The sweeper failed on one connection or user; the next tick tries again.", { error });
    }
    this.#known.delete(name);
  }

  #next(): void {
    if (this.#running.size >= REPAIRS_AT_ONCE) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    const running = job().then(() => {
      this.#running.delete(running);
      this.#next();
    });
    this.#running.add(running);
  }
}
