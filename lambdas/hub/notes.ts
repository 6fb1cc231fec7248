// What the holder of a turn answers for if it dies: the invocations that it runs, noted in the transport row.

import type { ClientMessage } from "../protocol/index.ts";
import { isInvocation } from "./frame.ts";
import type { InvocationNote } from "./store.ts";

/** Room for notes in the transport row, which stays small because the sweeper reads all of them. Characters of JSON. */
const NOTES_SIZE = 150;

/** As many as there is room for. */
export function noteInvocations(messages: readonly ClientMessage[]): readonly InvocationNote[] {
  const notes: InvocationNote[] = [];
  let size = 0;
  for (const message of messages) {
    if (!isInvocation(message) || message.id === undefined) continue;
    size += JSON.stringify([message.id, message.target]).length;
    if (size > NOTES_SIZE) break;
    notes.push({ id: message.id, target: message.target });
  }
  return notes;
}

/** Of the first frame, and of as many of the next ones as there is room for: `count` in all. */
export function noteFrames(frames: readonly (readonly ClientMessage[])[]): {
  readonly notes: readonly InvocationNote[];
  readonly count: number;
} {
  const ids = (messages: readonly ClientMessage[]) =>
    messages.filter((message) => isInvocation(message) && message.id !== undefined).length;
  let asked = 0;
  const all = noteInvocations(frames.flat());
  const over = frames.findIndex((messages) => {
    asked += ids(messages);
    return asked > all.length;
  });
  if (over === 0) return { notes: all, count: 1 };
  if (over === -1) return { notes: all, count: frames.length };
  return { notes: noteInvocations(frames.slice(0, over).flat()), count: over };
}
