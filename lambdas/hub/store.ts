// The state port: what the hub keeps between invocations. Every verb below is one step that happens wholly or not at
// all, and every step that somebody could race is conditional, with one winner. Nothing here is a transaction: steps
// are ordered so that a crash between two of them leaves a transport row, which the sweeper finds and repairs.

import type {
  Audience,
  ConnectionState,
  EndClaim,
  EndReason,
  Member,
  NewConnection,
  Receipt,
  Replay,
  Session,
  SweeperLease,
  Takeover,
  TallyChange,
  TransportState,
  Trim,
  Turn,
  WaitingFrame,
} from "./connection-state.ts";
import type { OutboxStore } from "./outbox-store.ts";
import type { QuestionStore } from "./question-store.ts";
import type { UploadStore } from "./upload-store.ts";
import type { UserStore } from "./user-store.ts";
import type { WorkStore } from "./work-store.ts";

export interface Store extends OutboxStore, UserStore, WorkStore, UploadStore, QuestionStore {
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

  // --- frames and the turn ---------------------------------------------------------------------------------------

  /**
   * A frame arrived that passes the turn: moves the deadline and counts its messages. Undefined when the connection is
   * ended or ending, its transport is lost, taken over or resuming, the messages could be repeated ones, there
   * are `MOST_RECEIPTS`, or the frame is counted already, as after a retry of the SDK.
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
   * is silent (`isSilent`). Returns the claimed state, undefined for all but one caller.
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

  // --- sweeping --------------------------------------------------------------------------------------------------

  /** Begins a new generation of the sweeper, which stops the one before at its next tick. */
  beginSweep(): Promise<SweeperLease>;
  /** Writes the lease if it is still of this generation and as old as `seen`. */
  keepSweeping(seen: SweeperLease, next: SweeperLease): Promise<boolean>;
  /** Every transport with something due at `now` (deadline, turn, rotation, token), page by page; `total` counts all. */
  due(now: number): AsyncIterable<{ readonly transports: readonly TransportState[]; readonly total: number }>;
}
