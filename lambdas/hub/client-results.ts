// Client results: a server asks clients, and waits for their answers, which may reach any function.
// https://learn.microsoft.com/aspnet/core/signalr/hubs#client-results

import { fromPortable } from "../protocol/index.ts";
import { forEachLimit } from "./for-each-limit.ts";
import { HubException } from "./hub-exception.ts";
import { pauseBehind } from "./look-pause.ts";
import type { OutboxPorts } from "./outbox.ts";
import type { QuestionState } from "./question-store.ts";

export interface InvokeOptions {
  /** How long to wait for the answer. Milliseconds. @default 20_000 */
  readonly timeout?: number;
  /** Stops waiting. */
  readonly signal?: AbortSignal;
}

/** What clients made of a question that many were asked. */
export interface Answers<Result> {
  readonly results: readonly { readonly connectionId: string; readonly result: Result }[];
  readonly errors: readonly { readonly connectionId: string; readonly error: string }[];
  /** Who did not answer in time. */
  readonly missing: readonly string[];
}

/** Nobody answered in time, or the caller stopped waiting. */
export class InvocationCanceledError extends Error {
  override readonly name = "InvocationCanceledError";
  readonly code = "invocation_canceled";

  constructor(reason: string) {
    super(`Invocation canceled by the server. ${reason}`);
  }
}

export type ResultPorts = Pick<OutboxPorts, "store" | "clock" | "random">;

const TIMEOUT = 20_000;
/** How often it is asked whether the client is still there. Milliseconds. */
const LOOK_INTERVAL = 1_000;
const QUESTIONS_AT_ONCE = 32;
/** How long a question stays that nobody cleared away. Milliseconds. */
const QUESTION_GARBAGE = 3_600_000;

/**
 * Asks one connection.
 *
 * @param send sends the question under its id; false when there is no such connection.
 * @throws HubException with the client's error; Error when there is no such connection, or it ends before it answers;
 *   InvocationCanceledError when time is up or `signal` fires.
 */
export async function askOne(
  ports: ResultPorts,
  connectionId: string,
  send: (id: string) => Promise<boolean>,
  options: InvokeOptions = {},
): Promise<unknown> {
  const { store, clock } = ports;
  const id = newId(ports);
  const before = await store.connection(connectionId);
  if (before === undefined || before.ended) throw new Error(`Connection '${connectionId}' does not exist.`);
  let lookAt = clock.now() + LOOK_INTERVAL;
  const isDone = async (asked: readonly QuestionState[]): Promise<boolean> => {
    if (asked.every(({ answer }) => answer !== undefined)) return true;
    if (clock.now() < lookAt) return false;
    lookAt = clock.now() + LOOK_INTERVAL;
    const now = await store.connection(connectionId);
    // One that has shaken hands anew does not know the question any more.
    if (now !== undefined && !now.ended && now.handshakes === before.handshakes) return false;
    throw new Error(`Connection '${connectionId}' disconnected.`);
  };
  await store.putQuestion(id, connectionId, clock.now() + QUESTION_GARBAGE);
  try {
    if (!(await send(id))) throw new Error(`Connection '${connectionId}' does not exist.`);
    const [asked] = await waitFor(ports, id, isDone, options);
    if (asked?.answer === undefined) throw canceled(options);
    if ("error" in asked.answer) throw new HubException(asked.answer.error);
    return fromPortable(asked.answer.json);
  } finally {
    await store.dropQuestion(id, connectionId);
  }
}

/** Asks many connections; never throws for what clients do. */
export async function askAll(
  ports: ResultPorts,
  connectionIds: readonly string[],
  send: (id: string) => Promise<void>,
  options: InvokeOptions = {},
): Promise<Answers<unknown>> {
  const { store, clock } = ports;
  const id = newId(ports);
  const expiresAt = clock.now() + QUESTION_GARBAGE;
  await forEachLimit(connectionIds, QUESTIONS_AT_ONCE, (each) => store.putQuestion(id, each, expiresAt));
  try {
    await send(id);
    const isDone = async (asked: readonly QuestionState[]) => asked.every(({ answer }) => answer !== undefined);
    const asked = await waitFor(ports, id, isDone, options);
    const answers = asked.map(({ connectionId, answer }) => ({ connectionId, ...answer }));
    return {
      results: answers.flatMap((each) =>
        "json" in each ? [{ connectionId: each.connectionId, result: fromPortable(each.json as string) }] : [],
      ),
      errors: answers.flatMap((each) =>
        "error" in each ? [{ connectionId: each.connectionId, error: each.error as string }] : [],
      ),
      missing: asked.filter(({ answer }) => answer === undefined).map(({ connectionId }) => connectionId),
    };
  } finally {
    await forEachLimit(connectionIds, QUESTIONS_AT_ONCE, (each) => store.dropQuestion(id, each));
  }
}

/** Of servers' questions, which are never the streams of a client. */
export function isQuestionId(id: string): boolean {
  return /^s[\w-]{22}$/.test(id);
}

function newId({ random }: ResultPorts): string {
  return `s${random.id()}`;
}

/** Until `isDone`, time is up or the signal fires; what has been answered by then. */
async function waitFor(
  { store, clock }: ResultPorts,
  id: string,
  isDone: (asked: readonly QuestionState[]) => Promise<boolean>,
  { timeout = TIMEOUT, signal }: InvokeOptions,
): Promise<readonly QuestionState[]> {
  const giveUpAt = clock.now() + timeout;
  for (let looks = 0; ; looks++) {
    const asked = await store.questions(id);
    if ((await isDone(asked)) || signal?.aborted || clock.now() >= giveUpAt) return asked;
    const pause = Math.min(pauseBehind(looks), giveUpAt - clock.now());
    await clock.sleep(pause, signal);
  }
}

function canceled({ timeout = TIMEOUT, signal }: InvokeOptions): InvocationCanceledError {
  return new InvocationCanceledError(
    signal?.aborted ? "The caller stopped waiting." : `No answer came within ${timeout} ms.`,
  );
}
