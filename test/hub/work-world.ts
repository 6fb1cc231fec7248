// Functions that die after any of their writes, on one table, and the one client that they work for.

import {
  defineHub,
  defineService,
  disconnect,
  receive,
  type ServerPorts,
  type Store,
  sweep,
  upload,
  type Work,
  work,
} from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { recordingLog } from "../recording-log.ts";
import { memoryTable } from "../suites/memory-store/index.ts";

export const CONNECTION = "connection";
export const TRANSPORT = "transport";
const SEPARATOR = "\u001e";
/** When Lambda tries an asynchronous invocation again. Minutes. */
const RETRY_AFTER = 1;
const READS = new Set<keyof Store>(["transport", "connection", "session", "waiting", "work", "upload", "uploadItems"]);

const anything = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } } as const;

/** What a client that asked has heard of it. What comes after the outcome it does not know any more. */
export interface Heard {
  readonly items: unknown[];
  outcome?: { readonly result?: unknown; readonly error?: string };
}

interface Mortal {
  readonly ports: ServerPorts;
  /** Writes that were made. */
  readonly writes: number;
  readonly isDead: boolean;
}

type Behaviour = Partial<Pick<ServerPorts, "workers">>;

export class WorkWorld {
  readonly clock = new FakeClock();
  readonly table = memoryTable();
  /** Runs of methods, by what was asked. */
  readonly runs: string[] = [];
  /** Reasons for which methods were told to stop. */
  readonly aborted: string[] = [];
  /** Events on their way to workers. */
  readonly events: Work[] = [];
  /** Posts by transport, as they arrived. */
  readonly posts: { readonly transportId: string; readonly text: string }[] = [];
  readonly gone = new Set<string>();
  readonly store = this.table.store();
  #heard = new Map<string, Heard>();
  #ids = 0;
  #messages = 0;

  /** A function, which dies when it has made so many writes. */
  function(diesAfter = Number.POSITIVE_INFINITY, behaviour: Behaviour = {}): Mortal {
    let writes = 0;
    let isDead = false;
    const never = new Promise<never>(() => undefined);
    const step = async <Result>(isWrite: boolean, run: () => Result): Promise<Result> => {
      if (isDead) return never;
      const result = run();
      if (isWrite) writes += 1;
      isDead = writes >= diesAfter;
      return isDead ? never : result;
    };
    const ports: ServerPorts = {
      service: this.#service((milliseconds, signal) => ports.clock.sleep(milliseconds, signal)),
      clock: {
        now: () => this.clock.now(),
        sleep: async (milliseconds, signal) => {
          await this.clock.sleep(milliseconds, signal);
          return isDead ? never : undefined;
        },
      },
      random: { id: () => `id${this.#ids++}` },
      log: recordingLog([]),
      dialect: core,
      workers: { start: (event) => step(true, () => void this.events.push(structuredClone(event))) },
      store: this.table.store((verb, _rows, run) => step(!READS.has(verb), run)),
      transports: {
        post: (transportId, text) => step(true, () => this.#arrive(transportId, text)),
        close: (transportId) => step(true, () => void this.gone.add(transportId)),
        look: async () => "unknown",
      },
      ...behaviour,
    };
    return {
      ports,
      get writes() {
        return writes;
      },
      get isDead() {
        return isDead;
      },
    };
  }

  #service(sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>) {
    const { runs, aborted } = this;
    const begin = (name: string, signal: AbortSignal) => {
      runs.push(name);
      signal.addEventListener("abort", () => aborted.push((signal.reason as Error).message));
    };
    const chat = defineHub()({
      methods: {
        async *count(hub, count: number, pause: number) {
          begin("count", hub.aborted);
          for (let index = 0; index < count; index++) {
            yield index;
            await sleep(pause, hub.aborted);
            if (hub.aborted.aborted) return;
          }
        },
        slow: {
          args: [],
          longRunning: true,
          async handler(hub) {
            begin("slow", hub.aborted);
            await sleep(90_000, hub.aborted);
            return "done";
          },
        },
        collect: {
          args: [upload(anything)],
          async handler(hub, items) {
            begin("collect", hub.aborted);
            const all: unknown[] = [];
            for await (const item of items) all.push(item);
            return all;
          },
        },
      },
    });
    return defineService({ hubs: { chat } });
  }

