// A world for the model of a client that comes for its messages: senders, polls one after the other, functions that die
// anywhere, and a client that goes on with its key when a poll fails.

import { defineHub, defineService, type Log, type Store } from "../../lambdas/hub/index.ts";
import { type OutboxPorts, openOutbox, sendQueued } from "../../lambdas/hub/outbox.ts";
import { openReader } from "../../lambdas/hub/reader.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { type MemoryTable, memoryTable } from "../suites/memory-store/index.ts";
import { sessionOf, turnOf } from "../suites/store/samples.ts";
import { Chance, Invocation, Timeline } from "./simulation.ts";

const CONNECTION = "c";
const HOLD = 25_000;
/** How long a client waits for a poll before it takes it for failed. Milliseconds. */
const PATIENCE = 29_000;
/** When the client stops polling: long after the last message. Milliseconds. */
const HORIZON = 10 * 60_000;
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => SILENT };

/** Lives one story to its end. Throws what was wrong in it. */
export async function readThrough(seed: number): Promise<void> {
  await new World(seed).live();
}

class World {
  readonly #chance: Chance;
  readonly #timeline = new Timeline();
  readonly #table: MemoryTable = memoryTable();
  readonly #store: Store = this.#table.store();
  readonly #service = defineService({ hubs: { chat: defineHub()({ methods: {} }) } });
  /** Whose sending was over, in the order of each sender. */
  readonly #accepted: string[] = [];
  readonly #received: string[] = [];
  /** What the last answer carried: no poll has said yet that it has arrived. */
  #last: readonly string[] = [];
  /** What was carried by an answer behind which a poll failed. */
  readonly #repeatable = new Set<string>();
  #deaths: number;
  #ids = 0;
  #transports = 0;
  #failure: Error | undefined;

  constructor(seed: number) {
    this.#chance = new Chance(seed);
    this.#deaths = this.#chance.below(6);
  }

