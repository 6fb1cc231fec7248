// From what a streaming method yields to stream items at its client.

import type { Channel } from "./channel.ts";
import { encodeChecked } from "./delivery.ts";
import type { PostOutcome } from "./ports.ts";

/** Items on their way at a time: those that wait share a post. */
const ITEMS_AT_ONCE = 32;

type Source = AsyncIterable<unknown> | Iterable<unknown>;

/** A stream broke off in the middle. */
export class StreamError extends Error {
  override readonly name = "StreamError";

  constructor(cause: unknown) {
    super("The stream broke off.", { cause });
  }
}

export function isSource(value: unknown): value is Source {
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

/**
 * Sends every item, in order, until the source ends, `stop` fires, or the client is gone; then the source is told to
 * return. A slow client slows the source down.
 *
 * @throws StreamError for what the source throws, and for an item that no message can carry.
 */
export async function sendItems(channel: Channel, id: string, source: Source, stop: AbortSignal): Promise<void> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const stopped = new Promise<undefined>((resolve) => {
    if (stop.aborted) resolve(undefined);
    stop.addEventListener("abort", () => resolve(undefined));
  });
  const posts = new Set<Promise<PostOutcome>>();
  let isGone = false;
  let isOver = false;
  try {
    while (!stop.aborted && !isGone) {
      const next = await Promise.race([iterator.next(), stopped]);
      if (next === undefined) break;
      if (next.done) {
        isOver = true;
        break;
      }
      const record = encodeChecked(channel.protocol, { kind: "streamItem", id, item: await next.value });
      const post = channel.answer(record);
      posts.add(post);
      void post.then((outcome) => {
        posts.delete(post);
        isGone ||= outcome === "gone";
      });
      if (posts.size >= ITEMS_AT_ONCE) await Promise.race(posts);
    }
  } catch (error) {
    isOver = true;
    throw new StreamError(error);
  } finally {
    // Not awaited: a generator that waits for something else returns after that.
    if (!isOver) void Promise.resolve(iterator.return?.()).catch(() => undefined);
    await Promise.all(posts);
  }
}
