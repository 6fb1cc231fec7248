// What the outside owes the hub, each port with its guarantee. Implementations live in aws/, auth/, local/ and in the
// wiring; `test/suites/` holds one contract per port that every implementation runs.

/** Milliseconds since the epoch, and waiting. The only source of time. */
export interface Clock {
  now(): number;
  /** Resolves after `milliseconds`, or at once when `signal` aborts. Never rejects. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** Unguessable identifiers. */
export interface Random {
  /** 16 random bytes as base64url: 22 characters that need no escaping in a URL. */
  id(): string;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log. Never given tokens, payloads or resume keys. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with fields added to every line. */
  with(fields: LogFields): Log;
}

/** What is measured. The duration is in milliseconds; everything else is a count. */
export type MetricName =
  | "signalr.server.active_connections"
  | "signalr.server.connections.opened"
  | "signalr.server.connections.closed"
  | "signalr.server.messages.received"
  | "signalr.server.messages.sent"
  | "signalr.server.invocation.duration"
  | "signalr.server.errors";

/** Takes measurements. A dimension is never something that clients choose: each value of one costs. */
export interface Metrics {
  /** Values of one moment, all of the same dimensions. Never throws, and nobody waits for it. */
  record(values: Readonly<Partial<Record<MetricName, number>>>, dimensions: Readonly<Record<string, string>>): void;
}

/** What became of a message for one transport. */
export type PostOutcome =
  /** The gateway took it. It says nothing about the client having received it. */
  | "accepted"
  /** The transport does not exist (410). It may not exist *yet*: while connect runs, a post answers `gone` too. */
  | "gone"
  /** Throttled or failing, also after retries. The message is lost for this transport. */
  | "failed";

/**
 * The open transports, wherever they end. Messages posted one after another, each awaited, arrive in that order;
 * concurrent posts have no order.
 */
export interface Transports {
  /** Sends `text` as one WebSocket message. Never throws for what happens on the way: that is the outcome. */
  post(transportId: string, text: string): Promise<PostOutcome>;
  /** Closes the transport if it is open. Idempotent; may or may not cause a disconnect event. */
  close(transportId: string): Promise<void>;
  /** Whether the gateway has this socket. It is `gone` too before connect has returned. */
  look(transportId: string): Promise<"open" | "gone" | "unknown">;
}

/** What a signed connection token says. Times are epoch milliseconds. */
export interface ConnectionTokenClaims {
  readonly hub: string;
  readonly connectionId: string;
  readonly userIdentifier?: string;
  readonly issuedAt: number;
  /** Whether stateful reconnect was offered with it. */
  readonly stateful: boolean;
}

/** Signs and verifies connection tokens: nothing is stored between negotiate and connect. */
export interface ConnectionTokens {
  /** URL-safe: clients put it into the query unescaped. */
  issue(claims: ConnectionTokenClaims): Promise<string>;
  /** The claims, or undefined for anything that was not issued with this secret. Does not judge age. */
  verify(token: string): Promise<ConnectionTokenClaims | undefined>;
  /** A name for a client's resume key, bound to hub and user, that gives the key away to nobody. URL-safe. */
  nameOfKey(hub: string, userIdentifier: string | undefined, key: string): Promise<string>;
}

/** Claims as `auth` returns them: a JWT's payload, or the like. */
export type Claims = Readonly<Record<string, unknown>>;

/** A request as a gateway hands it over. Header names are lower case, query names as sent; both without prototype. */
export interface ClientRequest {
  /** Path of the hub without slashes around it, as the client spells it. */
  readonly hubPath: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly sourceIp: string | undefined;
}

/** The request that `auth` judges: negotiate's, and again connect's. */
export interface AuthRequest extends ClientRequest {
  readonly cookies: Readonly<Record<string, string | undefined>>;
  /** The bearer token of the `Authorization` header, else of the `access_token` query parameter. */
  readonly token: string | undefined;
  /**
   * When the connection was negotiated that a transport asks for: epoch milliseconds. Undefined when it is negotiated,
   * when its token is refreshed, and without a connection token of this hub.
   */
  readonly negotiatedAt?: number | undefined;
}

/** Says who sent a request: their claims, or null for nobody that is known. Throws only when it cannot tell. */
export type Authenticate = (request: AuthRequest) => Promise<Claims | null> | Claims | null;

/** An invocation on its way to a worker. JSON, and at most what one frame holds. */
export interface Work {
  readonly connectionId: string;
  /** Its name within the connection. */
  readonly key: string;
  /** The handshake after which it came: a client that has shaken hands anew does not wait for it any more. */
  readonly handshakes: number;
  readonly invocation: {
    readonly kind: "invocation" | "streamInvocation";
    readonly id?: string;
    readonly target: string;
    /** As text: they may hold what JSON cannot. */
    readonly args: string;
    readonly streamIds: readonly string[];
    readonly headers?: Readonly<Record<string, string>>;
  };
}

/** What a request leaves to be done beside it that takes hub code: it is answered at once. */
export type Errand =
  /** The first frame of a transport: a handshake, or the empty one that opens a raw connection. */
  | { readonly kind: "handshake"; readonly transportId: string; readonly text: string; readonly receivedAt: number }
  /** Frames wait, and nobody has the turn. */
  | { readonly kind: "turn"; readonly transportId: string }
  /** The connection is marked to end. */
  | { readonly kind: "ending"; readonly transportId: string };

/** Functions that do errands, each with the time of a request, and that nobody waits for. */
export interface Runners {
  /** Resolves when the errand will be done. @throws when it cannot be handed over. */
  start(errand: Errand): Promise<void>;
}

/** Functions that nobody waits for: one for each piece of work, up to 15 minutes long. */
export interface Workers {
  /** Resolves when the work will be run: once, and once more if its worker dies. @throws when it cannot be handed over. */
  start(work: Work): Promise<void>;
}
