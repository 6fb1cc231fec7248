// From an invocation to the author's method, and from its outcome to a completion, in the reference server's words.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/server/Core/src/Internal/DefaultHubDispatcher.cs

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { ClientMessage } from "../protocol/index.ts";
import { type Authorize, isAuthorized } from "./authorization.ts";
import { type CallerPorts, createCaller } from "./caller.ts";
import { byteLength, type Channel } from "./channel.ts";
import type { HubEntry } from "./define-service.ts";
import { encodeChecked, MAXIMUM_SEND_MESSAGE_SIZE } from "./delivery.ts";
import { HubException } from "./hub-exception.ts";
import { runMethod } from "./pipeline.ts";
import type { Log } from "./ports.ts";
import { type RunOutcome, runLimited, TimeLimitError } from "./run-limited.ts";
import type { Session, TransportState } from "./store.ts";

export type Invocation = Extract<ClientMessage, { kind: "invocation" | "streamInvocation" }>;

/** What all invocations of one turn share. */
export interface DispatchContext {
  readonly hub: HubEntry;
  state: TransportState;
  channel: Channel;
  /** When a method must be over: epoch milliseconds. */
  readonly stopAt: number;
  session: Session;
}

interface Method {
  readonly name: string;
  readonly handler: (...args: unknown[]) => unknown;
  /** Undefined for the short form, whose arguments nobody checks. */
  readonly schemas: readonly StandardSchemaV1[] | undefined;
  readonly authorize: Authorize | undefined;
}

/** Runs one invocation and writes its completion. True when the method closed its own connection. */
export async function dispatch(ports: CallerPorts, context: DispatchContext, invocation: Invocation): Promise<boolean> {
  const method = findMethod(context.hub, invocation.target);
  const name = method?.name ?? invocation.target;
  const unbound = `Failed to invoke '${name}' due to an error on the server.`;
  if (method === undefined) {
    fail(ports, context, invocation, unbound, new HubException("Method does not exist."));
    return false;
  }
  const limit = context.stopAt - ports.clock.now();
  if (limit <= 0) {
    fail(ports, context, invocation, failed(name), new TimeLimitError("The function had no time left for the method."));
    return false;
  }
  const { hub, session, state, channel } = context;
  const caller = createCaller(ports, { hub, session, state, channel, redelivered: false });
  const progress = { bound: false };
  const over = new AbortController();
  void pingWhile(ports, channel, over.signal);
  const run = await runLimited(ports.clock, limit, caller, async () => {
    const args = await bind(method, invocation.args);
    // A schema may take its time, and the client has its error by then.
    caller.throwIfExpired();
    progress.bound = true;
    const refusal = (await refuseUser(ports, context, method, args)) ?? refuse(name, invocation);
    return refusal ?? runMethod({ service: ports.service, hub, caller }, method, args);
  });
  over.abort();
  context.session = { ...session, items: caller.items() };
  if ("result" in run && run.result instanceof Refusal) {
    fail(ports, context, invocation, run.result.text);
    return false;
  }
  const outcome = "error" in run ? run : complete(ports, context, invocation, run.result);
  if ("error" in outcome) {
    logFailure(caller.hub.log, name, outcome.error);
    fail(ports, context, invocation, progress.bound ? failed(name) : unbound, outcome.error);
  }
  return caller.abortRequested;
}

/** A stock client that waits for an answer pings only after it has heard something, and gives up on a silent server. */
async function pingWhile({ clock, service, dialect }: CallerPorts, channel: Channel, over: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(service.lifetime.keepAliveInterval, over);
    if (over.aborted) return;
    void channel.write(dialect.encode({ kind: "ping" }));
  }
}

/** Answers an invocation that nobody will run, or that died with its function. */
export function failInvocation(
  ports: CallerPorts,
  context: DispatchContext,
  invocation: Pick<Invocation, "id" | "target">,
): void {
  fail(ports, context, invocation, failed(invocation.target));
}

function failed(name: string): string {
  return `An unexpected error occurred invoking '${name}' on the server.`;
}