  // --- the client --------------------------------------------------------------------------------------------------

  async open(options: { readonly resumeKey?: string; readonly stateful?: boolean } = {}): Promise<void> {
    const session = {
      userIdentifier: undefined,
      user: { isAuthenticated: false, name: undefined, roles: [], claims: {} },
      request: { query: {}, headers: {} },
      items: {},
    };
    const { resumeKey, stateful = false } = options;
    const times = { deadline: this.clock.now() + 15_000, rotateAt: this.clock.now() + 7_000_000, issuedAt: 0 };
    const names = { transportId: TRANSPORT, connectionId: CONNECTION, hub: "chat", resumeKey, stateful };
    await this.store.accept({ ...names, session, ...times });
    await this.say(`{"protocol":"json","version":${stateful ? 2 : 1}}`);
    await this.settled();
  }

  /** A frame and its function, which may die. */
  say(record: string, by = this.function(), transportId = TRANSPORT): Promise<void> {
    const [messageId, receivedAt] = [`m${this.#messages++}`, this.clock.now()];
    return receive(by.ports, { transportId, messageId, text: record + SEPARATOR, receivedAt });
  }

  ask(id: string, target: string, args: readonly unknown[] = [], by = this.function()): Heard {
    const heard: Heard = { items: [] };
    this.#heard.set(id, heard);
    const type = target === "count" ? 4 : 1;
    const streamIds = target === "collect" ? { streamIds: [`${id} items`] } : {};
    void this.say(JSON.stringify({ type, invocationId: id, target, arguments: args, ...streamIds }), by);
    return heard;
  }

  /** Three items of the upload that `ask` named, and its end. */
  async upload(id: string): Promise<void> {
    for (const item of [0, 1, 2]) {
      await this.say(JSON.stringify({ type: 2, invocationId: `${id} items`, item }));
      await this.pass(2);
    }
    await this.say(JSON.stringify({ type: 3, invocationId: `${id} items` }));
  }

  async leave(): Promise<void> {
    await disconnect(this.function().ports, { transportId: TRANSPORT, code: 1000, connectedAt: this.clock.now() });
  }

  #arrive(transportId: string, text: string): "accepted" | "gone" {
    if (this.gone.has(transportId)) return "gone";
    this.posts.push({ transportId, text });
    for (const record of text.split(SEPARATOR).slice(0, -1)) {
      const { type, invocationId, item, result, error } = JSON.parse(record);
      const heard = this.#heard.get(invocationId);
      if (type === 2) heard?.items.push(item);
      if (type !== 3 || heard === undefined) continue;
      heard.outcome = error === undefined ? { result } : { error };
      this.#heard.delete(invocationId);
    }
    return "accepted";
  }

  // --- time and what it brings -------------------------------------------------------------------------------------

  settled(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  async pass(milliseconds: number): Promise<void> {
    await this.settled();
    await this.clock.advance(milliseconds);
    await this.settled();
  }

  /** Minutes with a client that pings and a sweeper that is started every minute. */
  async passWatched(minutes: number): Promise<void> {
    for (let minute = 0; minute < minutes; minute++) {
      void sweep(this.function().ports);
      for (let pings = 0; pings < 6; pings++) {
        void this.say('{"type":6}');
        await this.pass(10_000);
      }
    }
  }

  /** A worker as Lambda runs it: when it dies it is tried once more. */
  async runWorker(event: Work, by: Mortal): Promise<void> {
    void work(by.ports, event);
    await this.passWatched(3);
    if (!by.isDead) return;
    await this.passWatched(RETRY_AFTER);
    void work(this.function().ports, event);
    await this.passWatched(3);
  }

  /** What the end of the connection leaves: all keys of rows but the tombstone's. */
  async leftovers(): Promise<readonly string[]> {
    await this.leave();
    await this.passWatched(2);
    return this.table.rows().filter((row) => !row.startsWith('["connection"') && !row.startsWith('["sweeper"'));
  }
}
