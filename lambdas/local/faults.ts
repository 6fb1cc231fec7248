import { API_GATEWAY } from "../apigateway/index.ts";
import type { FunctionName } from "./functions.ts";
import type { Transport } from "./transport.ts";

export interface PostFailure {
  /** What the post answers instead: 429, 500, 503 and the like. */
  readonly statusCode: number;
  /** How many posts fail. The SDK's own retries count. @default every one */
  readonly times?: number;
  /** Only posts to this transport. @default all transports */
  readonly transportId?: string;
}

/** How long a socket may live, in milliseconds. */
export interface SocketLifetime {
  /** @default 7_200_000 */
  readonly connectionDuration: number;
  /** @default 600_000 */
  readonly idleTimeout: number;
}

/** What goes wrong on AWS, on demand. `times` counts events, and is every one of them unless said. */
export interface Faults {
  /** `$disconnect` events get lost. */
  dropDisconnects(times?: number): void;
  /** `$disconnect` events arrive twice, at once. */
  duplicateDisconnects(times?: number): void;
  /** `$disconnect` events arrive this many milliseconds late. */
  delayDisconnects(milliseconds: number, times?: number): void;
  /** Functions of messages start this many milliseconds late; delay one of two and they swap. */
  delayMessages(milliseconds: number, times?: number): void;
  /**
   * Nothing passes in either direction and nobody is told, like a phone in a tunnel: posts are accepted, the client
   * may talk, and all of it arrives on `release`, unless 10 minutes without a frame or 2 hours end the transport first.
   */
  halfOpen(transportId: string): void;
  /** Ends `halfOpen`: what was held passes now, or the client learns (1006) that the gateway had given it up. */
  release(transportId: string): void;
  /** The TCP connection breaks: both sides see 1006. */
  cut(transportId: string): void;
  /** Posts to `@connections` fail with a status. */
  failPosts(failure: PostFailure): void;
  /** Invocations of one function throw before it runs. */
  throwIn(name: FunctionName, times?: number): void;
  /** Sockets, those already open too, live shorter than 2 hours, or may be idle for less than 10 minutes. */
  limitLifetime(lifetime: Partial<SocketLifetime>): void;
  /** Everything works again; half-open transports are released. */
  reset(): void;
}

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

/** The switches as the gateway sees them: it asks at each point where AWS may fail. */
export class FaultSwitches implements Faults {
  readonly #transports: ReadonlyMap<string, Transport>;
  /** Kept apart from the open transports: one that ends while half-open still holds a client that must be told. */
  readonly #halfOpen = new Map<string, Transport>();
  #dropped = new Strikes<true>();
  #duplicated = new Strikes<true>();
  #disconnectDelay = new Strikes<number>();
  #messageDelay = new Strikes<number>();
  #thrown = new Map<FunctionName, Strikes<true>>();
  #postFailures: { readonly transportId: string | undefined; readonly strikes: Strikes<number> }[] = [];
  #lifetime = PLATFORM_LIFETIME;

  constructor(transports: ReadonlyMap<string, Transport>) {
    this.#transports = transports;
  }

  dropDisconnects(times?: number): void {
    this.#dropped.arm(true, times);
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
    this.#duplicated = new Strikes();
    this.#disconnectDelay = new Strikes();
    this.#messageDelay = new Strikes();
    this.#thrown = new Map();
    this.#postFailures = [];
    this.#setLifetime(PLATFORM_LIFETIME);
    for (const transportId of [...this.#halfOpen.keys()]) this.release(transportId);
  }

  /** How often one `$disconnect` event arrives, and how late. */
  strikeDisconnect(): { readonly copies: 0 | 1 | 2; readonly delay: number } {
    if (this.#dropped.take()) return { copies: 0, delay: 0 };
    return { copies: this.#duplicated.take() ? 2 : 1, delay: this.#disconnectDelay.take() ?? 0 };
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
