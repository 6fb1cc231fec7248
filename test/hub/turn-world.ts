// A world for the turn model: clients that talk, leave and vanish, a gateway that loses and repeats what it has to say,
// functions that die, sweepers. What the author's code and the rows see is checked as it happens, and at the end.

import {
  type Clock,
  type ConnectionState,
  defineHub,
  defineService,
  disconnect,
  type HubCaller,
  type Log,
  receive,
  type ServerPorts,
  type Store,
  sweep,
  type Transports,
} from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { NO_WORKERS } from "../no-workers.ts";
import { type MemoryTable, memoryTable, rowKeys } from "../suites/memory-store/index.ts";
import { Chance, Invocation, SLOWEST_ANSWER, Timeline } from "./simulation.ts";

const SEPARATOR = "\u001e";
const HUB = "chat";
/** The functions' own limits. Milliseconds. */
const REQUEST_TIMEOUT = 28_000;
const SWEEP_TIMEOUT = 180_000;
/** What a frame that was counted waits for at most, while its connection lives. */
const PATIENCE = { rough: 240_000, calm: 10_000 };
/** A frame that is older is answered with an error. */
const FRAME_AGE = 300_000;
/** By then everybody has connected, or never will. */
const ARRIVALS = 40_000;
/** Long after everybody has left. */
const HORIZON = 60 * 60_000;

interface Frame {
  readonly id: string;
  readonly client: Client;
  readonly sentAt: number;
  readonly invocation: Invocation;
  key: string | undefined;
  countedAt: number | undefined;
  claimed: { readonly by: Invocation; readonly at: number } | undefined;
  runs: number;
}

interface Run {
  readonly kind: "onConnected" | "method" | "onDisconnected";
  readonly by: Invocation;
  readonly redelivered: boolean;
  state: "running" | "returned" | "threw" | "timed out";
}

interface Client {
  readonly transportId: string;
  readonly connectionId: string;
  readonly runs: Run[];
  socket: "none" | "open" | "closed";
  frozen: boolean;
  handshaken: boolean;
  /** When it was first marked to end. */
  endedAt: number;
}

/** Lives one story to its end, where so many invocations of a client may run at a time. Throws what was wrong in it; `tell` hears all that happened. */
export async function liveThrough(seed: number, parallel = 1, tell: (line: string) => void = () => {}): Promise<void> {
  await new World(seed, parallel, tell).live();
}

class World {
  readonly #chance: Chance;
  readonly #timeline = new Timeline();
  readonly #table: MemoryTable = memoryTable();
  readonly #clients: Client[] = [];
  readonly #frames = new Map<string, Frame>();
  readonly #invocations = new Set<Invocation>();
  /** What an invocation saw waiting at its last look, by its name and what it looked at. */
  readonly #seen = new Map<string, readonly string[]>();
  /** Rows of joins and leaves whose function died in them. */
  readonly #halfDone = new Set<string>();
  readonly #horizon: number;
  /** How many functions may still die. */
  #deaths: number;
  /** Nobody dies, and the author's code is quick. */
  readonly #isCalm: boolean;
  /** No sweeper starts in this time. */
  readonly #outage: { readonly from: number; readonly to: number };
  #ids = 0;
  #failure: Error | undefined;
  readonly #parallel: number;
  readonly #tell: (line: string) => void;

  constructor(seed: number, parallel: number, tell: (line: string) => void) {
    this.#parallel = parallel;
    this.#tell = (line) => tell(`${String(this.#age()).padStart(7)} ${line}`);
    this.#chance = new Chance(seed);
    this.#horizon = this.#timeline.now + HORIZON;
    this.#deaths = this.#chance.once(3) ? 0 : 1 + this.#chance.below(4);
    this.#isCalm = this.#deaths === 0 && this.#chance.once(2);
    const from = this.#timeline.now + this.#chance.below(120_000);
    this.#outage = { from, to: this.#chance.once(10) ? from + this.#chance.below(600_000) : from };
  }

  async live(): Promise<void> {
    const count = 1 + this.#chance.below(3);
    for (let index = 0; index < count; index++) this.#addClient(index);
    this.#timeline.after(this.#chance.below(60_000), () => this.#scheduleSweeper());
    await this.#timeline.run();
    if (this.#failure !== undefined) throw this.#failure;
    for (const frame of this.#frames.values()) this.#checkFrame(frame);
    for (const client of this.#clients) checkEvents(client);
    this.#checkRows();
  }

  // --- functions -------------------------------------------------------------------------------------------------

  #invoke(name: string, limit: number, body: (ports: ServerPorts) => Promise<void>): Invocation {
    const dies = this.#deaths > 0 && this.#chance.once(4);
    if (dies) this.#deaths -= 1;
    const invocation = new Invocation(
      `${name} ${this.#ids++}`,
      this.#timeline,
      this.#chance,
      dies ? 1 + this.#chance.below(name === "sweep" ? 120 : 30) : undefined,
    );
    this.#invocations.add(invocation);
    const over = () => this.#invocations.delete(invocation);
    this.#tell(`${invocation.name} begins`);
    const timeUp = this.#timeline.after(limit, () => {
      invocation.end("dead");
      over();
    });
    this.#timeline.after(0, () => {
      body(this.#ports(invocation)).then(
        () => {
          timeUp();
          this.#tell(`${invocation.name} ends`);
          invocation.end("done");
          over();
        },
        (error) => this.#fail(`${name} threw ${error instanceof Error ? error.stack : error}`),
      );
    });
    return invocation;
  }

  #ports(invocation: Invocation): ServerPorts {
    const clock: Clock = invocation.clock;
    return {
      service: this.#service(invocation),
      clock,
      random: { id: () => `id${this.#ids++}` },
      log: silent,
      dialect: core,
      workers: NO_WORKERS,
      store: this.#store(invocation),
      transports: this.#transports(invocation),
    };
  }

  #store(invocation: Invocation): Store {
    const store = this.#table.store((verb, rows, run) =>
      invocation.step(() => {
        const result = run();
        this.#observe(invocation, verb, rows, result);
        return result;
      }),
    );
    return {
      ...store,
      join: (member, hub, group) =>
        this.#noteHalfDone(invocation, member.connectionId, group, () => store.join(member, hub, group)),
      leave: (connectionId, hub, group) =>
        this.#noteHalfDone(invocation, connectionId, group, () => store.leave(connectionId, hub, group)),
    };
  }

  /** A join whose function died between its rows, while the connection ended, leaves them to nobody. */
  async #noteHalfDone<Result>(
    invocation: Invocation,
    connectionId: string,
    group: string,
    run: () => Promise<Result>,
  ): Promise<Result> {
    const names = [
      rowKeys.groupOf(connectionId, group),
      rowKeys.membership({ kind: "group", hub: HUB, group }, connectionId),
    ].map((name) => `${name}${invocation.name}`);
    for (const name of names) this.#halfDone.add(name);
    const result = await run();
    for (const name of names) this.#halfDone.delete(name);
    return result;
  }

  #observe(invocation: Invocation, verb: keyof Store, rows: string, result: unknown): void {
    this.#tell(`${invocation.name} ${invocation.state} ${verb} ${rows} ${JSON.stringify(result)}`);
    for (const { transportId, end } of this.#table.transports()) {
      const client = this.#clients.find((each) => each.transportId === transportId);
      if (client !== undefined && end !== undefined) client.endedAt = Math.min(client.endedAt, this.#timeline.now);
    }
    if (verb === "bury" && result !== undefined) {
      const { transportId } = result as ConnectionState;
      const state = this.#table.transports().find((each) => each.transportId === transportId);
      if (state !== undefined && state.phase !== "ended")
        this.#fail(`the connection of ${transportId} was buried alive`);
    }
    const own = [...this.#frames.values()].find((frame) => frame.invocation === invocation);
    if (verb === "enqueue" && own !== undefined) own.key = rows;
    if (verb === "count" && own !== undefined && result !== undefined) own.countedAt = this.#timeline.now;
    if (verb === "waiting") {
      const waiting = result as Awaited<ReturnType<Store["waiting"]>>;
      this.#seen.set(
        invocation.name + rows,
        waiting.map(({ key }) => `${rows}${JSON.stringify(key)},`),
      );
    }
    if (verb === "claimFrame" && result === true) this.#observeClaim(invocation, rows);
  }

  #observeClaim(invocation: Invocation, row: string): void {
    // Close waits its turn as well, but runs no code of the author's.
    const frame = [...this.#frames.values()].find(({ key }) => key === row);
    if (frame !== undefined) frame.claimed = { by: invocation, at: this.#timeline.now };
    const partition = row.slice(0, row.lastIndexOf(',"') + 1);
    const earlier = (this.#seen.get(invocation.name + partition) ?? []).filter((key) => key < row);
    const left = this.#table.rows().find((key) => earlier.includes(key));
    if (left !== undefined) this.#fail(`${row} was run before ${left}, which was received earlier and seen`);
  }

  #transports(invocation: Invocation): Transports {
    const clientOf = (id: string) => this.#clients.find(({ transportId }) => transportId === id);
    return {
      post: (id, text) =>
        invocation.step(() => {
          const client = clientOf(id);
          if (client?.socket !== "open") return "gone";
          if (this.#chance.once(100)) return "failed";
          this.#arrive(client, text);
          return "accepted";
        }),
      close: (id) =>
        invocation.step(() => {
          const client = clientOf(id);
          if (client?.socket === "open") this.#closeSocket(client, 1006);
        }),
      look: async () => "unknown",
    };
  }

  // --- the author's code -----------------------------------------------------------------------------------------

  #service(invocation: Invocation) {
    const hub = defineHub<{ hello(): void }>()({
      methods: {
        work: (hub, frameId: string) => this.#method(invocation, hub, frameId),
      },
      onConnected: (hub) => this.#connected(invocation, hub),
      onDisconnected: (hub) => this.#disconnected(invocation, hub),
    });
    return defineService({ hubs: { [HUB]: hub }, maximumParallelInvocationsPerClient: this.#parallel });
  }

  async #connected(invocation: Invocation, hub: Omit<HubCaller<never>, "clients">): Promise<void> {
    const client = this.#clientOf(hub);
    if (client.runs.length > 0) this.#fail("onConnected ran after something else of its connection");
    await this.#run(client, "onConnected", invocation, hub, async () => {
      if (this.#chance.once(3)) await hub.groups.add("joined in onConnected");
      await this.#work(invocation);
      if (this.#chance.once(15)) throw new Error("onConnected threw.");
      if (this.#chance.once(20)) hub.abort();
    });
  }

  async #disconnected(invocation: Invocation, hub: Omit<HubCaller<never>, "clients">): Promise<void> {
    const client = this.#clientOf(hub);
    await this.#run(client, "onDisconnected", invocation, hub, async () => {
      await this.#work(invocation);
      if (this.#chance.once(10)) throw new Error("onDisconnected threw.");
    });
  }

  async #method(invocation: Invocation, hub: HubCaller<{ hello(): void }>, frameId: string): Promise<string> {
    const client = this.#clientOf(hub);
    const frame = this.#frames.get(frameId);
    if (frame === undefined) throw this.#fail(`'${frameId}' ran, which nobody sent`);
    frame.runs += 1;
    if (frame.runs > 1) this.#fail(`'${frameId}' ran twice`);
    if (!client.runs.some((run) => run.kind === "onConnected" && run.state === "returned")) {
      this.#fail(`'${frameId}' ran before onConnected was through`);
    }
    await this.#run(client, "method", invocation, hub, async () => {
      const group = `group ${this.#chance.below(2)}`;
      const other = this.#clients[this.#chance.below(this.#clients.length)] ?? client;
      if (this.#chance.once(5)) await hub.groups.add(group);
      // Of several methods one may join what another leaves: a race that may leave one of the two rows.
      if (this.#chance.once(10) && this.#parallel === 1) await hub.groups.remove(group);
      // A group of its own, which nobody leaves, for the same reason.
      if (this.#chance.once(10)) await hub.groups.addToGroup(other.connectionId, "invited");
      if (this.#chance.once(10)) hub.items.set(group, this.#timeline.now);
      // Not awaited: the run waits for it.
      if (this.#chance.once(20)) void hub.clients.all.hello();
      await this.#work(invocation);
      if (this.#chance.once(10)) await hub.clients.group(group).hello();
      if (this.#chance.once(40)) await hub.connections.close(other.connectionId, { reason: "Enough." });
      if (this.#chance.once(40)) hub.abort();
      if (this.#chance.once(20)) throw new Error("The method threw.");
    });
    return frameId;
  }

  #work(invocation: Invocation): Promise<void> {
    // Well beyond the limit or well within it: at the limit, who is to say whether it was kept?
    if (!this.#isCalm && this.#chance.once(60)) return invocation.work(26_000 + this.#chance.below(14_000));
    return invocation.work(this.#chance.below(!this.#isCalm && this.#chance.once(8) ? 6_000 : 60));
  }

  /** One runner per connection, no event beside another, and no more methods than may be. */
  async #run(
    client: Client,
    kind: Run["kind"],
    by: Invocation,
    hub: Omit<HubCaller<never>, "clients">,
    code: () => Promise<void>,
  ): Promise<void> {
    const running = client.runs.filter((run) => run.state === "running" && run.by.state === "running");
    // The transport may be gone while methods of its are run.
    const allowed = { onConnected: undefined, method: "onDisconnected", onDisconnected: "method" }[kind];
    const beside = running.filter((run) => run.kind !== allowed);
    const isMethod = kind === "method" && beside.every((run) => run.kind === "method" && run.by === by);
    if (beside.length > (isMethod ? this.#parallel - 1 : 0))
      this.#fail(`${kind} by ${by.name} overlaps ${beside.map((run) => run.kind)}`);
    this.#tell(`${by.name} runs ${kind} of ${client.connectionId}`);
    const run: Run = { kind, by, redelivered: hub.redelivered, state: "running" };
    client.runs.push(run);
    hub.aborted.addEventListener("abort", () => {
      if ((hub.aborted.reason as Error).name === "TimeoutError") run.state = "timed out";
    });
    const settle = (state: "returned" | "threw") => {
      if (run.state === "running") run.state = state;
    };
    await code().then(
      () => settle("returned"),
      (error) => {
        settle("threw");
        throw error;
      },
    );
  }

  #clientOf(hub: Omit<HubCaller<never>, "clients">): Client {
    const client = this.#clients.find(({ connectionId }) => connectionId === hub.connectionId);
    if (client === undefined) throw this.#fail(`nobody is '${hub.connectionId}'`);
    return client;
  }

  // --- clients and their gateway ---------------------------------------------------------------------------------

  #addClient(index: number): void {
    const client: Client = {
      transportId: `transport ${index}`,
      connectionId: `connection ${index}`,
      runs: [],
      socket: "none",
      frozen: false,
      handshaken: false,
      endedAt: Number.POSITIVE_INFINITY,
    };
    this.#clients.push(client);
    this.#timeline.after(this.#chance.below(3_000), () => {
      this.#connect(client);
      if (this.#chance.once(20))
        this.#timeline.after(this.#chance.below(1_000), () => this.#sayDisconnected(client, 1006));
    });
    // Somebody else presents the same token.
    if (this.#chance.once(8)) {
      const thief = { ...client, transportId: `${client.transportId} of a thief` };
      this.#timeline.after(this.#chance.below(6_000), () => this.#accept(thief, () => {}));
    }
  }

  #connect(client: Client): void {
    this.#accept(client, () => {
      client.socket = "open";
      if (!this.#chance.once(30)) this.#say(client, this.#handshake(client));
      this.#ping(client);
      const stay = 30_000 + this.#chance.below(this.#chance.once(3) ? 400_000 : 60_000);
      this.#timeline.after(stay, () => this.#leave(client));
    });
  }

  #accept({ transportId, connectionId }: Client, accepted: () => void): void {
    this.#invoke("connect", REQUEST_TIMEOUT, async ({ store, clock }) => {
      const outcome = await store.accept({
        transportId,
        connectionId,
        hub: HUB,
        deadline: clock.now() + 15_000,
        rotateAt: clock.now() + (this.#chance.once(10) ? this.#chance.below(60_000) : 6_600_000),
        session: {
          userIdentifier: this.#chance.once(2) ? "ada" : undefined,
          user: { isAuthenticated: true, name: undefined, roles: [], claims: {} },
          request: { query: {}, headers: {} },
          items: {},
        },
        resumeKey: undefined,
        stateful: false,
        issuedAt: 0,
      });
      if (outcome === "accepted") accepted();
    });
  }

  #handshake(client: Client): string {
    if (this.#chance.once(30)) return `{"protocol":"morse","version":1}${SEPARATOR}`;
    const rest = this.#chance.once(10) ? this.#invocationOf(`${client.connectionId} with its handshake`) : "";
    return `{"protocol":"json","version":1}${SEPARATOR}${rest}`;
  }

  #arrive(client: Client, text: string): void {
    if (client.frozen) return;
    if (text.startsWith(`{}${SEPARATOR}`) && !client.handshaken) {
      client.handshaken = true;
      this.#talk(client, this.#chance.below(8));
    }
    if (text.includes('"type":7')) this.#closeSocket(client, 1000);
  }

  #talk(client: Client, frames: number): void {
    if (frames === 0) {
      if (this.#chance.once(2)) this.#timeline.after(this.#chance.below(200_000), () => this.#leave(client));
      return;
    }
    this.#timeline.after(this.#chance.below(this.#chance.once(3) ? 8_000 : 60), () => {
      this.#say(client, undefined);
      this.#talk(client, frames - 1);
    });
  }

  #ping(client: Client): void {
    this.#timeline.after(15_000, () => {
      if (client.socket !== "open" || client.frozen) return;
      this.#say(client, core.encode({ kind: "ping" }));
      this.#ping(client);
    });
  }

  /** Sends `text`, or an invocation of its own. The gateway starts a function per frame, some of them later than others. */
  #say(client: Client, text: string | undefined): void {
    if (client.socket !== "open" || client.frozen) return;
    const id = `frame ${this.#ids++} of ${client.connectionId}`;
    const messageId = `message${this.#ids}`;
    const sentAt = this.#timeline.now;
    this.#timeline.after(this.#chance.once(6) ? this.#chance.below(1_500) : this.#chance.below(15), () => {
      const body = text?.includes("with its handshake") ? text.replace(/[^"]*with its handshake/, id) : text;
      const frame = {
        transportId: client.transportId,
        messageId,
        text: body ?? this.#invocationOf(id),
        receivedAt: sentAt,
      };
      const invocation = this.#invoke("message", REQUEST_TIMEOUT, (ports) => receive(ports, frame));
      if (!frame.text.includes(id)) return;
      const fresh = { key: undefined, countedAt: undefined, claimed: undefined, runs: 0 };
      this.#frames.set(id, { id, client, sentAt, invocation, ...fresh });
    });
  }

  #invocationOf(id: string): string {
    const invocationId = this.#chance.once(3) ? {} : { invocationId: String(this.#ids++) };
    return `${JSON.stringify({ type: 1, ...invocationId, target: "work", arguments: [id] })}${SEPARATOR}`;
  }

  #leave(client: Client): void {
    if (client.socket !== "open") return;
    switch (this.#chance.below(4)) {
      case 0:
        this.#say(client, core.encode({ kind: "close" }));
        this.#timeline.after(this.#chance.below(100), () => this.#closeSocket(client, 1000));
        return;
      case 1:
        this.#closeSocket(client, 1006);
        return;
      case 2:
        this.#closeSocket(client, 1001);
        return;
      default:
        client.frozen = true;
    }
  }

  #closeSocket(client: Client, code: number): void {
    if (client.socket !== "open") return;
    client.socket = "closed";
    if (this.#chance.once(4)) return;
    this.#sayDisconnected(client, code);
    if (this.#chance.once(8)) this.#sayDisconnected(client, code);
  }

  #sayDisconnected({ transportId }: Client, code: number): void {
    const connectedAt = this.#timeline.now;
    this.#timeline.after(this.#chance.below(this.#chance.once(10) ? 60_000 : 200), () => {
      this.#invoke("disconnect", REQUEST_TIMEOUT, (ports) => disconnect(ports, { transportId, code, connectedAt }));
    });
  }

  #scheduleSweeper(): void {
    const { now } = this.#timeline;
    const isLate = this.#age() > ARRIVALS;
    const isQuiet = isLate && this.#invocations.size === 0 && this.#table.transports().length === 0;
    if (isQuiet && this.#clients.every((client) => client.socket !== "open" || client.frozen)) return;
    if (now > this.#horizon) this.#fail(`it is not over after an hour: ${this.#table.rows()}`);
    this.#table.collectGarbage(now);
    const isOut = now >= this.#outage.from && now < this.#outage.to;
    const sweepers = isOut ? 0 : this.#chance.once(10) ? 2 : 1;
    for (let index = 0; index < sweepers; index++) this.#invoke("sweep", SWEEP_TIMEOUT, sweep);
    this.#timeline.after(60_000 + this.#chance.below(10_000), () => this.#scheduleSweeper());
  }

  // --- the end ---------------------------------------------------------------------------------------------------

  #checkFrame({ id, client, sentAt, invocation, countedAt, claimed, runs }: Frame): void {
    if (runs > 0) return;
    if (countedAt === undefined) {
      const wasRefused = client.endedAt <= invocation.endedAt;
      if (invocation.state === "done" && !wasRefused) this.#fail(`${id} was neither run nor counted`);
      return;
    }
    if (claimed === undefined) {
      const patience = this.#isCalm ? PATIENCE.calm : PATIENCE.rough;
      const until = Math.max(countedAt, this.#outage.to) + patience;
      if (client.endedAt > until) this.#fail(`${id} was counted and never run`);
      return;
    }
    // Its age is looked at when the answer to the claim has come.
    const isTooOld = claimed.at + SLOWEST_ANSWER - sentAt > FRAME_AGE;
    // A method beside it may have ended the connection.
    const isOver = this.#parallel > 1 && client.endedAt <= claimed.by.endedAt;
    if (claimed.by.state === "done" && !isTooOld && !isOver)
      this.#fail(`${id} was claimed by ${claimed.by.name} and never run`);
    if (isTooOld && this.#isCalm) this.#fail(`${id} was too old when its turn came, though nobody was in its way`);
  }

  #checkRows(): void {
    this.#table.collectGarbage(Number.POSITIVE_INFINITY);
    const isHalfDone = (row: string) => [...this.#halfDone].some((name) => name.startsWith(row));
    const left = this.#table.rows().filter((row) => row !== rowKeys.sweeper && !isHalfDone(row));
    if (left.length > 0) this.#fail(`rows are left: ${left}`);
  }

  #age(): number {
    return this.#timeline.now - (this.#horizon - HORIZON);
  }

  /** Kept as well as thrown: what is thrown in the author's code is only logged. */
  #fail(message: string): never {
    this.#failure ??= new Error(`${message} (${this.#age()} ms into the story).`);
    throw this.#failure;
  }
}

/** `connected disconnected`, each at most once unless its function died in it. */
function checkEvents({ connectionId, runs }: Client): void {
  const wrong = (what: string) =>
    new Error(`${connectionId} ${what}: ${runs.map(({ kind, state }) => `${kind} ${state}`)}.`);
  const connected = runs.filter((run) => run.kind === "onConnected");
  const disconnected = runs.filter((run) => run.kind === "onDisconnected");
  const [opening] = connected;
  if (connected.length > 1) throw wrong("was connected twice");
  if (runs.findLastIndex((run) => run.kind === "onConnected") > 0) throw wrong("began with something else");
  if (opening === undefined) return;
  const hasFailed = opening.state === "threw" || opening.state === "timed out";
  if (hasFailed && opening.by.state === "done" && disconnected.length > 0)
    throw wrong("ended, but never was connected");
  if (!hasFailed && disconnected.length === 0) throw wrong("never ended");
  disconnected.forEach((run, index) => {
    const before = disconnected[index - 1];
    if (before === undefined) return;
    if (before.by.state !== "dead") throw wrong("ended twice, though nobody died in it");
    if (!run.redelivered) throw wrong("ended again without saying so");
  });
  if (disconnected.length > 0 && disconnected.at(-1)?.state === "running") throw wrong("never finished its end");
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };
