// A world for the resume model: clients with a resume key, with stateful reconnect, or with both, whose sockets break,
// half break and come back, twice at once or never; senders with numbered messages for them; functions that die. It
// runs the project's own negotiate, connect, receive, disconnect, sweep and delivery.

import { connect } from "../../lambdas/hub/connect.ts";
import { createDelivery } from "../../lambdas/hub/delivery.ts";
import {
  type ConnectionTokens,
  defineHub,
  defineService,
  disconnect,
  type HubCaller,
  type Log,
  negotiate,
  receive,
  type ServerPorts,
  sweep,
} from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { NO_RUNNERS, NO_WORKERS } from "../no-workers.ts";
import { type MemoryTable, memoryTable, rowKeys } from "../suites/memory-store/index.ts";
import { MessageBuffer } from "./message-buffer.ts";
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
  readonly session: ClientSession;
}

/** From handshake to handshake. */
interface ClientSession {
  readonly read: Message[];
  /** A stateful client's. */
  readonly buffer: MessageBuffer | undefined;
  /** Given up: what it asked, nobody waits for any more. */
  isOver: boolean;
}

interface Client {
  readonly name: string;
  readonly key: string | undefined;
  readonly isStateful: boolean;
  readonly sockets: Socket[];
  token: string | undefined;
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
  readonly connectionId: string | undefined;
  runs: number;
  answers: number;
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
  readonly #sessions: ClientSession[] = [];
  /** Connections of stateful clients. */
  readonly #counting = new Set<string>();
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
      const isStateful = this.#chance.once(2);
      const key = isStateful && this.#chance.once(2) ? undefined : `${index}`.padStart(32, "k");
      const name = `${index}${isStateful ? " stateful" : ""}${key === undefined ? "" : " key"}`;
      const client: Client = { name, key, isStateful, sockets: [], token: undefined, connectionId: undefined };
      this.#clients.push(client);
      this.#timeline.after(this.#chance.below(3_000), () => this.#connect(client));
    }
    for (let index = 0; index < 3; index++) this.#timeline.after(2_000, () => this.#send(`sender ${index}`, 1));
    this.#timeline.after(this.#chance.below(5_000), () => this.#sweep());
    await this.#timeline.run();
    if (this.#failure !== undefined) throw this.#failure;
    for (const [connectionId, runs] of this.#runs) this.#checkEvents(connectionId, runs);
    this.#checkMessages();
    for (const frame of this.#frames.values()) this.#checkAnswer(frame);
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
      workers: NO_WORKERS,
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
        look: async () => "unknown",
      },
    };
  }

  #noteEnd({ connectionId }: { connectionId: string }): void {
    if (!this.#endedAt.has(connectionId)) this.#endedAt.set(connectionId, this.#timeline.now);
  }

  #service(invocation: Invocation) {
    const run = (kind: Run["kind"]) => (hub: Pick<HubCaller<never>, "connectionId">) =>
      this.#run(kind, invocation, hub);
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
        const client = this.#clients.find(({ name }) => name === hub.request.query.owner);
        if (client !== undefined) client.connectionId = hub.connectionId;
        if (client?.isStateful) this.#counting.add(hub.connectionId);
        await run("connected")(hub);
      },
      onReconnected: run("reconnected"),
      onDisconnected: run("disconnected"),
    });
    return defineService({ hubs: { [HUB]: hub } });
  }

  /** One runner per connection, and no event beside another. */
  async #run(
    kind: Run["kind"],
    by: Invocation,
    { connectionId }: Pick<HubCaller<never>, "connectionId">,
  ): Promise<void> {
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

  /** With a new handshake: after negotiate, or straight away for a client that skips it. */
  #connect(client: Client): void {
    if (this.#age() > LEAVING) return;
    if (!client.isStateful) {
      this.#open(client, undefined);
      return;
    }
    client.token = undefined;
    let isAnswered = false;
    this.#invoke("negotiate", REQUEST_TIMEOUT, async (ports) => {
      const request = {
        ...this.#request(client, { negotiateVersion: "1", useStatefulReconnect: "true" }),
        method: "POST",
      };
      const { body } = await negotiate({ ...ports, tokens: TOKENS, authenticate: undefined }, request);
      isAnswered = true;
      client.token = JSON.parse(body).connectionToken;
      this.#open(client, undefined);
    });
    this.#timeline.after(REQUEST_TIMEOUT + 1_000, () => {
      if (!isAnswered) this.#comeBack(client);
    });
  }

  #request(client: Client, query: Readonly<Record<string, string>>) {
    const key = client.key === undefined ? {} : { resume: client.key };
    return { hubPath: HUB, headers: {}, query: { ...key, ...query, owner: client.name }, sourceIp: undefined };
  }

  /** With a session that goes on: the one try of a stateful client. */
  #open(client: Client, session: ClientSession | undefined): void {
    const transportId = `transport ${this.#ids++} of ${client.name}`;
    const request = this.#request(client, client.token === undefined ? {} : { id: client.token });
    let isAnswered = false;
    const refused = (): void => {
      if (session === undefined) {
        this.#comeBack(client);
        return;
      }
      session.isOver = true;
      this.#connect(client);
    };
    this.#invoke("connect", REQUEST_TIMEOUT, async (ports) => {
      const all = { ...ports, tokens: TOKENS, authenticate: undefined, runners: NO_RUNNERS };
      const refusal = await connect(all, { ...request, transportId });
      isAnswered = true;
      this.#tell(`${transportId} is ${refusal === undefined ? "accepted" : `refused: ${refusal.status}`}`);
      if (refusal === undefined) this.#opened(client, transportId, session);
      else this.#timeline.after(session === undefined ? 1_000 + this.#chance.below(4_000) : 0, refused);
    });
    this.#timeline.after(REQUEST_TIMEOUT + 1_000, () => {
      if (!isAnswered) refused();
    });
  }

  #opened(client: Client, transportId: string, session: ClientSession | undefined): void {
    for (const other of client.sockets) this.#break(other, false);
    const brokenAt = Number.POSITIVE_INFINITY;
    const socket: Socket = {
      transportId,
      client,
      isOpen: true,
      brokenAt,
      answered: session !== undefined,
      session: session ?? this.#beginSession(client),
    };
    client.sockets.push(socket);
    this.#sockets.set(transportId, socket);
    const isStormy = this.#age() < STORMS;
    // One time in eight it never says anything: a stock client forgets sockets.
    if (isStormy && this.#chance.once(8)) this.#tell(`${transportId} stays silent`);
    else if (session !== undefined) session.buffer?.resend();
    else this.#say(socket, `{"protocol":"json","version":${client.isStateful ? 2 : 1}}${SEPARATOR}`);
    this.#ping(socket);
    if (isStormy)
      this.#timeline.after(this.#chance.below(this.#chance.once(3) ? 200 : 30_000), () => this.#break(socket));
    if (session !== undefined) this.#talk(socket, this.#chance.below(6));
    this.#timeline.after(LEAVING - this.#age() + this.#chance.below(1_000), () => this.#break(socket, false));
  }

  #beginSession(client: Client): ClientSession {
    for (const { session } of client.sockets) session.isOver = true;
    const buffer = new MessageBuffer({
      say: (record) => {
        const socket = client.sockets.at(-1);
        if (socket !== undefined) this.#say(socket, record);
      },
      fail: (what) => this.#fail(`${client.name}: ${what}`),
      after: (milliseconds, act) => this.#timeline.after(milliseconds, act),
    });
    const session: ClientSession = { read: [], buffer: client.isStateful ? buffer : undefined, isOver: false };
    this.#sessions.push(session);
    return session;
  }

  /** For the client it is over; the gateway learns of it at once, late or never. */
  #break(socket: Socket, comesBack = true): void {
    if (socket.brokenAt <= this.#timeline.now) return;
    socket.brokenAt = this.#timeline.now;
    this.#tell(`${socket.transportId} breaks`);
    const learns = this.#chance.below(4);
    if (learns < 2) this.#closed(socket, 1006);
    if (learns === 2) this.#timeline.after(this.#chance.below(40_000), () => this.#closed(socket, 1006));
    if (comesBack) this.#leaveSocket(socket);
  }

  /** What a client does about a socket that is gone: a stateful one tries once, and at once, to go on. */
  #leaveSocket({ client, session, answered }: Socket): void {
    if (session.buffer === undefined || session.isOver || !answered) {
      this.#timeline.after(this.#chance.below(8_000), () => this.#comeBack(client));
      return;
    }
    session.buffer.disconnected();
    this.#timeline.after(this.#chance.below(this.#chance.once(6) ? 50_000 : 50), () => {
      if (this.#works(client) || session.isOver || this.#age() > LEAVING) return;
      this.#open(client, session);
    });
  }

  #works(client: Client): boolean {
    return client.sockets.some((socket) => socket.brokenAt === Number.POSITIVE_INFINITY);
  }

  #comeBack(client: Client): void {
    if (this.#works(client)) return;
    this.#connect(client);
    if (!client.isStateful && this.#age() < STORMS && this.#chance.once(6)) this.#connect(client);
  }

  #closed(socket: Socket, code: number): void {
    if (!socket.isOpen) return;
    socket.isOpen = false;
    if (socket.brokenAt === Number.POSITIVE_INFINITY) {
      socket.brokenAt = this.#timeline.now;
      this.#leaveSocket(socket);
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
    for (const record of text.split(SEPARATOR).slice(0, -1)) {
      if (record === "{}") {
        if (!isRead) continue;
        if (socket.answered) this.#fail(`${socket.transportId} was answered twice`);
        socket.answered = true;
        this.#talk(socket, this.#chance.below(6));
        continue;
      }
      const message = JSON.parse(record);
      if (message.type === 7) this.#toldToGo(socket);
      if (isRead) this.#read(socket, message, record);
      else if (record.includes('"hello"') && socket.session.buffer === undefined)
        this.#swallowed.add(nameOf(toMessage(message)));
    }
  }

  #read(socket: Socket, message: { type: number; sequenceId: number; invocationId?: string }, record: string): void {
    const { session } = socket;
    if (!socket.answered && !("error" in message)) this.#fail(`${record} came before the answer to the handshake`);
    if (session.buffer !== undefined && !session.buffer.receive(message)) return;
    if (message.type === 3) this.#answered(session, message.invocationId ?? "", "error" in message);
    if (record.includes('"hello"')) session.read.push(toMessage(message as never));
  }

  #answered(session: ClientSession, id: string, isFailure: boolean): void {
    const frame = this.#frames.get(id);
    if (frame === undefined) return;
    // A function that dies after its answer is answered for once more, which clients ignore.
    const isRepeated = frame.answers > 0 && isFailure && !this.#isCalm;
    if (!isRepeated) frame.answers += 1;
    if (frame.answers > 1) this.#fail(`${id} was answered twice`);
    if (frame.socket.session !== session) this.#fail(`${id} was answered to another than asked`);
  }

  /** By a Close message: a stock client begins anew. */
  #toldToGo(socket: Socket): void {
    socket.session.isOver = true;
    this.#break(socket);
  }

  #talk(socket: Socket, frames: number): void {
    if (frames === 0) return;
    this.#timeline.after(this.#chance.below(this.#chance.once(3) ? 8_000 : 60), () => {
      const id = `frame ${this.#ids++}`;
      if (socket.brokenAt > this.#timeline.now) {
        const { session, client } = socket;
        const frame: Frame = { id, socket, connectionId: client.connectionId, runs: 0, answers: 0 };
        this.#frames.set(id, frame);
        const record = JSON.stringify({ type: 1, invocationId: id, target: "work", arguments: [id] }) + SEPARATOR;
        if (session.buffer === undefined) this.#say(socket, record);
        else session.buffer.send(record);
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
    this.#tell(`${transportId} says ${text}`);
    const frame = { transportId, messageId: `m${this.#ids++}`, text, receivedAt: this.#timeline.now };
    this.#timeline.after(this.#chance.below(15), () => {
      this.#invoke("message", REQUEST_TIMEOUT, (ports, invocation) => {
        // The gateway tells the client in words of its own, which no client understands.
        invocation.onDeath = () => this.#timeline.after(this.#chance.below(50), () => this.#break(socket));
        return receive(ports, frame);
      });
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

  /** What a stateful client asked, it is told, once, unless it gave up; also when functions die, if it was run. */
  #checkAnswer({ id, socket: { session }, connectionId, runs, answers }: Frame): void {
    if (!this.#isCalm && runs === 0) return;
    if (session.buffer === undefined || session.isOver || answers > 0 || connectionId === undefined) return;
    const endedAt = this.#endedAt.get(connectionId) ?? Number.POSITIVE_INFINITY;
    if (endedAt >= this.#start + LEAVING) this.#fail(`${id} was never answered`);
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
    for (const { read: messages } of this.#sessions) {
      const own = new Set<string>();
      for (const message of messages) {
        const name = nameOf(message);
        if (own.has(name)) this.#fail(`${name} was read twice`);
        own.add(name);
        if (all.has(name)) continue;
        all.add(name);
        const line = `${message.sender} to ${message.connectionId}`;
        if ((read.get(line) ?? 0) > message.number) this.#fail(`${name} was read after ${read.get(line)}`);
        read.set(line, message.number);
      }
    }
    for (const { message } of this.#sent) {
      const name = nameOf(message);
      // What a stateful client is sent is kept, whoever dies.
      const isKept = this.#isCalm || this.#counting.has(message.connectionId);
      if (!isKept) continue;
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
const PAUSE_AT_END = 50_000;

const TOKENS: ConnectionTokens = {
  issue: async (claims) => JSON.stringify(claims),
  verify: async (token) => JSON.parse(token),
  nameOfKey: async (_hub, _user, key) => key,
};

function toMessage({ arguments: [sender, number, connectionId] }: { arguments: [string, number, string] }): Message {
  return { sender, number, connectionId };
}

function nameOf({ sender, number, connectionId }: Message): string {
  return `message ${number} of ${sender} to ${connectionId}`;
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };
