// The way to the one client whose frame is being handled: what is written goes out in the order it was written.

import type { PostOutcome, Transports } from "./ports.ts";

/** Bytes up to which records for one client share a post: API Gateway bills messages by 32 KB. */
const SHARED_POST = 32 * 1024;

export interface Channel {
  readonly transportId: string;
  /** Resolves when the record's post has. Records written meanwhile share the next post. */
  write(record: string): Promise<PostOutcome>;
  /** Resolves when everything written so far is posted. */
  flushed(): Promise<void>;
}

interface Waiting {
  readonly record: string;
  readonly settle: (outcome: PostOutcome) => void;
}

export function openChannel(transports: Transports, transportId: string): Channel {
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
      return bytes > SHARED_POST;
    });
    const batch = waiting.slice(0, over < 0 ? waiting.length : Math.max(over, 1));
    waiting = waiting.slice(batch.length);
    return batch;
  }

  return {
    transportId,
    write: (record) =>
      new Promise((settle) => {
        waiting.push({ record, settle });
        running ??= run();
      }),
    flushed: async () => running,
  };
}

const encoder = new TextEncoder();

/** UTF-8 bytes. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}
