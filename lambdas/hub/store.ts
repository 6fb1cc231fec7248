// The state port: what the hub keeps between invocations. Every verb below is one step that happens wholly or not at
// all, and every step that somebody could race is conditional, with one winner. Nothing here is a transaction: steps
// are ordered so that a crash between two of them leaves a transport row, which the sweeper finds and repairs.

import type { QuestionStore } from "./question-store.ts";
import type { UploadStore } from "./upload-store.ts";
import type { WorkStore } from "./work-store.ts";

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

/** A message that waits. Without a record it only takes up its number. */
export interface QueuedMessage {
  readonly number: number;
  /** UTF-8 bytes of all messages up to it; 0 if it only takes up its number. */
  readonly bytes?: number;
  readonly record: string | undefined;
  /** For an answer: the handshake after which it was asked for. */
  readonly handshakes?: number;
}

export interface NumberRequest {
  /** Becomes the flusher if there is none. */
  readonly flusher: string;
  /** Of this request: the same one made twice, as by a retry of the SDK, gives out one number. */
  readonly nonce: string;
  readonly now: number;
  readonly bytes: number;
  /** How many bytes may be unacknowledged, or wait. @default any number */
  readonly limit?: number;
  /** The transport that it is for: refused when the connection has another. @default whichever it has */
  readonly transportId?: string;
  /** For an answer: refused when there was another handshake since. */
  readonly handshakes?: number;
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

/**
 * `coming`: somebody runs `onUserOnline`. `online`: told. `leaving`: somebody runs `onUserOffline`. A user without a row
 * is offline, and nobody is to be told.
 */
export type UserPhase = "coming" | "online" | "leaving";

/** What the author of a hub was told of a user. Who is connected is for the memberships to say. */
export interface UserState {
  readonly hub: string;
  readonly user: string;
  readonly phase: UserPhase;
  /** Changes with every connection that arrives. */
  readonly arrival: string;
  /** Who tells, or was the last to. */
  readonly holder: string;
  /** When a holder who has not finished is dead; 0 when nobody is telling. */
  readonly until: number;
  /** When it is to be looked at whether the user has a connection still. */
  readonly checkAt: number;
}

export interface UserArrival {
  /** Of this arrival alone. Becomes the holder if the user was offline. */
  readonly id: string;
  /** For a user who was offline: whether there is anything to tell, and until when its holder lives. */
  readonly until: number | undefined;
  readonly checkAt: number;
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

export interface Store extends WorkStore, UploadStore, QuestionStore {
  // --- connect ---------------------------------------------------------------------------------------------------

  /**
   * Writes the transport, then connection and session. `taken` when the connection id is in use or was (nothing is
   * left behind then): a token counts once.
   */
  accept(connection: NewConnection): Promise<"accepted" | "taken">;

  // --- resume ----------------------------------------------------------------------------------------------------

  /** The connection that was opened with a resume key, consistent. */
  connectionOfKey(resumeKey: string): Promise<string | undefined>;
  /**
   * Stops a transport in favour of `next`: from here on every verb refuses it, until `until` at least. Undefined if
   * the connection is not open, is to end, or is being taken over already; with `heardAfter`, also when the client has
   * left it, or its deadline is not after that although it is not lost.
   */
  freeze(transportId: string, next: string, until: number, heardAfter?: number): Promise<TransportState | undefined>;
  /** Takes a freeze back that nobody made use of. */
  thaw(transportId: string, next: string): Promise<void>;
  /**
   * Writes the new transport with turn and waiting count of the frozen one, and its session; then points the
   * connection to it, whose outbox waits from then on: from what a stateful client has acknowledged. False, and nothing is left behind, if it has ended or moved.
   */
  takeOver(takeover: Takeover): Promise<boolean>;
  /**
   * The client is through: messages are dispatched again. After a handshake both sides count anew, from `base` in the
   * outbox; after a Sequence the messages `expected` are still to be repeated, and ours are as `replay` says. Takes the turn if nobody has it.
   * Undefined when it is to end, or was lost again.
   */
  reopen(
    transportId: string,
    by: { readonly base: number } | { readonly expected: readonly string[]; readonly replay: Replay },
    turn: Turn,
    times: { readonly deadline: number; readonly quietUntil: number },
  ): Promise<TransportState | undefined>;
  /** The transport is gone, its client has until `deadline`. Undefined if it is lost already, or not open. */
  lose(transportId: string, deadline: number, left?: boolean): Promise<TransportState | undefined>;
  /** Removes row and session of a transport that nobody pointed its connection to. */
  dropUnused(transportId: string): Promise<void>;
  /** Removes the row of a transport that was taken over. */
  dropReplaced(transportId: string): Promise<void>;
  /** Gives the turn up without looking at what waits: whoever reopens the connection will. */
  yieldTurn(transportId: string, holder: string): Promise<void>;

  // --- the outbox ------------------------------------------------------------------------------------------------

  /**
   * Gives out the next number. Undefined when the connection has ended or is gone, or nobody waits for this answer any
   * more; `full` when `limit` bytes wait already.
   */
  nextNumber(connectionId: string, request: NumberRequest): Promise<ConnectionState | "full" | undefined>;
  /**
   * `bytes` is the outbox's when the number was given out. False when the number is taken: somebody did not want to
   * wait for it any longer.
   */
  putMessage(connectionId: string, message: QueuedMessage, bytes: number, now: number): Promise<boolean>;
  /** What waits after a number, in order, consistent. */
  queued(connectionId: string, after: number): Promise<readonly QueuedMessage[]>;
  /** A message was posted that nobody will ask for again. */
  dropMessage(connectionId: string, number: number): Promise<void>;
  /** A client says by which transport that it has everything up to `number`; what was never sent is ignored. */
  acknowledge(connectionId: string, transportId: string, number: number, limit: number): Promise<void>;
  /** Becomes the flusher in place of `seen`. Undefined when there is another, or the transport has changed. */
  startFlush(
    connectionId: string,
    transportId: string,
    change: {
      readonly flusher: string;
      readonly seen: string | undefined;
      readonly now: number;
      readonly handshakes: number;
    },
  ): Promise<ConnectionState | undefined>;
  /**
   * Stops being the flusher when everything up to `sent` is posted; with `limit`, that is as good as acknowledged.
   * False when there is more, or another flusher.
   */
  finishFlush(connectionId: string, flusher: string, sent: number, limit: number | undefined): Promise<boolean>;
  /** Leaves what waits after `sent` to `next`; false when not the flusher any more. */
  leaveFlush(connectionId: string, flusher: string, sent: number, next: string): Promise<boolean>;

  // --- clients that come for their messages ----------------------------------------------------------------------

  /**
   * Leaves the answer to a handshake where the client finds it before anything else, and notes the hub protocol. False
   * when the connection has ended or has another transport.
   */
  greet(connectionId: string, transportId: string, greeting: string, protocol: string | undefined): Promise<boolean>;
  /**
   * Becomes the reader in place of whoever was when `seen` was read, and notes that what was handed over has arrived,
   * which makes room for `limit` bytes. Ended connections are read to their end. Undefined when there is another reader
   * or transport by now, or no connection.
   */
  beginReading(seen: ConnectionState, reader: string, limit: number): Promise<ConnectionState | undefined>;
  /** Notes what the reader's answer carries, the greeting among it. False when there is another reader by now. */
  hand(connectionId: string, reader: string, handed: Handed): Promise<boolean>;
  /** Closes such a transport, if the connection has no other. */
  closeReading(connectionId: string, transportId: string): Promise<void>;

  // --- frames and the turn ---------------------------------------------------------------------------------------

  /**
   * A frame arrived that passes the turn: moves the deadline and counts its messages. Undefined when the connection is
   * ended or ending, its transport is lost, taken over or resuming, the messages could be repeated ones, there
   * are {@link MOST_RECEIPTS}, or the frame is counted already, as after a retry of the SDK.
   */
  touch(transportId: string, deadline: number, receipts?: readonly Receipt[]): Promise<TransportState | undefined>;
  /** The same, and takes the turn if nobody has it: the state's `turn.holder` says who does. */
  take(
    transportId: string,
    deadline: number,
    turn: Turn,
    receipts?: readonly Receipt[],
  ): Promise<TransportState | undefined>;
  /** The same for the cases that those two refuse, by somebody who has looked. Undefined when it is not as seen. */
  tally(transportId: string, seen: TransportState, change: TallyChange): Promise<TransportState | undefined>;
  /** Notes what was acknowledged and forgets what is not needed any more, unless the tally has moved on. */
  trim(transportId: string, trim: Trim): Promise<void>;
  /** Puts a frame where the holder of the turn will find it. Visible before it is counted with {@link count}. */
  enqueue(connectionId: string, frame: WaitingFrame): Promise<void>;
  /** Counts one waiting frame; a holder can not let go of the turn without having seen the count. */
  count(transportId: string): Promise<TransportState | undefined>;
  /** Takes the turn from `seen`, a dead holder or nobody. False when it has moved on. */
  steal(transportId: string, turn: Turn, seen: Turn | undefined): Promise<boolean>;
  /**
   * Lets go of the turn; with `open`, moves from `accepted` to `open` in the same step. False when the turn is not
   * `holder`'s, frames were counted that it has not `seen`, or (with `open`) the connection is to end. In the same step
   * notes what was acknowledged, or forgets all receipts.
   */
  release(
    transportId: string,
    holder: string,
    seen: number,
    open: boolean,
    tally?: { readonly acknowledged: number } | "forget",
  ): Promise<boolean>;
  /** Moves from `accepted` to `open` and keeps the turn. False when the turn is not `holder`'s or it is to end. */
  open(transportId: string, holder: string): Promise<boolean>;
  /** Notes the hub protocol that the client chose. */
  speak(transportId: string, protocol: string): Promise<void>;
  /** Notes what the holder answers for from now on, if it dies. False when the turn is not `holder`'s here any more. */
  note(transportId: string, holder: string, invocations: Turn["invocations"]): Promise<boolean>;
  /** Lets the lease run out now, so that the next frame or sweep takes over. */
  abandon(transportId: string, holder: string): Promise<void>;
  /** The frames that wait, in order, read consistently. */
  waiting(connectionId: string): Promise<readonly WaitingFrame[]>;
  /** True for the one caller that may run the frame. */
  claimFrame(connectionId: string, key: string): Promise<boolean>;

  // --- reading ---------------------------------------------------------------------------------------------------

  /** Consistent. */
  transport(transportId: string): Promise<TransportState | undefined>;
  /** Consistent. */
  connection(connectionId: string): Promise<ConnectionState | undefined>;
  /** Consistent. Gone once `onDisconnected` has been run to its end. */
  session(transportId: string): Promise<Session | undefined>;

  /** Writes the changed keys, deletes those whose value is undefined. False once the session is gone. */
  saveItems(transportId: string, changes: Readonly<Record<string, string | undefined>>): Promise<boolean>;

  /** A new access token: writes user and request, and leaves the items. False once the session is gone. */
  renewSession(transportId: string, session: Pick<Session, "user" | "request">): Promise<boolean>;
  /**
   * Moves the time at which an expired access token ends the connection; never if undefined. Undefined when it is to
   * end, or is being taken over.
   */
  renewAuthentication(transportId: string, until: number | undefined): Promise<TransportState | undefined>;

  // --- membership ------------------------------------------------------------------------------------------------

  /** Enters hub and user, then checks that the connection still lives; if not, takes both back and says false. */
  enter(member: Member, hub: string, userIdentifier: string | undefined): Promise<boolean>;
  /** Joins a group in the same manner. Idempotent. */
  join(member: Member, hub: string, group: string): Promise<boolean>;
  /** Leaves a group. Idempotent. */
  leave(connectionId: string, hub: string, group: string): Promise<void>;
  /** The groups of a connection, consistent, in the order of their UTF-8 bytes. */
  groups(connectionId: string): Promise<readonly string[]>;
  /**
   * The connection as a member of its hub, consistent; undefined before {@link enter} and after the end. So it is
   * also the answer to whether `onConnected` may have started, and whether anything may be posted to it.
   */
  member(connectionId: string, hub: string): Promise<Member | undefined>;
  /** Everybody addressed, in pages, read consistently. */
  members(audience: Audience): AsyncIterable<readonly Member[]>;
  /**
   * Connection ids of an audience, at most `limit`, in an order that stays the same; with `after`, those behind this
   * one, which needs not be there. Consistent. Fewer than `limit` are the last ones.
   */
  connectionIds(audience: Audience, after: string | undefined, limit: number): Promise<readonly string[]>;
  /** How many members there are, `except` for one that may be there. Consistent. */
  countMembers(audience: Audience, except?: string): Promise<number>;
  /** Corrects the hint, if it still is what was read. */
  redirect(audience: Audience, member: Member, transportId: string): Promise<void>;
  /** Removes a stale membership, only while it still names this transport. */
  forget(audience: Audience, member: Member): Promise<void>;

  // --- ending ----------------------------------------------------------------------------------------------------

  /**
   * Marks that the connection is to end for `reason`, unless it is marked already: no further frame is dispatched,
   * and a sweep after `deadline` ends it if nobody has before. Returns the marked state, undefined when there is
   * nothing to mark.
   */
  markEnd(transportId: string, reason: EndReason, deadline: number): Promise<TransportState | undefined>;
  /**
   * Claims the ending, if the transport is still as `claim.from` says. A reason marked earlier stays, unless this one
   * is silent ({@link isSilent}). Returns the claimed state, undefined for all but one caller.
   */
  claimEnd(claim: EndClaim): Promise<TransportState | undefined>;
  /**
   * Turns the connection row into a tombstone, and frees its resume key. From here on nobody joins anything. Undefined
   * if there is none.
   */
  bury(connectionId: string, expiresAt: number): Promise<ConnectionState | undefined>;
  /** Marks `onDisconnected` as done (or not wanted) by deleting the session. */
  dropSession(transportId: string): Promise<void>;
  /** Removes memberships, waiting frames and, unless its client is to read it to the end, outbox of a buried connection. */
  clear(connection: ConnectionState, keepsOutbox?: boolean): Promise<void>;
  /** Removes the transport row, if `ender` still has the claim. The last step. */
  dropTransport(transportId: string, ender: string): Promise<void>;
  /** The transport was seen to be gone: the next sweep ends its connection. */
  markLost(transportId: string): Promise<void>;

  // --- users who come and go -------------------------------------------------------------------------------------

  /**
   * A connection of the user has come. A user who was offline is `coming` then, under this arrival as the holder, or
   * `online` if there is nothing to tell.
   */
  arriveUser(hub: string, user: string, arrival: UserArrival): Promise<UserState>;
  /** Consistent. */
  user(hub: string, user: string): Promise<UserState | undefined>;
  /** The last connection seems to be gone: says when to look, unless another has arrived since. */
  departUser(seen: UserState, checkAt: number): Promise<void>;
  /** There is a connection still: says when to look again, unless somebody else has said so since. */
  keepUser(seen: UserState, checkAt: number): Promise<void>;
  /**
   * Becomes the holder who tells. Undefined when phase or holder are not as seen; from `online` also when a connection
   * has arrived since.
   */
  claimUser(
    seen: UserState,
    claim: { readonly phase: "coming" | "leaving"; readonly holder: string; readonly until: number },
  ): Promise<UserState | undefined>;
  /**
   * It is told: who was coming is online, who was leaving is offline. False when somebody else is the holder, or a
   * connection has arrived since the user was found to be leaving.
   */
  settleUser(claimed: UserState): Promise<boolean>;
  /** The users of a hub who are to be looked at, or whose holder is dead, page by page; `total` counts all. */
  dueUsers(hub: string, now: number): AsyncIterable<{ readonly users: readonly UserState[]; readonly total: number }>;

  // --- sweeping --------------------------------------------------------------------------------------------------

  /** Begins a new generation of the sweeper, which stops the one before at its next tick. */
  beginSweep(): Promise<SweeperLease>;
  /** Writes the lease if it is still of this generation and as old as `seen`. */
  keepSweeping(seen: SweeperLease, next: SweeperLease): Promise<boolean>;
  /** Every transport with something due at `now` (deadline, turn, rotation, token), page by page; `total` counts all. */
  due(now: number): AsyncIterable<{ readonly transports: readonly TransportState[]; readonly total: number }>;
}
