import type { FunctionName } from "./functions.ts";

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
  /** `$disconnect` events get lost; of one transport, if one is named. */
  dropDisconnects(times?: number, transportId?: string): void;
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
  /**
   * For this many milliseconds sockets and all that goes over HTTP are refused with 503, as if the gateway were away; only those
   * whose query has these values, if any are given.
   */
  refuseConnects(milliseconds: number, query?: Readonly<Record<string, string>>): void;
  /**
   * For this many milliseconds upgrades are answered with 400, as by a proxy on the way that knows no sockets; only those
   * whose query has these values, if any are given. HTTP passes, and so do sockets that are open.
   */
  blockSockets(milliseconds: number, query?: Readonly<Record<string, string>>): void;
  /**
   * What is held over HTTP at this moment breaks off: event streams, as if their function had died, and polls. Only those whose
   * query has these values, if any are given. Returns how many.
   */
  cutRequests(query?: Readonly<Record<string, string>>): number;
  /** The socket is older by this many milliseconds, to its `$disconnect` event too. At 2 hours it is cut (1001). */
  age(transportId: string, milliseconds: number): void;
  /** Posts to `@connections` fail with a status. */
  failPosts(failure: PostFailure): void;
  /** Invocations of one function throw before it runs. */
  throwIn(name: FunctionName, times?: number): void;
  /** Sockets, those already open too, live shorter than 2 hours, or may be idle for less than 10 minutes. */
  limitLifetime(lifetime: Partial<SocketLifetime>): void;
  /** Everything works again; half-open transports are released. */
  reset(): void;
}
