// From an invocation to the author's method, and from its outcome to a completion, in the reference server's words.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/server/Core/src/Internal/DefaultHubDispatcher.cs

import type { ClientMessage } from "../protocol/index.ts";
import { isAuthorized } from "./authorization.ts";
import { bindArguments, InvalidDataException } from "./bind-arguments.ts";
import { type Caller, type CallerPorts, createCaller } from "./caller.ts";
import { byteLength, type Channel } from "./channel.ts";
import type { Session, TransportState } from "./connection-state.ts";
import type { HubEntry } from "./define-service.ts";
import { encodeChecked, MAXIMUM_SEND_MESSAGE_SIZE } from "./delivery.ts";
import { handOver } from "./hand-over.ts";
import { HubException } from "./hub-exception.ts";
import { findMethod, type Method } from "./hub-method.ts";
import { detailOf } from "./hub-options.ts";
import { keepItems } from "./items.ts";
import { runMethod } from "./pipeline.ts";
import type { Log, Workers } from "./ports.ts";
import { type RunOutcome, runLimited, TimeLimitError } from "./run-limited.ts";
import type { Slots } from "./slots.ts";
import { isSource, StreamError, sendItems } from "./stream-items.ts";
import { type InvocationTelemetry, outcomeOf, startInvocation } from "./telemetry.ts";
import { isUpload } from "./upload.ts";
import { watchClient } from "./watch-client.ts";

export type Invocation = Extract<ClientMessage, { kind: "invocation" | "streamInvocation" }>;

export interface DispatchPorts extends CallerPorts {
  readonly workers: Workers;
}

/** What all invocations of one turn share. */
export interface DispatchContext {
  readonly hub: HubEntry;
  state: TransportState;
  channel: Channel;
  /** When a method must be over: epoch milliseconds. */
  readonly stopAt: number;
  session: Session;
  /** Methods that wait for clients, and let others have the turn meanwhile; posts that nobody waits for. */
  readonly behind: Set<Promise<void>>;
  /** For a hub that runs several invocations of a connection at a time. */
  readonly slots: Slots | undefined;
}

/** Runs one invocation and writes its completion. True when the method closed its own connection. */
export async function dispatch(
  ports: DispatchPorts,
  context: DispatchContext,
  invocation: Invocation,
): Promise<boolean> {
  const method = findMethod(context.hub, invocation.target);
  const telemetry = startInvocation(ports, context, { ...invocation, method: method?.name });
  if (method === undefined) {
    const text = `Failed to invoke '${invocation.target}' due to an error on the server.`;
    fail(context, invocation, text, new HubException("Method does not exist."));
    telemetry.end("refused");
    return false;
  }
  if (isWork(method, invocation)) {
    const failure = await handOver(ports, context, invocation);
    // A stock client that has sent something pings only after it has heard something, and may wait for long now.
    if (failure === undefined) context.channel.ping();
    else if ("text" in failure) fail(context, invocation, failure.text);
    else fail(context, invocation, failed(method.name), failure.error);
    // The worker tells of the rest.
    if (failure !== undefined) telemetry.end("refused");
    return false;
  }
  let isAsking = (): void => undefined;
  const asking = new Promise<"asking">((resolve) => {
    isAsking = () => resolve("asking");
  });
  const over = new AbortController();
  const { channel } = context;
  void pingWhile(ports, channel, over.signal);
  let watching: Promise<void> | undefined;
  const onStart = ({ cancel }: Caller): void => {
    watching = watchClient(ports, context.state, over.signal, cancel);
  };
  const running = execute(ports, context, invocation, method, { telemetry, onAsk: isAsking, onStart }).finally(() => {
    over.abort();
    return watching;
  });
  const first = await Promise.race([running, asking]);
  if (first !== "asking") return first?.abortRequested ?? false;
  leaveBehind(
    context,
    running.then(() => channel.flushed()),
  );
  return false;
}

/** Leaves something to {@link finishBehind}, which throws what it throws. */
export function leaveBehind({ behind }: Pick<DispatchContext, "behind">, what: Promise<void>): void {
  const left = what.then(() => {
    behind.delete(left);
  });
  left.catch(() => undefined);
  behind.add(left);
}

