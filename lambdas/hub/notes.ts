// What the holder of a turn answers for if it dies: the invocations that it runs, noted in the transport row.

import type { ClientMessage } from "../protocol/index.ts";
import type { InvocationNote } from "./connection-state.ts";
import { isInvocation } from "./frame.ts";
import type { HubOptions } from "./hub-options.ts";

/** Room for notes in the transport row, which stays small because the sweeper reads all of them. Characters of JSON. */
const NOTES_SIZE = 150;
/** The same where many run at a time: then a row is one unit to read all the same. */
const MOST_NOTES = 3_000;

type Parallel = Pick<Required<HubOptions>, "maximumParallelInvocationsPerClient">;

/** As many as there is room for. */
export function noteInvocations(messages: readonly ClientMessage[], room = NOTES_SIZE): readonly InvocationNote[] {
  const notes: InvocationNote[] = [];
  let size = 0;
  for (const message of messages) {
    if (!isInvocation(message) || message.id === undefined) continue;
    size += JSON.stringify([message.id, message.target]).length;
    if (size > room) break;
    notes.push({ id: message.id, target: message.target });
  }
  return notes;
}

/** Whether a frame can be noted beside what runs. */
export function hasRoom(
  messages: readonly ClientMessage[],
  options: Parallel,
  running: readonly ClientMessage[],
): boolean {
  const both = [...running, ...messages];
  return noteInvocations(both, roomOf(options)).length === idsOf(both);
}

/** Of what runs, the first frame, and as many of the next ones as there is room for: `count` frames in all. */
export function noteFrames(
  frames: readonly (readonly ClientMessage[])[],
  options: Parallel,
  running: readonly ClientMessage[] = [],
): { readonly notes: readonly InvocationNote[]; readonly count: number } {
  const room = roomOf(options);
  const noteAll = (some: readonly (readonly ClientMessage[])[]) => noteInvocations([...running, ...some.flat()], room);
  let asked = idsOf(running);
  const all = noteAll(frames);
  const over = frames.findIndex((messages) => {
    asked += idsOf(messages);
    return asked > all.length;
  });
  if (over === 0) return { notes: all, count: 1 };
  if (over === -1) return { notes: all, count: frames.length };
  return { notes: noteAll(frames.slice(0, over)), count: over };
}

function roomOf({ maximumParallelInvocationsPerClient }: Parallel): number {
  return Math.min(NOTES_SIZE * maximumParallelInvocationsPerClient, MOST_NOTES);
}

function idsOf(messages: readonly ClientMessage[]): number {
  return messages.filter((message) => isInvocation(message) && message.id !== undefined).length;
}
