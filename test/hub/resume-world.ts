// A world for the resume model: clients with a resume key whose sockets break, half break and come back, twice at once
// or never; senders with numbered messages for them; functions that die. It runs the project's own connect, receive,
// disconnect, sweep and delivery.

import { connect } from "../../lambdas/hub/connect.ts";
import { createDelivery } from "../../lambdas/hub/delivery.ts";
import {
  defineHub,
  defineService,
  disconnect,
  type HubCaller,
  type Log,
  receive,
  type ServerPorts,
  sweep,
} from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { type MemoryTable, memoryTable, rowKeys } from "../suites/memory-store.ts";
import { Chance, Invocation, Timeline } from "./simulation.ts";

const SEPARATOR = "\u001e";
const HUB = "chat";
const REQUEST_TIMEOUT = 28_000;
const SWEEP_TIMEOUT = 180_000;
/** When clients begin to stay on their sockets, then when all of them leave for good, then when all has to be over. */
const STORMS = 120_000;
const LEAVING = 240_000;
const HORIZON = 30 * 60_000;
/** How long a frame, or a message, takes at most to get through when nobody dies and the socket works. */
const PATIENCE = 30_000;

interface Socket {
  readonly transportId: string;
  readonly client: Client;
  /** What the gateway thinks. */
  isOpen: boolean;
  /** What the client thinks: what is posted after that, nobody reads. */
  brokenAt: number;
  answered: boolean;
  readonly read: Message[];
}

interface Client {
  readonly key: string;
  readonly sockets: Socket[];
  connectionId: string | undefined;
}

interface Message {
  readonly sender: string;
  readonly number: number;
  readonly connectionId: string;
}

interface Run {
  readonly kind: "connected" | "reconnected" | "method" | "disconnected";
  readonly by: Invocation;
  isOver: boolean;
  hasFailed: boolean;
}

interface Frame {
  readonly id: string;
  readonly socket: Socket;
  readonly sentAt: number;
  runs: number;
}

/** Lives one story to its end. Throws what was wrong in it; `tell` hears all that happened. */
export async function resumeThrough(seed: number, tell: (line: string) => void = () => {}): Promise<void> {
  await new ResumeWorld(seed, tell).live();
}

class ResumeWorld {
  readonly #chance: Chance;
  readonly #timeline = new Timeline();
  readonly #start: number;
  readonly #table: MemoryTable = memoryTable();
  readonly #clients: Client[] = [];
  readonly #sockets = new Map<string, Socket>();
  readonly #runs = new Map<string, Run[]>();
  readonly #endedAt = new Map<string, number>();
  readonly #frames = new Map<string, Frame>();
  readonly #sent: { readonly message: Message; readonly at: number }[] = [];
  /** Accepted by a socket that nobody read any more. */
  readonly #swallowed = new Set<string>();
  readonly #invocations = new Set<Invocation>();
  readonly #isCalm: boolean;
  readonly #tell: (line: string) => void;
  #deaths: number;
  #ids = 0;
  #failure: Error | undefined;

  constructor(seed: number, tell: (line: string) => void) {
    this.#chance = new Chance(seed);
    this.#start = this.#timeline.now;
    this.#tell = (line) => tell(`${String(this.#age()).padStart(7)} ${line}`);
    this.#deaths = this.#chance.once(2) ? 0 : 1 + this.#chance.below(5);
    this.#isCalm = this.#deaths === 0;
  }

  async live(): Promise<void> {
    for (let index = 0; index <= this.#chance.below(2); index++) {
      const client: Client = { key: `${index}`.padStart(32, "k"), sockets: [], connectionId: undefined };
      this.#clients.push(client);
      this.#timeline.after(this.#chance.below(3_000), () => this.#connect(client));
    }
    for (let index = 0; index < 3; index++) this.#timeline.after(2_000, () => this.#send(`sender ${index}`, 1));
    this.#timeline.after(this.#chance.below(5_000), () => this.#sweep());
    await this.#timeline.run();
    if (this.#failure !== undefined) throw this.#failure;
    for (const [connectionId, runs] of this.#runs) this.#checkEvents(connectionId, runs);
    this.#checkMessages();
    this.#table.collectGarbage(Number.POSITIVE_INFINITY);
    const left = this.#table.rows().filter((row) => row !== rowKeys.sweeper);
    if (left.length > 0) this.#fail(`rows are left: ${left}`);
  }

  // --- functions -------------------------------------------------------------------------------------------------

  #invoke(name: string, limit: number, body: (ports: ServerPorts, invocation: Invocation) => Promise<void>): void {
    const dies = this.#deaths > 0 && this.#chance.once(6);
    if (dies) this.#deaths -= 1;
    const diesAt = dies ? 1 + this.#chance.below(name === "sweep" ? 120 : 40) : undefined;
    const invocation = new Invocation(`${name} ${this.#ids++}`, this.#timeline, this.#chance, diesAt);
    this.#invocations.add(invocation);
    const end = (state: "done" | "dead"): void => {
      invocation.end(state);
      this.#invocations.delete(invocation);
    };
    const timeUp = this.#timeline.after(limit, () => end("dead"));
    this.#timeline.after(0, () => {
      body(this.#ports(invocation), invocation).then(
        () => {
          timeUp();
          end("done");
        },
        (error) => this.#fail(`${name} threw ${error instanceof Error ? error.stack : error}`),
      );
    });
  }