  async live(): Promise<void> {
    await this.#open();
    for (let sender = 0; sender < 1 + this.#chance.below(4); sender++) {
      const count = 1 + this.#chance.below(6);
      this.#timeline.after(this.#chance.below(20_000), () => this.#sendNext(sender, 0, count));
    }
    this.#timeline.after(this.#chance.below(1_000), () => this.#poll());
    await this.#timeline.run();
    if (this.#failure !== undefined) throw this.#failure;
    this.#check();
  }

  // --- the client --------------------------------------------------------------------------------------------------

  async #open(): Promise<void> {
    const transportId = this.#nextTransport();
    const now = this.#timeline.now;
    await this.#store.accept({
      transportId,
      connectionId: CONNECTION,
      hub: "chat",
      deadline: now + HORIZON,
      rotateAt: now + 2 * HORIZON,
      session: sessionOf({}),
      resumeKey: "key",
      stateful: false,
      issuedAt: 1,
    });
    await this.#store.take(transportId, now + HORIZON, turnOf("opener"));
    await this.#store.greet(CONNECTION, transportId, "", undefined);
    await this.#store.release(transportId, "opener", 0, true);
  }

  /** With its key, on a transport of its own: nobody comes between. */
  async #comeBack(): Promise<void> {
    const before = (await this.#store.connection(CONNECTION))?.transportId ?? "";
    const transportId = this.#nextTransport();
    const now = this.#timeline.now;
    const from = await this.#store.freeze(before, transportId, now + 35_000);
    if (from === undefined) throw new Error("It cannot be frozen.");
    const times = { deadline: now + HORIZON, rotateAt: now + 2 * HORIZON, now };
    await this.#store.takeOver({ from, transportId, session: sessionOf({}), stateful: false, issuedAt: 2, ...times });
    const outbox = await openOutbox(this.#portsOf(this.#store), { connectionId: CONNECTION, transportId }, 2);
    if (outbox === undefined) throw new Error("There is no outbox.");
    await this.#store.greet(CONNECTION, transportId, "", undefined);
  }

  #nextTransport(): string {
    this.#transports += 1;
    return `poll.${CONNECTION}.${this.#transports}`;
  }

  #poll(): void {
    if (this.#timeline.now > START + HORIZON) return;
    let isOver = false;
    let answer: readonly string[] = [];
    const settle = (failed: boolean): void => {
      if (isOver) return;
      isOver = true;
      giveUp();
      if (failed) {
        for (const text of this.#last) this.#repeatable.add(text);
        void this.#comeBack().then(
          () => this.#timeline.after(0, () => this.#poll()),
          (error) => this.#fail(error),
        );
        return;
      }
      this.#received.push(...answer);
      this.#last = answer;
      this.#timeline.after(this.#chance.below(200), () => this.#poll());
    };
    const giveUp = this.#timeline.after(PATIENCE, () => settle(true));
    this.#invoke(async (ports, invocation) => {
      const found = await ports.store.connection(CONNECTION);
      const reader = found && (await openReader(ports, found, invocation.name));
      const read = await reader?.read(ports.clock.now() + HOLD);
      answer = read?.kind === "messages" ? read.text.split("\n").filter(Boolean) : [];
      // The answer is on its way, and may get lost there.
      const isLost = this.#chance.once(20);
      this.#timeline.after(this.#chance.below(50), () => settle(isLost));
    });
  }

  // --- senders -----------------------------------------------------------------------------------------------------

  #sendNext(sender: number, index: number, count: number): void {
    if (index === count) return;
    const text = `${sender}.${index}`;
    const next = (): void => {
      this.#timeline.after(this.#chance.below(8_000), () => this.#sendNext(sender, index + 1, count));
    };
    const invocation = this.#invoke(async (ports) => {
      const outcome = await sendQueued(ports, CONNECTION, { record: `${text}\n` });
      if (outcome !== "sent") throw new Error(`A message was ${outcome}.`);
      this.#accepted.push(text);
      next();
    });
    invocation.onDeath = next;
  }

  // --- functions ---------------------------------------------------------------------------------------------------

  #invoke(body: (ports: OutboxPorts, invocation: Invocation) => Promise<void>): Invocation {
    const dies = this.#deaths > 0 && this.#chance.once(5);
    if (dies) this.#deaths -= 1;
    const diesAt = dies ? 1 + this.#chance.below(14) : undefined;
    const invocation = new Invocation(`function ${this.#ids++}`, this.#timeline, this.#chance, diesAt);
    const store = this.#table.store((_verb, _rows, run) => invocation.step(run));
    this.#timeline.after(0, () => {
      body({ ...this.#portsOf(store), clock: invocation.clock }, invocation).then(
        () => invocation.end("done"),
        (error) => this.#fail(error),
      );
    });
    return invocation;
  }

  #portsOf(store: Store): OutboxPorts {
    const transports = {
      post: async () => "gone" as const,
      close: async () => undefined,
      look: async () => "unknown" as const,
    };
    const clock = { now: () => this.#timeline.now, sleep: async () => undefined };
    const random = { id: () => `id ${this.#ids++}` };
    return { service: this.#service, store, transports, dialect: core, clock, random, log: SILENT };
  }

  // --- what must hold ----------------------------------------------------------------------------------------------

  #check(): void {
    const first = [...new Set(this.#received)];
    const missing = this.#accepted.filter((text) => !first.includes(text));
    if (missing.length > 0) this.#fail(new Error(`Accepted and never received: ${missing}.`));
    const swapped = first.find((text, at) => first.slice(at).some((later) => isBefore(later, text)));
    if (swapped !== undefined) this.#fail(new Error(`${swapped} was received too early: ${first}.`));
    const again = this.#received.filter((text, at) => this.#received.indexOf(text) < at && !this.#repeatable.has(text));
    if (again.length > 0) this.#fail(new Error(`Received twice: ${again}.`));
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }
}

const START = new Timeline().now;

/** Of one sender, who sends one after the other. */
function isBefore(text: string, other: string): boolean {
  const [sender, index] = text.split(".").map(Number);
  const [otherSender, otherIndex] = other.split(".").map(Number);
  return sender === otherSender && Number(index) < Number(otherIndex);
}
