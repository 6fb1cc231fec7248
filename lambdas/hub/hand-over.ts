// Invocations that stream or run for long are handed to a worker: the turn goes on to what waits behind them.

import { toPortable } from "../protocol/index.ts";
import type { TransportState } from "./connection-state.ts";
import type { DispatchContext, DispatchPorts, Invocation } from "./dispatch.ts";
import { HubException } from "./hub-exception.ts";
import { LEASE } from "./lease.ts";
import { isTooLong, NAME_BYTES } from "./names.ts";
import type { Work } from "./ports.ts";
import { closeUploads, uploadKey } from "./uploads.ts";
import { MOST_WORK } from "./work-store.ts";

/** How long a stream that nobody closed may lie about. Milliseconds. */
const UPLOAD_GARBAGE = 24 * 3_600_000;

/** Why an invocation could not be handed over, for its client: a text, or what went wrong. */
export type HandOverFailure = { readonly text: string } | { readonly error: unknown };

export async function handOver(
  ports: DispatchPorts,
  { state, hub }: DispatchContext,
  invocation: Invocation,
): Promise<HandOverFailure | undefined> {
  const { store, random, clock, workers, log } = ports;
  const { connectionId, handshakes } = state;
  const { kind, id, target, args, streamIds, headers } = invocation;
  if (isTooLong(id ?? "") || streamIds.some(isTooLong)) {
    return { error: new HubException(`An invocation ID has at most ${NAME_BYTES} bytes.`) };
  }
  const key = id === undefined ? `${handshakes}#unasked#${random.id()}` : workKey(state, id);
  const outcome = await store.startWork(connectionId, { key, nonce: random.id(), now: clock.now() });
  switch (outcome) {
    case "ended":
      return undefined;
    case "taken":
      return { text: `Invocation ID '${id}' is already in use.` };
    case "full":
      return {
        error: new HubException(`A connection has at most ${MOST_WORK} streams and long invocations at a time.`),
      };
    case "started":
  }
  const nonce = random.id();
  const piece: Work = {
    connectionId,
    key,
    handshakes,
    invocation: {
      kind,
      ...(id !== undefined && { id }),
      target,
      args: toPortable(args),
      streamIds,
      ...(headers && { headers }),
    },
  };
  for (const [index, streamId] of streamIds.entries()) {
    const stream = uploadKey(state, streamId);
    const expiresAt = clock.now() + UPLOAD_GARBAGE;
    const opened = await store.openUpload(connectionId, stream, nonce, expiresAt);
    if (opened === "opened") continue;
    await closeUploads(ports, { ...piece, invocation: { ...piece.invocation, streamIds: streamIds.slice(0, index) } });
    await store.finishWork(connectionId, key);
    if (opened === "ended") return undefined;
    return { text: `Invocation ID '${streamId}' is already in use.` };
  }
  try {
    await workers.start(piece);
    return undefined;
  } catch (error) {
    log.error("An invocation could not be handed to a worker.", { hub: hub.path, connectionId, error });
    // A request whose answer is lost may have reached one all the same.
    if ((await takeBack(ports, connectionId, key)) !== "taken back") return undefined;
    await closeUploads(ports, piece);
    return { error };
  }
}

/** Takes work from whoever has not begun with it, or is dead; a worker that has begun is left to tell the client. */
export async function takeBack(
  { store, random, clock }: Pick<DispatchPorts, "store" | "random" | "clock">,
  connectionId: string,
  key: string,
): Promise<"taken back" | "begun" | "none"> {
  if ((await store.work(connectionId, key)) === undefined) return "none";
  const now = clock.now();
  const claim = await store.claimWork(connectionId, key, { worker: random.id(), until: now + LEASE, now });
  if (claim === undefined) return "begun";
  await store.finishWork(connectionId, key);
  return "taken back";
}

/** A client that has shaken hands anew may use its ids again. */
export function workKey({ handshakes }: Pick<TransportState, "handshakes">, id: string): string {
  return `${handshakes}#asked#${id}`;
}
