// A worker: runs one invocation that streams or takes long, beside everything else its connection does.

import { fromPortable } from "../protocol/index.ts";
import type { Caller, CallerPorts } from "./caller.ts";
import type { Session, TransportState } from "./connection-state.ts";
import { type DispatchContext, dispatchWork, failInvocation, type Invocation } from "./dispatch.ts";
import { LEASE } from "./lease.ts";
import type { Work } from "./ports.ts";
import { openContext } from "./turn.ts";
import { closeUploads, readUploads } from "./uploads.ts";

/** Longest run of a method in a worker: a minute is left for everything behind it. Milliseconds. */
export const WORK_LIMIT = 14 * 60_000;
/** How often a worker looks whether it is still wanted, and its lease moves every tenth time. Milliseconds. */
const WATCH_INTERVAL = 1_000;
const RENEW_EVERY = 10;
/** How often it looks for its client, in units of the above. */
const LOOK_EVERY = 5;
/** How long it looks for a connection that is going over to another transport. Milliseconds. */
const MOVE_TIME = 6_000;
const PAUSE = 200;

/** Runs the work unless it is over already. Throws for what is not the client's: then it is tried once more. */
export async function work(ports: CallerPorts, { connectionId, key, handshakes, invocation }: Work): Promise<void> {
  const { store, clock } = ports;
  const startedAt = clock.now();
  const worker = ports.random.id();
  const claim = await store.claimWork(connectionId, key, { worker, until: startedAt + LEASE, now: startedAt });
  if (claim === undefined) return;
  const found = await findConnection(ports, connectionId, handshakes);
  if (found !== undefined) {
    const context = {
      ...openContext(ports, found.state, found.session, startedAt),
      stopAt: startedAt + WORK_LIMIT,
    };
    const asked = toInvocation(invocation);
    if (claim === "died") failInvocation(ports, context, asked);
    else await run(ports, context, { connectionId, key, handshakes, invocation }, worker);
    await context.channel.flushed();
  }
  await closeUploads(ports, { connectionId, key, handshakes, invocation });
  await store.finishWork(connectionId, key);
}

async function run(ports: CallerPorts, context: DispatchContext, piece: Work, worker: string): Promise<void> {
  const over = new AbortController();
  const stop = new AbortController();
  let caller: Caller | undefined;
  const watching = watch(ports, { context, piece, worker, over: over.signal }, (why) => {
    if (why === "cancelled") caller?.cancel(new Error("The client does not want it any more."));
    else caller?.expire(new Error("The client is gone."));
    stop.abort();
  });
  try {
    await dispatchWork(ports, context, toInvocation(piece.invocation), {
      uploads: readUploads(ports, piece, stop.signal),
      stop: stop.signal,
      onStart(begun) {
        caller = begun;
      },
    });
  } finally {
    over.abort();
    stop.abort();
    await watching;
  }
}

function toInvocation(invocation: Work["invocation"]): Invocation {
  return { ...invocation, id: invocation.id, args: fromPortable(invocation.args) as readonly unknown[] };
}

interface Watched {
  readonly context: DispatchContext;
  readonly piece: Work;
  readonly worker: string;
  readonly over: AbortSignal;
}

/** Keeps the worker's lease, and tells when nobody waits for it any more. */
async function watch(
  ports: CallerPorts,
  { context, piece, worker, over }: Watched,
  onStop: (why: "cancelled" | "gone") => void,
): Promise<void> {
  const { store, clock } = ports;
  const { connectionId, key } = piece;
  let isCancelled = false;
  for (let tick = 1; ; tick++) {
    await clock.sleep(WATCH_INTERVAL, over);
    if (over.aborted) return;
    try {
      const until = clock.now() + LEASE;
      const state =
        tick % RENEW_EVERY === 0
          ? await store.renewWork(connectionId, key, worker, until)
          : await store.work(connectionId, key);
      if (state === undefined) return onStop("gone");
      if (state.cancelled && !isCancelled) {
        isCancelled = true;
        onStop("cancelled");
      }
      if (tick % LOOK_EVERY === 0 && !(await isThere(ports, context.state, piece))) return onStop("gone");
    } catch (error) {
      ports.log.warn("A worker could not look after its work; it tries again.", { connectionId, error });
    }
  }
}

/** Whether the client that asked is there, and has not begun anew. */
async function isThere(
  { store }: CallerPorts,
  { stateful, transportId }: TransportState,
  { connectionId, handshakes }: Work,
): Promise<boolean> {
  const connection = await store.connection(connectionId);
  if (connection === undefined || connection.ended || connection.handshakes !== handshakes) return false;
  // Without stateful reconnect what a client asked is lost with its transport.
  return stateful || connection.transportId === transportId;
}

async function findConnection(
  { store, clock }: CallerPorts,
  connectionId: string,
  handshakes: number,
): Promise<{ readonly state: TransportState; readonly session: Session } | undefined> {
  const giveUpAt = clock.now() + MOVE_TIME;
  for (;;) {
    const connection = await store.connection(connectionId);
    if (connection === undefined || connection.ended || connection.handshakes !== handshakes) return undefined;
    const [state, session] = await Promise.all([
      store.transport(connection.transportId),
      store.session(connection.transportId),
    ]);
    if (state !== undefined && session !== undefined) return { state, session };
    if (clock.now() >= giveUpAt) return undefined;
    await clock.sleep(PAUSE);
  }
}
