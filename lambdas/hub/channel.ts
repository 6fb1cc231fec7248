// The way to the one client whose frame is being handled: what is written goes out in the order it was written.

import type { HubProtocol } from "../protocol/index.ts";
import type { PostOutcome, Transports } from "./ports.ts";
import { isHttpTransport } from "./transport-names.ts";

/** Bytes up to which records for one client share a post: API Gateway bills messages by 32 KB. */
export const SHARED_POST = 32 * 1024;

/** How much of a protocol may share `size` bytes: one message, if it could not be told apart from others. */
export function batchSize({ isDelimited }: HubProtocol, size: number): number {
  return isDelimited ? size : 0;
}

export interface Channel {
  readonly transportId: string;
  /** How its client spells messages. */
  readonly protocol: HubProtocol;
  /** A message that counts. Resolves when it is posted, or kept for a client that is away. */
  send(record: string): Promise<PostOutcome>;
  /** The same for what the client asked for: to nobody, when it has begun anew since. */
  answer(record: string): Promise<PostOutcome>;
  /** One that does not count: pings, acknowledgements, goodbyes. Records written meanwhile share the next post. */
  write(record: string): Promise<PostOutcome>;
  /** Keeps its client from giving up on a silent server. Who polls does not, and to event streams pings come anyway. */
  ping(): void;
  /** Resolves when everything sent and written so far is posted. @throws what kept an answer from being kept. */
  flushed(): Promise<void>;
}

interface Waiting {
  readonly record: string;
  readonly settle: (outcome: PostOutcome) => void;
}

/** Straight to the transport. */
export function openChannel(transports: Transports, transportId: string, protocol: HubProtocol): Channel {
  let waiting: Waiting[] = [];
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const batch = takeBatch();
      const outcome = await transports.post(transportId, batch.map((each) => each.record).join(""));
      for (const each of batch) each.settle(outcome);
    }
    running = undefined;
  }

  function takeBatch(): readonly Waiting[] {
    let bytes = 0;
    const over = waiting.findIndex((each) => {
      bytes += byteLength(each.record);
      return bytes > batchSize(protocol, SHARED_POST);
    });
    const batch = waiting.slice(0, over < 0 ? waiting.length : Math.max(over, 1));
    waiting = waiting.slice(batch.length);
    return batch;
  }

  const write = (record: string): Promise<PostOutcome> =>
    new Promise((settle) => {
      waiting.push({ record, settle });
      running ??= run();
    });

  function ping(): void {
    if (!isHttpTransport(transportId)) void write(protocol.encode({ kind: "ping" }));
  }

  return { transportId, protocol, send: write, answer: write, write, ping, flushed: async () => running };
}

/** A number for each message that counts, given out in the order of the calls by `send`. */
export function openNumberedChannel(
  transports: Transports,
  transportId: string,
  protocol: HubProtocol,
  send: (record: string, isAnswer: boolean) => Promise<void>,
): Channel {
  const direct = openChannel(transports, transportId, protocol);
  let last: Promise<void> = Promise.resolve();
  let failure: { readonly error: unknown } | undefined;

  function queue(record: string): Promise<void> {
    const sent = last.then(() => send(record, false));
    last = sent.catch(() => undefined);
    return sent;
  }

  /** Nobody waits for it, but for all of them. */
  async function answer(record: string): Promise<PostOutcome> {
    last = last
      .then(() => send(record, true))
      .catch((error) => {
        failure ??= { error };
      });
    await last;
    return failure === undefined ? "accepted" : "failed";
  }

  return {
    transportId,
    protocol,
    async send(record) {
      await queue(record);
      return "accepted";
    },
    answer,
    write: direct.write,
    ping: direct.ping,
    async flushed() {
      await last;
      await direct.flushed();
      if (failure !== undefined) throw failure.error;
    },
  };
}

const encoder = new TextEncoder();

/** UTF-8 bytes. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}
