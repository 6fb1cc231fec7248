// The state port, continued: invocations that a worker runs, because they stream or run for long.

/** An invocation in the hands of a worker. */
export interface WorkState {
  /** The worker that runs it; undefined until one has begun. */
  readonly worker: string | undefined;
  /** A worker whose lease has run out is dead. */
  readonly until: number;
  /** The client does not want it any more. */
  readonly cancelled: boolean;
}

export interface NewWork {
  /** Its name within the connection: the invocation's id, if it has one. */
  readonly key: string;
  /** Tells a second start of the same from a start of another: a retry of the SDK's. */
  readonly nonce: string;
  readonly now: number;
}

/** How many invocations of one connection may be with workers at a time. */
export const MOST_WORK = 100;

export interface WorkStore {
  /** Notes work before a worker is asked for. `taken` when its key is in use, `full` when there are too many. */
  startWork(connectionId: string, work: NewWork): Promise<"started" | "taken" | "full" | "ended">;
  /** The one worker that runs it claims it first; `died` for one that finds the worker before it dead. */
  claimWork(
    connectionId: string,
    key: string,
    claim: { readonly worker: string; readonly until: number; readonly now: number },
  ): Promise<"claimed" | "died" | undefined>;
  /** Undefined when it is over, or its connection is. */
  work(connectionId: string, key: string): Promise<WorkState | undefined>;
  /** Moves the worker's lease. Undefined when the work is not this worker's any more. */
  renewWork(connectionId: string, key: string, worker: string, until: number): Promise<WorkState | undefined>;
  /** Asks the worker to stop. Work that is not there is ignored. */
  cancelWork(connectionId: string, key: string): Promise<void>;
  finishWork(connectionId: string, key: string): Promise<void>;
}
