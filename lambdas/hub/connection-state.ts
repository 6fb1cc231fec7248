// What is kept of a connection: its rows, and what is asked of them. The verbs are in store.ts.

/** Why a connection ends. `code` is stable; `message` is what the client read, or what a log should say. */
export interface EndReason {
  readonly stopCalled: boolean;
  readonly code: EndCode;
  readonly message?: string;
}

export type EndCode =
  /** The client said Close or left. */
  | "stopped"
  /** The transport went away without a word. */
  | "transport_lost"
  /** Nothing came from the client for `clientTimeoutInterval`. */
  | "client_timeout"
  /** No complete handshake in time, or one that was refused. `onDisconnected` does not run. */
  | "handshake_failed"
  /** `hub.abort()` or `connections.close`. */
  | "aborted"
  /** The client broke the protocol. */
  | "protocol_error"
  /** A frame the gateway refuses: too large (1009) or binary (1003). */
  | "message_refused"
  /** `onConnected` threw. `onDisconnected` does not run. */
  | "connect_failed"
  /** The two hours of a gateway socket are nearly over. */
  | "rotated"
  /** The function that ran `onConnected` died in it. */
  | "function_died"
  /** A function failed over a frame, for a reason that is not the client's. */
  | "server_error"
  /** The access token that opened the connection has expired. */
  | "token_expired"
  /** More waited for a client to come back than the outbox holds. */
  | "outbox_full";

/**
 * `accepted`: the socket exists; with a turn taken, its handshake and `onConnected` are running ("connecting").
 * `open`: messages are dispatched. `ended`: somebody claimed the ending, and has until `deadline` to finish it.
 */
export type Phase = "accepted" | "open" | "ended";

/** Who runs the connection's invocations. A holder whose `until` has passed is dead. */
export interface Turn {
  readonly holder: string;
  readonly until: number;
  /** The invocations that it runs, to answer for it if it dies. */
  readonly invocations: readonly InvocationNote[];
}

export interface InvocationNote {
  readonly id: string;
  readonly target: string;
}

/** A transport row. Written first and deleted last: while anything of a connection exists, so does this. */
export interface TransportState {
  readonly transportId: string;
  readonly connectionId: string;
  readonly hub: string;
  readonly phase: Phase;
  /** When silence ends the connection; 0 asks the next sweep to end it. In phase `ended`: the ender's lease. */
  readonly deadline: number;
  /** The deadline before the last frame moved it. */
  readonly previousDeadline: number;
  readonly rotateAt: number;
  /** When the access token expires that opened it, if that is to end the connection. */
  readonly authenticatedUntil: number | undefined;
  readonly turn: Turn | undefined;
  /** Frames that were counted as waiting since the turn was taken. */
  readonly waiting: number;
  /** Set before the phase is `ended`: somebody wants the connection to end, for this reason. */
  readonly end: EndReason | undefined;
  /** In phase `ended`: who finishes the ending. */
  readonly ender: string | undefined;
  /** Whether its client may come back, by stateful reconnect or with a resume key. */
  readonly resumable: boolean;
  /** The transport is gone; the deadline is when its client has to be back. */
  readonly lost: boolean;
  /** Its client has closed it, or must have given it up: it comes back with a handshake, if at all. */
  readonly left: boolean;
  /** Its client is back and owes a Sequence or a handshake. Until then nothing may be posted to it. */
  readonly resuming: boolean;
  /** The transport that has taken over: from then on this row stands still. */
  readonly next: string | undefined;
  /** Stateful reconnect: both sides count messages, acknowledge them, and repeat after a loss what was not. */
  readonly stateful: boolean;
  /** The hub protocol that its client chose; undefined for JSON, and before the handshake. A raw connection's is `raw`. */
  readonly protocol: string | undefined;
  /** How many the connection has had: what was asked before the last one is answered to nobody. */
  readonly handshakes: number;
  readonly tally: Tally;
  /** The outbox's number before the one that is 1 to the client. */
  readonly base: number;
  readonly replay: Replay;
}

/** What was repeated to the client when it came back the last time, by numbers of the outbox. */
export interface Replay {
  /** From the next one on. */
  readonly after: number;
  /** What may have been repeated; numbers above it were new. */
  readonly upTo: number;
}

/** Where the connection is to be asked for: a hint that stands in place of a transport's id. */
export const BUFFERED = "buffered";

/** The hint for a connection whose messages all go through its outbox. */
export function bufferedHint(protocol: string | undefined): string {
  return protocol === undefined ? BUFFERED : `${BUFFERED}.${protocol}`;
}

/** The hub protocol that goes with a hint, if it is one. */
export function readHint(transportId: string): { readonly protocol: string | undefined } | undefined {
  const [hint, protocol] = transportId.split(".");
  return hint === BUFFERED ? { protocol } : undefined;
}

/** What came from a stateful client, by count. */
export interface Tally {
  /** Messages, each once. */
  readonly received: number;
  /** The count that the client was last told. */
  readonly acknowledged: number;
  /** The last of them: functions finish in any order, so a count alone does not say which ones they were. */
  readonly recent: readonly Receipt[];
  /** Fingerprints of those that the client is about to repeat, because it does not know that they have come. */
  readonly expected: readonly string[];
  /** Nothing is acknowledged before: frames that waited for the transport to be taken up may not be counted yet. */
  readonly quietUntil: number;
}

/** Beyond so many, `touch` and `take` refuse to note more: whoever looks first makes room. */
export const MOST_RECEIPTS = 32;

export interface Receipt {
  /** Equal for equal messages. */
  readonly fingerprint: string;
  readonly receivedAt: number;
  /** A short name of the frame that brought it. */
  readonly frame: string;
}

export interface TallyChange extends Pick<Tally, "received" | "recent" | "expected"> {
  /** Absent when the transport is lost: what was on its way then does not bring it back. */
  readonly deadline?: number;
  /** Taken if nobody has it. */
  readonly turn?: Turn;
}

/** What can be forgotten: the first of the recent ones. */
export interface Trim {
  readonly seen: Tally;
  readonly acknowledged: number;
  readonly drop: number;
}

/** A connection row, kept as a tombstone for a day after the end, so that no token is used twice. */
export interface ConnectionState {
  readonly connectionId: string;
  readonly hub: string;
  readonly transportId: string;
  readonly userIdentifier: string | undefined;
  readonly ended: boolean;
  /** The name of the resume key it connected with. */
  readonly resumeKey: string | undefined;
  readonly stateful: boolean;
  /** When the token was issued that brought its client here: an older one is no longer good. Epoch milliseconds. */
  readonly issuedAt: number;
  readonly handshakes: number;
  readonly outbox: OutboxHead;
  /** The hub protocol that its client chose; undefined for JSON, and before the handshake. */
  readonly protocol: string | undefined;
  readonly reading: Reading;
}

/** How far a client has come that comes for its messages: by long polling, or over an event stream. */
export interface Reading {
  /** Who reads: the newest poll, or the stream. All others have to stop. */
  readonly reader: string | undefined;
  /** The answer to the handshake, before it is handed over. It goes in front of everything that waits. */
  readonly greeting: string | undefined;
  /** The transport that was greeted: to another nothing is handed yet. */
  readonly greeted: string | undefined;
  /** What the last answer carried. The next poll says that it has arrived. */
  readonly handed: Handed | undefined;
  /** The transport that is closed: it hands over what waits still, and then that it is over. */
  readonly closed: string | undefined;
}

export interface Handed {
  /** The newest number. */
  readonly number: number;
  /** UTF-8 bytes of all messages up to it. */
  readonly bytes: number;
}

/**
 * Where the messages to a client stand: all of them if it is stateful, else those that wait for it to come back.
 * Numbers count from 1 and are never used twice.
 */
export interface OutboxHead {
  /** The newest number that was given out. */
  readonly last: number;
  /** All numbers up to here were posted to the present transport. */
  readonly sent: number;
  /** All numbers up to here have arrived, as far as a stateful client has told. */
  readonly acknowledged: number;
  /** UTF-8 bytes of all messages up to the newest. */
  readonly bytes: number;
  /**
   * Who posts what waits; while there is one, everybody else only puts messages in. The transport's own id while its
   * client is away: whoever lets the client in posts.
   */
  readonly flusher: string | undefined;
  /** Since when: epoch milliseconds. */
  readonly flushingSince: number;
}

/** Who the client is, as `hub.user` shows it. */
export interface User {
  readonly isAuthenticated: boolean;
  readonly name: string | undefined;
  readonly roles: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
}

/** The connect request, as `hub.request` shows it: query names as sent, header names in lower case, no tokens. */
export interface RequestInfo {
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

/** What an invocation needs to know of its connection. */
export interface Session {
  readonly userIdentifier: string | undefined;
  readonly user: User;
  readonly request: RequestInfo;
  /** JSON by key. */
  readonly items: Readonly<Record<string, string>>;
}

/** Who is addressed. A connection is a member of its hub, of its user if it has one, and of the groups it joined. */
export type Audience =
  | { readonly kind: "hub"; readonly hub: string }
  | { readonly kind: "user"; readonly hub: string; readonly user: string }
  | { readonly kind: "group"; readonly hub: string; readonly group: string };

/** The transport is a hint: where the connection was when the row was written, or {@link BUFFERED}. */
export interface Member {
  readonly connectionId: string;
  readonly transportId: string;
}

/** A frame that waits for the turn. `key` sorts by receive time, then by invocation id. */
export interface WaitingFrame {
  readonly key: string;
  readonly text: string;
  readonly receivedAt: number;
  /** By which it came. */
  readonly transportId: string;
  /** The handshake after which it came: after another, nobody waits for its completions any more. */
  readonly handshakes: number;
  /** Places of messages in it that are not to be run: they had come before. */
  readonly repeated: readonly number[];
  /** In place of a frame: `onReconnected` waits for its turn. */
  readonly reconnected?: boolean;
  /** The same for `onAuthenticationRefreshed`. */
  readonly refreshed?: boolean;
}

export interface NewConnection {
  readonly transportId: string;
  readonly connectionId: string;
  readonly hub: string;
  /** When a missing handshake ends it. */
  readonly deadline: number;
  readonly rotateAt: number;
  /** @default never */
  readonly authenticatedUntil?: number | undefined;
  readonly session: Session;
  readonly resumeKey: string | undefined;
  readonly stateful: boolean;
  readonly issuedAt: number;
  /** Of a raw connection. @default its client chooses one in the handshake */
  readonly protocol?: string | undefined;
}

/** A transport that takes over a connection. */
export interface Takeover {
  /** The transport before it, frozen. */
  readonly from: TransportState;
  readonly transportId: string;
  /** When a missing handshake loses it again. */
  readonly deadline: number;
  readonly rotateAt: number;
  /** @default never */
  readonly authenticatedUntil?: number | undefined;
  /** Items are taken over from the one before. */
  readonly session: Session;
  readonly stateful: boolean;
  readonly issuedAt: number;
  readonly now: number;
}

/** Where the sweeper left off. */
export interface SweeperLease {
  readonly generation: number;
  /** Start of the last tick; 0 when the last sweeper found no connection and went home. */
  readonly lastTick: number;
  /** After an outage: no silence ends anybody before this time. */
  readonly notBefore: number;
}

/** What must still hold for an ending to be claimed. */
export type EndFrom =
  /** Open; with `deadline`, no frame has moved it. */
  | { readonly phase: "open"; readonly deadline?: number }
  /** Accepted: with `turn`, still connecting under that dead or own turn; without, no handshake has come. */
  | { readonly phase: "accepted"; readonly turn: Turn | undefined }
  /** Ended, and its ender's lease has run out. */
  | { readonly phase: "ended"; readonly ender: string | undefined; readonly deadline: number };

export interface EndClaim {
  readonly transportId: string;
  readonly from: EndFrom;
  readonly ender: string;
  /** When the claim lapses, so that a sweep finishes what the ender left. */
  readonly until: number;
  readonly reason: EndReason;
}

/** Longest message of a reason, part of which may be the client's own words: transport rows stay small. Characters. */
const MESSAGE_SIZE = 100;

/** The reason as it is kept. */
export function noted({ message, ...reason }: EndReason): EndReason {
  return message === undefined ? reason : { ...reason, message: message.slice(0, MESSAGE_SIZE) };
}

/** Whether `onDisconnected` stays silent, because the connection never was connected. */
export function isSilent(reason: EndReason): boolean {
  return reason.code === "handshake_failed" || reason.code === "connect_failed";
}
