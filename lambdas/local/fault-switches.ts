import type { ServerResponse } from "node:http";
import { API_GATEWAY } from "../apigateway/index.ts";
import type { Clock } from "../hub/index.ts";
import type { Faults, PostFailure, SocketLifetime } from "./faults.ts";
import type { FunctionName } from "./functions.ts";
import type { Transport } from "./transport.ts";

const PLATFORM_LIFETIME: SocketLifetime = {
  connectionDuration: API_GATEWAY.connectionDuration,
  idleTimeout: API_GATEWAY.idleTimeout,
};

/** A fault with a value that strikes a number of times. */
class Strikes<Value> {
  #armed: { readonly value: Value; times: number } | undefined;

  arm(value: Value, times = Number.POSITIVE_INFINITY): void {
    this.#armed = { value, times };
  }

  /** The fault's value if it strikes now. */
  take(): Value | undefined {
    if (this.#armed === undefined || this.#armed.times <= 0) return undefined;
    this.#armed.times -= 1;
    return this.#armed.value;
  }
}

/** A fault that strikes requests with certain queries for a while. */
class Refusals {
  #all: { readonly until: number; readonly query: readonly (readonly [string, string])[] }[] = [];

  add(now: number, milliseconds: number, query: Readonly<Record<string, string>>): void {
    this.#all = this.#all.filter(({ until }) => until > now);
    this.#all.push({ until: now + milliseconds, query: Object.entries(query) });
  }

  meet(now: number, query: string): boolean {
    return this.#all.some((refusal) => refusal.until > now && has(query, refusal.query));
  }
}

function has(query: string, wanted: readonly (readonly [string, string])[]): boolean {
  const given = new URLSearchParams(query);
  return wanted.every(([name, value]) => given.get(name) === value);
}

/** The switches as the gateway sees them: it asks at each point where AWS may fail. */
export class FaultSwitches implements Faults {
  readonly #transports: ReadonlyMap<string, Transport>;
  readonly #clock: Clock;
  readonly #parked: ReadonlySet<ServerResponse>;
  /** Kept apart from the open transports: one that ends while half-open still holds a client that must be told. */
  readonly #halfOpen = new Map<string, Transport>();
  #dropped = new Strikes<true>();
  /** Transports whose `$disconnect` gets lost. A transport ends once, so there is nothing to count. */
  readonly #droppedOf = new Set<string>();
  #refusals = new Refusals();
  #blocks = new Refusals();
  #duplicated = new Strikes<true>();
  #disconnectDelay = new Strikes<number>();
  #messageDelay = new Strikes<number>();
  #thrown = new Map<FunctionName, Strikes<true>>();
  #postFailures: { readonly transportId: string | undefined; readonly strikes: Strikes<number> }[] = [];
  #lifetime = PLATFORM_LIFETIME;

  /** @param parked what is held over HTTP. */
  constructor(transports: ReadonlyMap<string, Transport>, clock: Clock, parked: ReadonlySet<ServerResponse>) {
    this.#transports = transports;
    this.#clock = clock;
    this.#parked = parked;
  }

  dropDisconnects(times?: number, transportId?: string): void {
    if (transportId === undefined) this.#dropped.arm(true, times);
    else this.#droppedOf.add(this.#open(transportId).id);
  }

  duplicateDisconnects(times?: number): void {
    this.#duplicated.arm(true, times);
  }

  delayDisconnects(milliseconds: number, times?: number): void {
    this.#disconnectDelay.arm(milliseconds, times);
  }

  delayMessages(milliseconds: number, times?: number): void {
    this.#messageDelay.arm(milliseconds, times);
  }

  halfOpen(transportId: string): void {
    const transport = this.#open(transportId);
    this.#halfOpen.set(transportId, transport);
    transport.halfOpen();
  }

  release(transportId: string): void {
    const transport = this.#halfOpen.get(transportId);
    this.#halfOpen.delete(transportId);
    transport?.release();
  }

  cut(transportId: string): void {
    this.#open(transportId).cut();
    this.#halfOpen.delete(transportId);
  }