function logFailure(log: Log, method: string, error: unknown): void {
  // What the client did wrong, or is meant to read, is no failure of the service.
  const expected = HubException.is(error) || error instanceof InvalidDataException;
  if (expected) log.info("A hub method refused.", { method, error: error.message });
  else log.error("A hub method failed.", { method, error });
}

/** Errors that the author means clients to read are always told, others only in detail mode. */
export function withDetail({ service }: Pick<CallerPorts, "service">, text: string, error: unknown): string {
  if (HubException.is(error)) return `${text} HubException: ${error.message}`;
  if (!service.enableDetailedErrors) return text;
  return error instanceof Error ? `${text} ${error.name}: ${error.message}` : `${text} Error: ${String(error)}`;
}

const methodsOfHubs = new WeakMap<HubEntry, ReadonlyMap<string, Method>>();

/** Own keys only, in any case: nothing a client names ever reaches a prototype. */
function findMethod(hub: HubEntry, target: string): Method | undefined {
  let methods = methodsOfHubs.get(hub);
  if (methods === undefined) {
    methods = new Map(
      Object.entries(hub.definition.methods).map(([name, method]) => [name.toLowerCase(), toMethod(name, method)]),
    );
    methodsOfHubs.set(hub, methods);
  }
  return methods.get(target.toLowerCase());
}

function toMethod(name: string, method: unknown): Method {
  if (typeof method === "function") {
    return { name, handler: method as Method["handler"], schemas: undefined, authorize: undefined };
  }
  const { handler, args, authorize } = method as Omit<Method, "schemas"> & { args: Method["schemas"] };
  return { name, handler, schemas: args, authorize };
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

function refuse(name: string, { kind, streamIds }: Invocation): Refusal | undefined {
  if (kind === "streamInvocation") {
    return new Refusal(
      `The client attempted to invoke the non-streaming '${name}' method with a streaming invocation.`,
    );
  }
  if (streamIds.length === 0) return undefined;
  return new Refusal(`${failed(name)} HubException: Client sent ${streamIds.length} stream(s), Hub method expects 0.`);
}

/** Named as the reference names it, for clients in detail mode. */
class InvalidDataException extends Error {
  override readonly name = "InvalidDataException";
}

/** @throws InvalidDataException, HubException, or what a schema throws. */
async function bind({ schemas }: Method, given: readonly unknown[]): Promise<readonly unknown[]> {
  if (schemas === undefined) return given;
  if (given.length !== schemas.length) {
    throw new InvalidDataException(
      `Invocation provides ${given.length} argument(s) but target expects ${schemas.length}.`,
    );
  }
  return Promise.all(schemas.map((schema, index) => check(schema, given[index], index)));
}

async function check(schema: StandardSchemaV1, value: unknown, index: number): Promise<unknown> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const issue = result.issues[0];
  const path = (issue?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  throw new HubException(
    `Validation failed: argument ${index + 1}${path === "" ? "" : ` (${path})`}: ${issue?.message}`,
  );
}

/** An error when the result is no JSON, or more than a message holds. */
function complete(ports: CallerPorts, { channel }: DispatchContext, { id }: Invocation, result: unknown): RunOutcome {
  if (id === undefined) return { result };
  try {
    const record = encodeChecked(ports.dialect, { kind: "completion", id, result });
    // Not awaited: the next invocation need not wait for the post, and the turn is let go beside it.
    void channel.answer(record);
    return { result };
  } catch (error) {
    return { error };
  }
}

function fail(
  ports: CallerPorts,
  { channel }: DispatchContext,
  { id }: Pick<Invocation, "id">,
  text: string,
  cause?: unknown,
): void {
  if (id === undefined) return;
  const error = cause === undefined ? text : withDetail(ports, text, cause);
  // An error that is too long to be told is told without its detail: the caller waits for an answer.
  const fits = byteLength(error) < MAXIMUM_SEND_MESSAGE_SIZE / 2;
  void channel.answer(ports.dialect.encode({ kind: "completion", id, error: fits ? error : text }));
}
