// A world for the model of users who come and go: tabs that open, reload, close, break and freeze, functions that die,
// sweepers. What the author is told is checked against the memberships as they are, and were.

import {
  type ClientInterface,
  defineHub,
  defineService,
  disconnect,
  type HubServer,
  type Log,
  receive,
  type ServerPorts,
  type Store,
  sweep,
  type Transports,
  type UserState,
} from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { NO_WORKERS } from "../no-workers.ts";
import { type MemoryTable, memoryTable, rowKeys } from "../suites/memory-store/index.ts";
import { Chance, Invocation, Timeline } from "./simulation.ts";

const SEPARATOR = "\u001e";
const HUB = "chat";
const GRACE = 10_000;
/** The functions' own limits. Milliseconds. */
const REQUEST_TIMEOUT = 28_000;
const SWEEP_TIMEOUT = 180_000;
/** By then every tab has opened that ever will. */
const ARRIVALS = 240_000;
/** Before anybody looks for users who were forgotten. */
const HORIZON = 50 * 60_000;

interface Tab {
  readonly user: string;
  readonly transportId: string;
  readonly connectionId: string;
  socket: "none" | "open" | "closed";
  frozen: boolean;
  handshaken: boolean;
  /** Whether its arrival was written. */
  arrived: boolean;
}

interface Told {
  readonly kind: "online" | "offline";
  readonly by: Invocation;
  readonly redelivered: boolean;
  readonly at: number;
}

interface User {
  readonly name: string;
  readonly told: Told[];
  /** When arrivals were written that somebody has to tell of, and that were not the first. */
  readonly returns: number[];
  phase: UserState["phase"] | undefined;
  /** Whether a connection that arrived is a member, and when one last was. */
  isPresent: boolean;
  lastPresent: number;
  /** How long there had been none when an invocation last looked. */
  readonly gaps: Map<Invocation, number>;
}

/** Lives one story to its end. Throws what was wrong in it; `tell` hears all that happened. */
export async function liveThrough(seed: number, tell: (line: string) => void = () => {}): Promise<void> {
  await new World(seed, tell).live();
}

class World {
  readonly #chance: Chance;
  readonly #timeline = new Timeline();
  readonly #table: MemoryTable = memoryTable();
  readonly #tabs: Tab[] = [];
  readonly #users = new Map<string, User>();
  readonly #invocations = new Set<Invocation>();
  readonly #start: number;
  readonly #tell: (line: string) => void;
  /** How many functions may still die. */
  #deaths: number;
  #ids = 0;
  #failure: Error | undefined;

  constructor(seed: number, tell: (line: string) => void) {
    this.#tell = (line) => tell(`${String(this.#age()).padStart(7)} ${line}`);
    this.#chance = new Chance(seed);
    this.#start = this.#timeline.now;
    this.#deaths = this.#chance.once(3) ? 0 : 1 + this.#chance.below(5);
  }

  async live(): Promise<void> {
    const names = ["ada", "bob"].slice(0, 1 + this.#chance.below(2));
    for (const name of names) {
      const fresh = { told: [], returns: [], phase: undefined, isPresent: false, lastPresent: 0, gaps: new Map() };
      this.#users.set(name, { name, ...fresh });
      for (let tabs = 1 + this.#chance.below(3); tabs > 0; tabs--) {
        this.#timeline.after(this.#chance.below(40_000), () => this.#openTab(name));
      }
    }
    this.#timeline.after(this.#chance.below(60_000), () => this.#scheduleSweeper());
    await this.#timeline.run();
    if (this.#failure !== undefined) throw this.#failure;
    for (const user of this.#users.values()) checkTold(user);
    this.#table.collectGarbage(Number.POSITIVE_INFINITY);
    const left = this.#table.rows().filter((row) => row !== rowKeys.sweeper);
    if (left.length > 0) this.#fail(`rows are left: ${left}`);
  }

  // --- functions -------------------------------------------------------------------------------------------------

  #invoke(name: string, limit: number, tab: Tab | undefined, body: (ports: ServerPorts) => Promise<void>): void {
    const dies = this.#deaths > 0 && this.#chance.once(4);
    if (dies) this.#deaths -= 1;
    const diesAt = dies ? 1 + this.#chance.below(name === "sweep" ? 150 : 40) : undefined;
    const invocation = new Invocation(`${name} ${this.#ids++}`, this.#timeline, this.#chance, diesAt);
    this.#invocations.add(invocation);
    invocation.onDeath = () => this.#invocations.delete(invocation);
    const timeUp = this.#timeline.after(limit, () => invocation.end("dead"));
    this.#timeline.after(0, () => {
      body(this.#ports(invocation, tab)).then(
        () => {
          timeUp();
          invocation.end("done");
          this.#invocations.delete(invocation);
        },
        (error) => this.#fail(`${name} threw ${error instanceof Error ? error.stack : error}`),
      );
    });
  }

  #ports(invocation: Invocation, tab: Tab | undefined): ServerPorts {
    return {
      service: this.#service(invocation),
      clock: invocation.clock,
      random: { id: () => `id${this.#ids++}` },
      log: silent,
      dialect: core,
      workers: NO_WORKERS,
      store: this.#table.store((verb, rows, run) =>
        invocation.step(() => {
          const result = run();
          this.#observe(invocation, tab, verb, rows, result);
          return result;
        }),
      ),
      transports: this.#transports(invocation),
    };
  }

  #transports(invocation: Invocation): Transports {
    const tabOf = (id: string) => this.#tabs.find(({ transportId }) => transportId === id);
    return {
      post: (id, text) =>
        invocation.step(() => {
          const tab = tabOf(id);
          if (tab?.socket !== "open") return "gone";
          if (!tab.frozen && text.includes('"type":7')) this.#closeSocket(tab, 1000);
          return "accepted";
        }),
      close: (id) =>
        invocation.step(() => {
          const tab = tabOf(id);
          if (tab?.socket === "open") this.#closeSocket(tab, 1006);
        }),
      look: async () => "unknown",
    };
  }

  #observe(invocation: Invocation, tab: Tab | undefined, verb: keyof Store, rows: string, result: unknown): void {
    this.#tell(`${invocation.name} ${invocation.state} ${verb} ${rows} ${JSON.stringify(result)}`);
    const { now } = this.#timeline;
    const there = new Set(this.#table.rows());
    for (const user of this.#users.values()) {
      const audience = { kind: "user", hub: HUB, user: user.name } as const;
      user.isPresent = this.#tabs.some(
        (each) => each.user === user.name && each.arrived && there.has(rowKeys.membership(audience, each.connectionId)),
      );
      if (user.isPresent) user.lastPresent = now;
      if (verb === "connectionIds" && rows.includes(`"${user.name}"`)) {
        user.gaps.set(invocation, now - user.lastPresent);
      }
    }
    const state = result as UserState | undefined | boolean;
    if (typeof state !== "object") return;
    const user = this.#users.get(state.user);
    if (user === undefined) return;
    if (verb === "arriveUser") {
      if (tab !== undefined) tab.arrived = true;
      user.lastPresent = now;
      if (state.phase === "leaving" || (state.phase === "coming" && state.holder === state.arrival)) {
        user.returns.push(now);
      }
    }
    if (verb === "claimUser" && state.phase === "leaving" && user.phase !== "leaving") {
      const gap = user.gaps.get(invocation) ?? 0;
      if (user.isPresent) this.#fail(`${user.name} is there, and said to be gone`);
      if (gap < GRACE) this.#fail(`${user.name} is said to be gone after ${gap} ms`);
    }
    if (verb === "arriveUser" || verb === "claimUser") user.phase = state.phase;
  }

  #service(invocation: Invocation) {
    const hub = defineHub()({
      methods: {},
      presence: { grace: GRACE },
      onConnected: async () => {
        await invocation.work(this.#chance.below(this.#chance.once(8) ? 6_000 : 60));
        if (this.#chance.once(15)) throw new Error("onConnected threw.");
      },
      onUserOnline: (hub, { userIdentifier }) => this.#told(invocation, hub, userIdentifier, "online"),
      onUserOffline: (hub, { userIdentifier }) => this.#told(invocation, hub, userIdentifier, "offline"),
    });
    return defineService({ hubs: { [HUB]: hub } });
  }

  async #told(
    by: Invocation,
    { redelivered }: HubServer<ClientInterface<unknown>>,
    name: string,
    kind: Told["kind"],
  ): Promise<void> {
    const user = this.#users.get(name);
    if (user === undefined) throw this.#fail(`nobody is '${name}'`);
    this.#tell(`${by.name} tells that ${name} is ${kind}${redelivered ? ", again" : ""}`);
    const other = user.told.at(-1);
    if (other !== undefined && other.by !== by && other.by.state === "running" && this.#running.has(other)) {
      this.#fail(`${name} is said to be ${kind} while another tells`);
    }
    const told: Told = { kind, by, redelivered, at: this.#timeline.now };
    user.told.push(told);
    this.#running.add(told);
    await by.work(this.#chance.below(this.#chance.once(6) ? 8_000 : 60));
    this.#running.delete(told);
    if (this.#chance.once(10)) throw new Error("It threw.");
  }

  readonly #running = new Set<Told>();

  // --- tabs and their gateway ------------------------------------------------------------------------------------

  #openTab(user: string): void {
    if (this.#age() > ARRIVALS) return;
    const id = this.#tabs.length;
    const names = { user, transportId: `transport ${id}`, connectionId: `connection ${id}` };
    const tab: Tab = { ...names, socket: "none", frozen: false, handshaken: false, arrived: false };
    this.#tabs.push(tab);
    const { transportId, connectionId } = tab;
    const stay = this.#chance.below(this.#chance.once(3) ? 60_000 : 15_000);
    this.#invoke("connect", REQUEST_TIMEOUT, tab, async ({ store, clock }) => {
      const outcome = await store.accept({
        transportId,
        connectionId,
        hub: HUB,
        deadline: clock.now() + 15_000,
        rotateAt: clock.now() + 6_600_000,
        session: {
          userIdentifier: user,
          user: { isAuthenticated: true, name: undefined, roles: [], claims: {} },
          request: { query: {}, headers: {} },
          items: {},
        },
        resumeKey: undefined,
        stateful: false,
        issuedAt: 0,
      });
      if (outcome !== "accepted") return;
      tab.socket = "open";
      this.#say(tab, `{"protocol":"json","version":1}${SEPARATOR}`);
      this.#ping(tab);
      this.#timeline.after(stay, () => this.#leave(tab));
    });
    // A reload, or another visit.
    const away = this.#chance.below(this.#chance.once(2) ? 2_000 : 25_000);
    if (!this.#chance.once(4)) this.#timeline.after(stay + away, () => this.#openTab(user));
  }

  #say(tab: Tab, text: string): void {
    if (tab.socket !== "open" || tab.frozen) return;
    const messageId = `message${this.#ids++}`;
    const frame = { transportId: tab.transportId, messageId, text, receivedAt: this.#timeline.now };
    this.#timeline.after(this.#chance.below(15), () => {
      this.#invoke("message", REQUEST_TIMEOUT, tab, (ports) => receive(ports, frame));
    });
  }

  #ping(tab: Tab): void {
    this.#timeline.after(15_000, () => {
      if (tab.socket !== "open" || tab.frozen) return;
      this.#say(tab, core.encode({ kind: "ping" }));
      this.#ping(tab);
    });
  }

  #leave(tab: Tab): void {
    if (tab.socket !== "open") return;
    switch (this.#chance.below(5)) {
      case 0:
      case 1:
        this.#say(tab, core.encode({ kind: "close" }));
        this.#timeline.after(this.#chance.below(100), () => this.#closeSocket(tab, 1000));
        return;
      case 2:
        this.#closeSocket(tab, 1006);
        return;
      case 3:
        this.#closeSocket(tab, 1001);
        return;
      default:
        tab.frozen = true;
    }
  }

  #closeSocket(tab: Tab, code: number): void {
    if (tab.socket !== "open") return;
    tab.socket = "closed";
    if (this.#chance.once(6)) return;
    const { transportId } = tab;
    const connectedAt = this.#timeline.now;
    this.#timeline.after(this.#chance.below(this.#chance.once(10) ? 60_000 : 200), () => {
      const event = { transportId, code, connectedAt };
      this.#invoke("disconnect", REQUEST_TIMEOUT, tab, (ports) => disconnect(ports, event));
    });
  }

  #scheduleSweeper(): void {
    const isQuiet = this.#age() > ARRIVALS && this.#invocations.size === 0 && this.#table.transports().length === 0;
    if (isQuiet && [...this.#users.keys()].every((user) => !this.#table.rows().includes(rowKeys.user(HUB, user))))
      return;
    if (this.#age() > HORIZON) this.#fail(`it is not over: ${this.#table.rows()}`);
    for (let sweepers = this.#chance.once(10) ? 2 : 1; sweepers > 0; sweepers--) {
      this.#invoke("sweep", SWEEP_TIMEOUT, undefined, sweep);
    }
    this.#timeline.after(60_000 + this.#chance.below(10_000), () => this.#scheduleSweeper());
  }

  #age(): number {
    return this.#timeline.now - this.#start;
  }

  /** Kept as well as thrown: what is thrown in the author's code is only logged. */
  #fail(message: string): never {
    this.#failure ??= new Error(`${message} (${this.#age()} ms into the story).`);
    throw this.#failure;
  }
}

/** `online offline online offline`, each once unless a function died over it. */
function checkTold({ name, told, returns }: User): void {
  const wrong = (what: string) =>
    new Error(`${name} ${what}: ${told.map(({ kind, redelivered }) => kind + (redelivered ? " again" : ""))}.`);
  let last: Told | undefined;
  for (const each of told) {
    if (each.kind === last?.kind) {
      if (!each.redelivered) throw wrong(`is ${each.kind} twice`);
      if (last.by.state !== "dead") throw wrong(`is ${each.kind} again, though nobody died over it`);
    }
    if (last === undefined && each.kind === "offline") throw wrong("goes before coming");
    last = each;
  }
  if (last?.kind === "online") throw wrong("never goes");
  for (const at of returns) {
    if (!told.some((each) => each.kind === "online" && each.at >= at)) throw wrong("came, and nobody was told");
  }
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };
