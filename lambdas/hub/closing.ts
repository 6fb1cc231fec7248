// Closing a connection without ending it: its row is marked, the client is told why, its transport is closed. Whoever
// sees the mark next, the disconnect event or the sweeper, runs the ending. For those who may not run hub code, and
// for a function that has no time left to.

import type { Dialect, ServerMessage } from "../protocol/index.ts";
import { type EndReason, noted } from "./connection-state.ts";
import { handshakeReply } from "./handshakes.ts";
import type { Clock, Log, PostOutcome, Transports } from "./ports.ts";
import { protocolOf } from "./protocols.ts";
import type { Store } from "./store.ts";

export interface ClosingPorts {
  readonly store: Store;
  readonly transports: Transports;
  readonly dialect: Dialect;
  readonly clock: Clock;
}

/** How long the sweeper leaves a mark to the one who made it: time to post the goodbye, with retries. Milliseconds. */
export const GOODBYE_TIME = 5_000;

export interface Closing {
  readonly transportId: string;
  readonly reason: EndReason;
  readonly message: ServerMessage;
  /** What the message goes through. @default straight to the transport */
  readonly post?: (record: string) => Promise<PostOutcome>;
}

/** False for a connection that is gone, ending, or marked already, or has another transport: it is left alone. */
export async function closeMarked(ports: ClosingPorts, closing: Closing): Promise<boolean> {
  const { transportId, reason, message } = closing;
  const marked = await ports.store.markEnd(transportId, noted(reason), ports.clock.now() + GOODBYE_TIME);
  if (marked === undefined) return false;
  await sayGoodbye(ports, transportId, protocolOf(ports, marked).encode(message), closing.post);
  return true;
}

/** For a function that failed over a frame: what was asked for may be half done, and nothing more will come. */
export async function closeBroken(ports: ClosingPorts & { readonly log: Log }, transportId: string): Promise<void> {
  const error = "Connection closed with an error.";
  let protocol: string | undefined;
  let isUnopened = false;
  try {
    const reason = { stopCalled: false, code: "server_error" } as const;
    const marked = await ports.store.markEnd(transportId, reason, ports.clock.now() + GOODBYE_TIME);
    if (marked === undefined) return;
    isUnopened = marked.phase === "accepted";
    protocol = marked.protocol;
  } catch (cause) {
    // Most likely what failed the frame. Its client is told all the same; the ending then looks like its own.
    ports.log.error("A connection could not be marked to end.", { error: cause, transportId });
  }
  // Before the handshake's reply, its error is all that a client understands.
  const record = isUnopened
    ? handshakeReply(ports, { protocol }, error)
    : protocolOf(ports, { protocol }).encode({ kind: "close", error, allowReconnect: true });
  await sayGoodbye(ports, transportId, record);
}

/**
 * Says goodbye, then closes: the client learns the reason, and whether to come back, from the message alone. Takes no
 * longer than `limit`, whatever the gateway does.
 */
export async function sayGoodbye(
  { transports, clock }: Pick<ClosingPorts, "transports" | "clock">,
  transportId: string,
  record: string | undefined,
  post = (text: string): Promise<PostOutcome> => transports.post(transportId, text),
  limit = GOODBYE_TIME,
): Promise<void> {
  const said = new AbortController();
  const goodbye = async (): Promise<void> => {
    if (record !== undefined) await post(record);
    await transports.close(transportId);
    said.abort();
  };
  await Promise.race([goodbye(), clock.sleep(limit, said.signal)]);
}