  refuseConnects(milliseconds: number, query: Readonly<Record<string, string>> = {}): void {
    this.#refusals.add(this.#clock.now(), milliseconds, query);
  }

  blockSockets(milliseconds: number, query: Readonly<Record<string, string>> = {}): void {
    this.#blocks.add(this.#clock.now(), milliseconds, query);
  }

  cutRequests(query: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(query);
    const cut = [...this.#parked].filter(
      ({ req, destroyed }) => !destroyed && has(req.url?.split("?")[1] ?? "", wanted),
    );
    for (const response of cut) response.destroy();
    return cut.length;
  }

  age(transportId: string, milliseconds: number): void {
    this.#open(transportId).age(milliseconds);
  }

  failPosts({ statusCode, times, transportId }: PostFailure): void {
    const strikes = new Strikes<number>();
    strikes.arm(statusCode, times);
    this.#postFailures.push({ transportId, strikes });
  }

  throwIn(name: FunctionName, times?: number): void {
    const strikes = new Strikes<true>();
    strikes.arm(true, times);
    this.#thrown.set(name, strikes);
  }

  limitLifetime(lifetime: Partial<SocketLifetime>): void {
    this.#setLifetime({ ...this.#lifetime, ...lifetime });
  }

  reset(): void {
    this.#dropped = new Strikes();
    this.#droppedOf.clear();
    this.#refusals = new Refusals();
    this.#blocks = new Refusals();
    this.#duplicated = new Strikes();
    this.#disconnectDelay = new Strikes();
    this.#messageDelay = new Strikes();
    this.#thrown = new Map();
    this.#postFailures = [];
    this.#setLifetime(PLATFORM_LIFETIME);
    for (const transportId of [...this.#halfOpen.keys()]) this.release(transportId);
  }

  /** How often one `$disconnect` event arrives, and how late. */
  strikeDisconnect(transportId: string): { readonly copies: 0 | 1 | 2; readonly delay: number } {
    if (this.#droppedOf.delete(transportId) || this.#dropped.take()) return { copies: 0, delay: 0 };
    return { copies: this.#duplicated.take() ? 2 : 1, delay: this.#disconnectDelay.take() ?? 0 };
  }

  /** Whether a socket, or a request over HTTP, with this query is refused. */
  refusesConnect(query: string): boolean {
    return this.#refusals.meet(this.#clock.now(), query);
  }

  /** Whether an upgrade with this query does not get as far as the gateway. */
  blocksSocket(query: string): boolean {
    return this.#blocks.meet(this.#clock.now(), query);
  }

  /** The transports of a client that has named itself: those that are open, or those that are half-open. */
  transportsOf(client: string, half = false): readonly string[] {
    const transports = [...(half ? this.#halfOpen : this.#transports).values()];
    return transports.filter((transport) => transport.client === client).map(({ id }) => id);
  }

  /** How late a message's function starts. */
  strikeMessage(): number {
    return this.#messageDelay.take() ?? 0;
  }

  /** The status a post to this transport fails with, if it fails. */
  strikePost(transportId: string): number | undefined {
    for (const failure of this.#postFailures) {
      if (failure.transportId !== undefined && failure.transportId !== transportId) continue;
      const statusCode = failure.strikes.take();
      if (statusCode !== undefined) return statusCode;
    }
    return undefined;
  }

  /** @throws if this invocation is to fail. */
  strikeFunction(name: FunctionName): void {
    if (this.#thrown.get(name)?.take()) throw new Error(`The fault switch throwIn("${name}") is on.`);
  }

  get lifetime(): SocketLifetime {
    return this.#lifetime;
  }

  #setLifetime(lifetime: SocketLifetime): void {
    this.#lifetime = lifetime;
    for (const transport of this.#transports.values()) transport.lifetimeChanged();
  }

  #open(transportId: string): Transport {
    const transport = this.#transports.get(transportId);
    if (transport === undefined) {
      throw new TypeError(`There is no open transport "${transportId}". Take an id from gateway.transports().`);
    }
    return transport;
  }
}
