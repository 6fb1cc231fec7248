// The state port, continued: what the author of a hub was told of who comes and goes.

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

export interface UserStore {
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
}