  #ports(invocation: Invocation): ServerPorts {
    return {
      service: this.#service(invocation),
      clock: invocation.clock,
      random: { id: () => `id${this.#ids++}` },
      log: silent,
      dialect: core,
      store: this.#table.store((verb, rows, run) =>
        invocation.step(() => {
          const result = run();
          this.#tell(`${invocation.name} ${invocation.state} ${verb} ${rows} ${JSON.stringify(result)}`);
          const isMarked = verb === "markEnd" || verb === "claimEnd";
          if (isMarked && result !== undefined) this.#noteEnd(result as { connectionId: string });
          return result;
        }),
      ),
      transports: {
        post: (id, text) =>
          invocation.step(() => {
            const socket = this.#sockets.get(id);
            this.#tell(`${invocation.name} posts to ${id} (${socket?.isOpen}, broken ${socket?.brokenAt}) ${text}`);
            if (socket === undefined || !socket.isOpen) return "gone";
            this.#arrive(socket, text);
            return "accepted";
          }),
        close: (id) =>
          invocation.step(() => {
            const socket = this.#sockets.get(id);
            if (socket !== undefined) this.#closed(socket, 1006);
          }),
      },
    };
  }

  #noteEnd({ connectionId }: { connectionId: string }): void {
    if (!this.#endedAt.has(connectionId)) this.#endedAt.set(connectionId, this.#timeline.now);
  }

  #service(invocation: Invocation) {
    const run = (kind: Run["kind"]) => (hub: HubCaller<unknown>) => this.#run(kind, invocation, hub);
    const hub = defineHub<{ hello(): void }>()({
      methods: {
        work: async (hub, frameId: string) => {
          const frame = this.#frames.get(frameId);
          if (frame === undefined || frame.runs++ > 0) this.#fail(`'${frameId}' ran twice`);
          hub.items.set(frameId, 1);
          await this.#run("method", invocation, hub);
        },
      },
      onConnected: async (hub) => {
        const client = this.#clients.find(({ key }) => key === hub.request.query.owner);
        if (client !== undefined) client.connectionId = hub.connectionId;
        await run("connected")(hub);
      },
      onReconnected: run("reconnected"),
      onDisconnected: run("disconnected"),
    });
    return defineService({ hubs: { [HUB]: hub } });
  }

  /** One runner per connection, and no event beside another. */
  async #run(kind: Run["kind"], by: Invocation, { connectionId }: HubCaller<unknown>): Promise<void> {
    const runs = this.#runs.get(connectionId) ?? [];
    this.#runs.set(connectionId, runs);
    const beside = runs.filter((run) => !run.isOver && run.by.state === "running");
    // The connection may end while methods of its are run.
    const isWrong = beside.filter((run) => kind !== "disconnected" || run.kind === "disconnected");
    if (isWrong.length > 0) this.#fail(`${kind} by ${by.name} overlaps ${isWrong.map((run) => run.kind)}`);
    this.#tell(`${by.name} runs ${kind} of ${connectionId}`);
    const run: Run = { kind, by, isOver: false, hasFailed: false };
    runs.push(run);
    await by.work(this.#chance.below(this.#chance.once(6) ? 4_000 : 60));
    run.isOver = true;
  }

  // --- clients and their gateway ---------------------------------------------------------------------------------

  #connect(client: Client): void {
    if (this.#age() > LEAVING) return;
    const transportId = `transport ${this.#ids++} of ${client.key.at(-1)}`;
    const request = {
      hubPath: HUB,
      headers: {},
      query: { resume: client.key, owner: client.key },
      sourceIp: undefined,
    };
    const tokens = { issue: async () => "", verify: async () => undefined, nameOfKey: async () => client.key };
    let isAnswered = false;
    this.#invoke("connect", REQUEST_TIMEOUT, async (ports) => {
      const refusal = await connect({ ...ports, tokens, authenticate: undefined }, { ...request, transportId });
      isAnswered = true;
      this.#tell(`${transportId} is ${refusal === undefined ? "accepted" : `refused: ${refusal.status}`}`);
      if (refusal === undefined) this.#opened(client, transportId);
      else this.#timeline.after(1_000 + this.#chance.below(4_000), () => this.#comeBack(client));
    });
    this.#timeline.after(REQUEST_TIMEOUT + 1_000, () => {
      if (!isAnswered) this.#comeBack(client);
    });
  }

  #opened(client: Client, transportId: string): void {
    for (const other of client.sockets) this.#break(other, false);
    const brokenAt = Number.POSITIVE_INFINITY;
    const socket: Socket = { transportId, client, isOpen: true, brokenAt, answered: false, read: [] };
    client.sockets.push(socket);
    this.#sockets.set(transportId, socket);
    const isStormy = this.#age() < STORMS;
    if (!isStormy || !this.#chance.once(8)) this.#say(socket, `{"protocol":"json","version":1}${SEPARATOR}`);
    this.#ping(socket);
    if (isStormy)
      this.#timeline.after(this.#chance.below(this.#chance.once(3) ? 200 : 30_000), () => this.#break(socket));
    this.#timeline.after(LEAVING - this.#age() + this.#chance.below(1_000), () => this.#break(socket, false));
  }

  /** For the client it is over; the gateway learns of it at once, late or never. */
  #break(socket: Socket, comesBack = true): void {
    if (socket.brokenAt <= this.#timeline.now) return;
    socket.brokenAt = this.#timeline.now;
    this.#tell(`${socket.transportId} breaks`);
    const learns = this.#chance.below(4);
    if (learns < 2) this.#closed(socket, 1006);
    if (learns === 2) this.#timeline.after(this.#chance.below(40_000), () => this.#closed(socket, 1006));
    if (comesBack) this.#timeline.after(this.#chance.below(8_000), () => this.#comeBack(socket.client));
  }

  #comeBack(client: Client): void {
    const works = client.sockets.some((socket) => socket.brokenAt === Number.POSITIVE_INFINITY);
    if (works) return;
    this.#connect(client);
    if (this.#age() < STORMS && this.#chance.once(6)) this.#connect(client);
  }

  #closed(socket: Socket, code: number): void {
    if (!socket.isOpen) return;
    socket.isOpen = false;
    if (socket.brokenAt === Number.POSITIVE_INFINITY) {
      socket.brokenAt = this.#timeline.now;
      this.#timeline.after(this.#chance.below(5_000), () => this.#comeBack(socket.client));
    }
    if (this.#chance.once(4)) return;
    const { transportId } = socket;
    const connectedAt = this.#timeline.now;
    this.#timeline.after(this.#chance.below(this.#chance.once(6) ? 60_000 : 200), () => {
      this.#invoke("disconnect", REQUEST_TIMEOUT, (ports) => disconnect(ports, { transportId, code, connectedAt }));
    });
  }

  #arrive(socket: Socket, text: string): void {
    const isRead = socket.brokenAt > this.#timeline.now;
    for (const record of text.split(SEPARATOR)) {
      if (record === "{}" && isRead && !socket.answered) {
        socket.answered = true;
        this.#talk(socket, this.#chance.below(6));
      }
      if (record.includes('"type":7')) this.#break(socket);
      if (!record.includes('"hello"')) continue;
      const [sender, number, connectionId] = JSON.parse(record).arguments;
      const message: Message = { sender, number, connectionId };
      if (!isRead) this.#swallowed.add(nameOf(message));
      else if (!socket.answered) this.#fail(`${nameOf(message)} came before the answer to the handshake`);
      else socket.read.push(message);
    }
  }

  #talk(socket: Socket, frames: number): void {
    if (frames === 0) return;
    this.#timeline.after(this.#chance.below(this.#chance.once(3) ? 8_000 : 60), () => {
      const id = `frame ${this.#ids++}`;
      if (socket.brokenAt > this.#timeline.now) {
        const frame: Frame = { id, socket, sentAt: this.#timeline.now, runs: 0 };
        this.#frames.set(id, frame);
        this.#say(socket, `${JSON.stringify({ type: 1, target: "work", arguments: [id] })}${SEPARATOR}`);
        if (this.#isCalm) this.#timeline.after(PATIENCE, () => this.#checkFrame(frame));
      }
      this.#talk(socket, frames - 1);
    });
  }

  #ping(socket: Socket): void {
    this.#timeline.after(10_000, () => {
      if (socket.brokenAt <= this.#timeline.now) return;
      if (socket.answered) this.#say(socket, core.encode({ kind: "ping" }));
      this.#ping(socket);
    });
  }

  #say(socket: Socket, text: string): void {
    if (socket.brokenAt <= this.#timeline.now) return;
    const { transportId } = socket;
    const frame = { transportId, messageId: `m${this.#ids++}`, text, receivedAt: this.#timeline.now };
    this.#timeline.after(this.#chance.below(15), () => {
      this.#invoke("message", REQUEST_TIMEOUT, (ports) => receive(ports, frame));
    });
  }

  /** One message after the other, to whoever is connected. */
  #send(sender: string, number: number): void {
    if (this.#age() > LEAVING - 2 * PAUSE_AT_END) return;
    const client = this.#clients[this.#chance.below(this.#clients.length)];
    const connectionId = client?.connectionId;
    const again = () => {
      const pause = this.#chance.below(this.#chance.once(3) ? 6_000 : 100);
      this.#timeline.after(pause, () => this.#send(sender, number + 1));
    };
    if (connectionId === undefined) {
      again();
      return;
    }
    const message: Message = { sender, number, connectionId };
    const args = [sender, number, connectionId];
    let isOver = false;
    this.#invoke("send", REQUEST_TIMEOUT, async (ports) => {
      const delivery = createDelivery(ports, HUB, "sender", undefined);
      const at = this.#timeline.now;
      await delivery.toConnection(connectionId, { kind: "invocation", target: "hello", args });
      this.#sent.push({ message, at });
      isOver = true;
      again();
    });
    this.#timeline.after(REQUEST_TIMEOUT + 1, () => {
      if (!isOver) again();
    });
  }

  #sweep(): void {
    const isQuiet = this.#age() > LEAVING + REQUEST_TIMEOUT * 2 && this.#table.transports().length === 0;
    if (isQuiet && this.#invocations.size === 0) return;
    if (this.#age() > HORIZON) this.#fail(`it is not over after half an hour: ${this.#table.rows()}`);
    this.#invoke("sweep", SWEEP_TIMEOUT, sweep);
    this.#timeline.after(60_000, () => this.#sweep());
  }

  // --- the end ---------------------------------------------------------------------------------------------------

  #checkFrame({ id, socket, runs }: Frame): void {
    if (runs === 0 && socket.brokenAt === Number.POSITIVE_INFINITY) this.#fail(`${id} was never run`);
  }

  #checkEvents(connectionId: string, runs: readonly Run[]): void {
    const kinds = runs.map(({ kind }) => kind);
    const wrong = (what: string) => this.#fail(`${connectionId} ${what}: ${kinds}`);
    // A function may die when it is a member already, and before `onConnected` has begun.
    const never = !this.#isCalm && kinds.every((kind) => kind === "disconnected");
    if (!never && kinds.lastIndexOf("connected") !== 0) wrong("was not connected first, and once");
    const ends = runs.filter(({ kind }) => kind === "disconnected");
    if (ends.length === 0) wrong("never ended");
    if (ends.slice(0, -1).some((run) => run.by.state !== "dead")) wrong("ended twice, though nobody died in it");
    if (kinds.lastIndexOf("reconnected") > kinds.indexOf("disconnected") && kinds.includes("reconnected")) {
      wrong("came back after its end");
    }
  }

  #checkMessages(): void {
    const read = new Map<string, number>();
    const all = new Set<string>();
    for (const socket of this.#sockets.values()) {
      const own = new Set<string>();
      for (const message of socket.read) {
        const name = nameOf(message);
        if (own.has(name)) this.#fail(`${name} was read twice from ${socket.transportId}`);
        own.add(name);
        if (all.has(name)) continue;
        all.add(name);
        const line = `${message.sender} to ${message.connectionId}`;
        if ((read.get(line) ?? 0) > message.number) this.#fail(`${name} was read after ${read.get(line)}`);
        read.set(line, message.number);
      }
    }
    if (!this.#isCalm) return;
    for (const { message } of this.#sent) {
      const name = nameOf(message);
      const endedAt = this.#endedAt.get(message.connectionId) ?? Number.POSITIVE_INFINITY;
      if (all.has(name) || this.#swallowed.has(name) || endedAt < this.#start + LEAVING) continue;
      this.#fail(`${name} was lost`);
    }
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

/** Nobody sends in the last moments, so that everything has had its time to arrive. */
const PAUSE_AT_END = 30_000;

function nameOf({ sender, number, connectionId }: Message): string {
  return `message ${number} of ${sender} to ${connectionId}`;
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };
