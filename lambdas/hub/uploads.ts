// What a client streams to a method: its items wait in the table until the worker that runs the method reads them.
//
// Every frame has a function of its own, so items may arrive in another order than they were sent in. They are read in
// the order in which the gateway received them, once nothing older can be missing.

import type { ClientMessage } from "../protocol/index.ts";
import { fromPortable, toPortable } from "../protocol/index.ts";
import type { CallerPorts } from "./caller.ts";
import type { TransportState } from "./connection-state.ts";
import { HubException } from "./hub-exception.ts";
import { optionsOf } from "./hub-options.ts";
import type { Work } from "./ports.ts";

/** How far behind a frame's function may start: an item is read once it is older. Milliseconds. */
export const SETTLING = 1_000;
/** Between two looks for items. Milliseconds. */
const LOOK_INTERVAL = 250;
/** How long the worker waits for items that were let in and never put: their function has died. Milliseconds. */
const LOST_AFTER = 6_000;
/** How long an item waits for room. Milliseconds. */
const PATIENCE = 5_000;
const FIRST_PAUSE = 100;

/** A stream's name within its connection: a client that has shaken hands anew may use its ids again. */
export function uploadKey({ handshakes }: Pick<TransportState, "handshakes">, streamId: string): string {
  return `${handshakes}#${streamId}`;
}

/** An item, or the end of a stream, from the client. What belongs to no stream is kept in vain, until the end. */
export async function receiveUpload(
  ports: CallerPorts,
  state: TransportState,
  message: Extract<ClientMessage, { kind: "streamItem" | "completion" }>,
  receivedAt: number,
): Promise<void> {
  const { store, clock, service, random } = ports;
  const { connectionId } = state;
  const stream = uploadKey(state, message.id);
  if (message.kind === "completion") {
    await store.endUpload(connectionId, stream, { receivedAt, error: message.error });
    return;
  }
  const { streamBufferCapacity } = optionsOf(service, state.hub);
  const item = { nonce: random.id().slice(-NONCE_SIZE), receivedAt, json: toPortable(message.item) };
  for (let waited = 0, pause = FIRST_PAUSE; ; waited += pause, pause *= 2) {
    if ((await store.putItem(connectionId, stream, item, streamBufferCapacity)) !== "full") return;
    if (waited >= PATIENCE) return store.endUpload(connectionId, stream, { receivedAt, error: FULL });
    await clock.sleep(pause);
  }
}

/** Characters: short, because the stream's row has one for each item that waits. */
const NONCE_SIZE = 8;

const FULL =
  "More items wait than the stream holds (streamBufferCapacity): the client sends faster than the method reads.";

/** The items of an invocation's streams, each readable once. */
export function readUploads(
  ports: CallerPorts,
  { connectionId, handshakes, invocation }: Work,
  stop: AbortSignal,
): readonly AsyncIterable<unknown>[] {
  return invocation.streamIds.map((id) => read(ports, connectionId, uploadKey({ handshakes }, id), stop));
}

/** From now on what the client still sends is dropped. */
export async function closeUploads(
  { store }: Pick<CallerPorts, "store">,
  { connectionId, handshakes, invocation }: Work,
): Promise<void> {
  for (const id of invocation.streamIds) await store.closeUpload(connectionId, uploadKey({ handshakes }, id));
}

async function* read(
  { store, clock }: CallerPorts,
  connectionId: string,
  stream: string,
  stop: AbortSignal,
): AsyncGenerator<unknown> {
  const read = new Set<string>();
  for (;;) {
    const state = await store.upload(connectionId, stream);
    if (state === undefined || stop.aborted) throw new Error("The client is gone.");
    // Whatever was received before this moment is there, or its function has died.
    const settled = clock.now() - SETTLING;
    const waiting = await store.uploadItems(connectionId, stream);
    const ready = waiting.filter(({ receivedAt }) => receivedAt <= settled);
    for (const { key, json } of ready) {
      // One that was dropped may come again, by a retry of the SDK.
      if (read.has(key)) continue;
      read.add(key);
      yield fromPortable(json);
    }
    const keys = ready.map(({ key }) => key);
    if (keys.length > 0) await store.dropItems(connectionId, stream, keys);
    const { end, received } = state;
    if (end !== undefined && end.receivedAt <= settled) {
      if (end.error !== undefined) throw new HubException(end.error);
      if (read.size >= received) return;
      if (end.receivedAt <= settled - LOST_AFTER) throw new HubException("Items of the stream were lost.");
    }
    if (ready.length === 0) await clock.sleep(LOOK_INTERVAL, stop);
  }
}
