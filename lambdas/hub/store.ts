// The state port: what the hub keeps between invocations. Every verb below is one step that happens wholly or not at
// all, and every step that somebody could race is conditional, with one winner. Nothing here is a transaction: steps
// are ordered so that a crash between two of them leaves a transport row, which the sweeper finds and repairs.

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
  | "server_error";

/**
 * `accepted`: the socket exists; with a turn taken, its handshake and `onConnected` are running ("connecting").
 * `open`: messages are dispatched. `ended`: somebody claimed the ending, and has until `deadline` to finish it.
 */
export type Phase = "accepted" | "open" | "ended";

/** Who runs the connection's invocations. A holder whose `until` has passed is dead. */
export interface Turn {
  readonly holder: string;
  readonly until: number;
  /** The invocations its frame carried, to answer for it if it dies. */
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
  readonly turn: Turn | undefined;
  /** Frames that were counted as waiting since the turn was taken. */
  readonly waiting: number;
  /** Set before the phase is `ended`: somebody wants the connection to end, for this reason. */
  readonly end: EndReason | undefined;
  /** In phase `ended`: who finishes the ending. */
  readonly ender: string | undefined;
}

/** A connection row, kept as a tombstone for a day after the end, so that no token is used twice. */
export interface ConnectionState {
  readonly connectionId: string;
  readonly hub: string;
  readonly transportId: string;
  readonly userIdentifier: string | undefined;
  readonly ended: boolean;
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

/** The transport is a hint: where the connection was when the row was written. */
export interface Member {
  readonly connectionId: string;
  readonly transportId: string;
}

/** A frame that waits for the turn. `key` sorts by receive time, then by invocation id. */
export interface WaitingFrame {
  readonly key: string;
  readonly text: string;
  readonly receivedAt: number;
}

export interface NewConnection {
  readonly transportId: string;
  readonly connectionId: string;
  readonly hub: string;
  /** When a missing handshake ends it. */
  readonly deadline: number;
  readonly rotateAt: number;
  readonly session: Session;
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

export interface Store {
  // --- connect ---------------------------------------------------------------------------------------------------

  /**
   * Writes the transport, then connection and session. `taken` when the connection id is in use or was (nothing is
   * left behind then): a token counts once.
   */
  accept(connection: NewConnection): Promise<"accepted" | "taken">;

  // --- frames and the turn ---------------------------------------------------------------------------------------

  /** A frame arrived that passes the turn: moves the deadline. Undefined when the connection is ended or ending. */
  touch(transportId: string, deadline: number): Promise<TransportState | undefined>;
  /** The same, and takes the turn if nobody has it: the state's `turn.holder` says who does. */
  take(transportId: string, deadline: number, turn: Turn): Promise<TransportState | undefined>;
  /** Puts a frame where the holder of the turn will find it. Visible before it is counted with {@link count}. */
  enqueue(connectionId: string, frame: WaitingFrame): Promise<void>;
  /** Counts one waiting frame; a holder can not let go of the turn without having seen the count. */
  count(transportId: string): Promise<TransportState | undefined>;
  /** Takes the turn from `seen`, a dead holder or nobody. False when it has moved on. */
  steal(transportId: string, turn: Turn, seen: Turn | undefined): Promise<boolean>;
  /**
   * Lets go of the turn; with `open`, moves from `accepted` to `open` in the same step. False when the turn is not
   * `holder`'s, frames were counted that it has not `seen`, or (with `open`) the connection is to end.
   */
  release(transportId: string, holder: string, seen: number, open: boolean): Promise<boolean>;
  /** Moves from `accepted` to `open` and keeps the turn. False when the turn is not `holder`'s or it is to end. */
  open(transportId: string, holder: string): Promise<boolean>;
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

  /** Writes the changed keys, deletes those whose value is undefined. Does nothing once the session is gone. */
  saveItems(transportId: string, changes: Readonly<Record<string, string | undefined>>): Promise<void>;

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
  /** Turns the connection row into a tombstone. From here on nobody joins anything. Undefined if there is none. */
  bury(connectionId: string, expiresAt: number): Promise<ConnectionState | undefined>;
  /** Marks `onDisconnected` as done (or not wanted) by deleting the session. */
  dropSession(transportId: string): Promise<void>;
  /** Removes memberships and waiting frames of a buried connection. */
  clear(connection: ConnectionState): Promise<void>;
  /** Removes the transport row, if `ender` still has the claim. The last step. */
  dropTransport(transportId: string, ender: string): Promise<void>;
  /** The transport was seen to be gone: the next sweep ends its connection. */
  markLost(transportId: string): Promise<void>;

  // --- sweeping --------------------------------------------------------------------------------------------------

  /** Begins a new generation of the sweeper, which stops the one before at its next tick. */
  beginSweep(): Promise<SweeperLease>;
  /** Writes the lease if it is still of this generation and as old as `seen`. */
  keepSweeping(seen: SweeperLease, next: SweeperLease): Promise<boolean>;
  /** Every transport with something due at `now` (deadline, turn, rotation), page by page; `total` counts all. */
  due(now: number): AsyncIterable<{ readonly transports: readonly TransportState[]; readonly total: number }>;
}