/** Resolves when no method runs or waits for a client any more, and everything is posted. */
export async function finishBehind(context: DispatchContext): Promise<void> {
  const { behind, slots } = context;
  if (slots === undefined && behind.size === 0) return;
  await slots?.settled();
  await Promise.all(behind);
  await context.channel.flushed();
}

/** Whether a worker runs it: it streams, either way, or takes long. */
function isWork(method: Method, invocation: Invocation): boolean {
  if (refuse(method, invocation) !== undefined) return false;
  return method.streams || method.longRunning || invocation.streamIds.length > 0;
}

/** What a worker has besides. */
export interface WorkRun {
  /** What the client sends, in the order of the method's uploads. */
  readonly uploads: readonly AsyncIterable<unknown>[];
  /** Fires when nobody waits for the method any more. */
  readonly stop: AbortSignal;
  /** Hears of the caller before the method begins. */
  readonly onStart: (caller: Caller) => void;
}

/** Runs an invocation in a worker. */
export async function dispatchWork(
  ports: CallerPorts,
  context: DispatchContext,
  invocation: Invocation,
  work: WorkRun,
): Promise<void> {
  const method = findMethod(context.hub, invocation.target);
  // It was there when the invocation came: another deployment may not have it.
  if (method === undefined) return failInvocation(ports, context, invocation);
  const telemetry = startInvocation(ports, context, { ...invocation, method: method.name });
  await execute(ports, context, invocation, method, { telemetry, work, onStart: work.onStart });
}

/** Whom an invocation is answered to. */
type Asker = Pick<DispatchContext, "hub" | "channel">;

interface Execution {
  readonly telemetry: InvocationTelemetry;
  readonly work?: WorkRun;
  readonly onAsk?: () => void;
  readonly onStart?: (caller: Caller) => void;
}

async function execute(
  ports: CallerPorts,
  context: DispatchContext,
  invocation: Invocation,
  method: Method,
  { telemetry, work, onAsk, onStart }: Execution,
): Promise<Caller | undefined> {
  const { name } = method;
  const unbound = `Failed to invoke '${name}' due to an error on the server.`;
  const limit = context.stopAt - ports.clock.now();
  if (limit <= 0) {
    fail(context, invocation, failed(name), new TimeLimitError("The function had no time left for the method."));
    telemetry.end("timed out");
    return undefined;
  }
  const { hub, session, state, channel } = context;
  // The connection may go over to another transport meanwhile.
  const asker = { hub, channel };
  const traceContext = telemetry.trace;
  const asking = onAsk && { onAsk };
  const caller = createCaller(ports, { hub, session, state, channel, redelivered: false, traceContext, ...asking });
  const progress = { bound: false };
  onStart?.(caller);
  const run = await runLimited(ports.clock, limit, caller, async () => {
    const args = await bindArguments(method, invocation.args, work?.uploads ?? []);
    // A schema may take its time, and the client has its error by then.
    caller.throwIfExpired();
    progress.bound = true;
    const refusal = (await refuseUser(ports, context, method, args)) ?? refuse(method, invocation);
    if (refusal !== undefined) return refusal;
    const result = await runMethod({ service: ports.service, hub, caller }, method, args);
    if (!method.streams || work === undefined || invocation.id === undefined) return result;
    if (!isSource(result)) throw new Unstreamable(name);
    return sendItems(channel, invocation.id, result, work.stop);
  });
  keepItems(context, session, caller.items());
  if ("result" in run && run.result instanceof Refusal) {
    fail(asker, invocation, run.result.text);
    telemetry.end("refused");
    return undefined;
  }
  const outcome = "error" in run ? run : complete(asker, invocation, method, run.result);
  if ("error" in outcome) {
    logFailure(caller.hub.log, name, outcome.error);
    const text = method.streams && progress.bound ? BROKEN_STREAM : progress.bound ? failed(name) : unbound;
    failWith(asker, invocation, text, outcome.error);
  }
  telemetry.end("error" in outcome ? outcomeOf(outcome.error, isExpected(outcome.error)) : "completed");
  return caller;
}

const BROKEN_STREAM = "An error occurred on the server while streaming results.";

/** A method that says it streams, and returned something else. */
class Unstreamable extends Error {
  constructor(name: string) {
    super(`The value returned by the streaming method '${name}' is not an AsyncIterable or Iterable.`);
  }
}

function failWith(context: Asker, invocation: Invocation, text: string, error: unknown): void {
  if (error instanceof Unstreamable) fail(context, invocation, error.message);
  else fail(context, invocation, text, causeOf(error));
}

/** A stock client that waits for an answer pings only after it has heard something, and gives up on a silent server. */
async function pingWhile({ clock, service }: CallerPorts, channel: Channel, over: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(service.lifetime.keepAliveInterval, over);
    if (over.aborted) return;
    channel.ping();
  }
}

/** Answers an invocation that nobody will run, or that died with its function. */
export function failInvocation(
  ports: CallerPorts,
  context: DispatchContext,
  invocation: Pick<Invocation, "id" | "target">,
): void {
  fail(context, invocation, failed(invocation.target));
  const method = findMethod(context.hub, invocation.target)?.name;
  startInvocation(ports, context, { ...invocation, method }).end("failed");
}

function failed(name: string): string {
  return `An unexpected error occurred invoking '${name}' on the server.`;
}

/** What the client did wrong, or is meant to read, is no failure of the service. */
function isExpected(error: unknown): error is Error {
  return HubException.is(causeOf(error)) || error instanceof InvalidDataException;
}

function causeOf(error: unknown): unknown {
  return error instanceof StreamError ? error.cause : error;
}

function logFailure(log: Log, method: string, thrown: unknown): void {
  const error = causeOf(thrown);
  if (isExpected(error)) log.info("A hub method refused.", { method, error: error.message });
  else log.error("A hub method failed.", { method, error });
}

/** Errors that the author means clients to read are always told, others only in detail mode. */
export function withDetail({ options }: HubEntry, text: string, error: unknown): string {
  if (HubException.is(error)) return `${text} HubException: ${error.message}`;
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : `Error: ${String(error)}`;
  return text + detailOf(options, detail);
}

/** Why a method that exists and takes these arguments is not run all the same. */
class Refusal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

async function refuseUser(
  { service, log }: CallerPorts,
  { hub, session, state: { connectionId } }: DispatchContext,
  { name, authorize }: Method,
  args: readonly unknown[],
): Promise<Refusal | undefined> {
  const { user, userIdentifier } = session;
  const asked = { user, userIdentifier, hub: hub.path, method: name, args, connectionId };
  if (await isAuthorized({ policies: service.policies, log }, authorize, asked)) return undefined;
  log.info("A user may not call a hub method.", { hub: hub.path, method: name, connectionId });
  return new Refusal(`Failed to invoke '${name}' because user is unauthorized`);
}

function refuse({ name, streams, schemas }: Method, { kind, streamIds }: Invocation): Refusal | undefined {
  if (kind === "streamInvocation" && !streams) {
    return new Refusal(
      `The client attempted to invoke the non-streaming '${name}' method with a streaming invocation.`,
    );
  }
  if (kind === "invocation" && streams) {
    return new Refusal(
      `The client attempted to invoke the streaming '${name}' method with a non-streaming invocation.`,
    );
  }
  const expected = (schemas ?? []).filter(isUpload).length;
  if (streamIds.length === expected) return undefined;
  const text = `Client sent ${streamIds.length} stream(s), Hub method expects ${expected}.`;
  return new Refusal(`${failed(name)} HubException: ${text}`);
}

/** An error when the result is no JSON, or more than a message holds. */
function complete({ channel }: Asker, { id }: Invocation, { streams }: Method, result: unknown): RunOutcome {
  if (id === undefined) return { result };
  try {
    const completion = streams ? ({ kind: "streamEnd", id } as const) : ({ kind: "completion", id, result } as const);
    const record = encodeChecked(channel.protocol, completion);
    // Not awaited: the next invocation need not wait for the post, and the turn is let go beside it.
    void channel.answer(record);
    return { result };
  } catch (error) {
    return { error };
  }
}

function fail({ channel, hub }: Asker, { id }: Pick<Invocation, "id">, text: string, cause?: unknown): void {
  if (id === undefined) return;
  const error = cause === undefined ? text : withDetail(hub, text, cause);
  // An error that is too long to be told is told without its detail: the caller waits for an answer.
  const fits = byteLength(error) < MAXIMUM_SEND_MESSAGE_SIZE / 2;
  void channel.answer(channel.protocol.encode({ kind: "completion", id, error: fits ? error : text }));
}
