// From an invocation to the author's method, and from its outcome to a completion, in the reference server's words.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/server/Core/src/Internal/DefaultHubDispatcher.cs

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { ClientMessage } from "../protocol/index.ts";
import { type CallerPorts, createCaller } from "./caller.ts";
import type { Channel } from "./channel.ts";
import type { HubEntry } from "./define-service.ts";
import { encodeChecked } from "./delivery.ts";
import { HubException } from "./hub-exception.ts";
import { type RunOutcome, runLimited } from "./run-limited.ts";
import type { Session, TransportState } from "./store.ts";

export type Invocation = Extract<ClientMessage, { kind: "invocation" | "streamInvocation" }>;

/** What all invocations of one turn share. */
export interface DispatchContext {
  readonly hub: HubEntry;
  readonly state: TransportState;
  readonly channel: Channel;
  /** When a method must be over: epoch milliseconds. */
  readonly stopAt: number;
  session: Session;
}

interface Method {
  readonly name: string;
  readonly handler: (...args: unknown[]) => unknown;
  /** Undefined for the short form, whose arguments nobody checks. */
  readonly schemas: readonly StandardSchemaV1[] | undefined;
}

/** Runs one invocation and writes its completion. True when the method closed its own connection. */
export async function dispatch(ports: CallerPorts, context: DispatchContext, invocation: Invocation): Promise<boolean> {
  const method = findMethod(context.hub, invocation.target);
  const name = method?.name ?? invocation.target;
  const bound = await bind(method, invocation.args);
  if ("error" in bound) {
    const text = `Failed to invoke '${name}' due to an error on the server.`;
    fail(ports, context, invocation, withDetail(ports, text, bound.error));
    return false;
  }
  const refusal = refuse(name, invocation);
  if (refusal !== undefined) {
    fail(ports, context, invocation, refusal);
    return false;
  }
  const { hub, session, state, channel } = context;
  const caller = createCaller(ports, { hub, session, state, channel, redelivered: false });
  const limit = Math.max(0, context.stopAt - ports.clock.now());
  const run = await runLimited(ports.clock, limit, caller, () =>
    bound.handler.call(hub.definition.methods, caller.hub, ...bound.args),
  );
  context.session = { ...session, items: caller.items() };
  const outcome = "error" in run ? run : complete(ports, context, invocation, run.result);
  if ("error" in outcome) {
    if (HubException.is(outcome.error))
      caller.hub.log.info("A hub method refused.", { method: name, error: outcome.error.message });
    else caller.hub.log.error("A hub method failed.", { method: name, error: outcome.error });
    const text = `An unexpected error occurred invoking '${name}' on the server.`;
    fail(ports, context, invocation, withDetail(ports, text, outcome.error));
  }
  return caller.abortRequested;
}

/** The completion for an invocation whose function died. */
export function diedError(target: string): string {
  return `An unexpected error occurred invoking '${target}' on the server.`;
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
  if (typeof method === "function") return { name, handler: method as Method["handler"], schemas: undefined };
  const { handler, args } = method as { handler: Method["handler"]; args: readonly StandardSchemaV1[] };
  return { name, handler, schemas: args };
}

/** Why a method that exists and takes these arguments is not run all the same. */
function refuse(name: string, { kind, streamIds }: Invocation): string | undefined {
  if (kind === "streamInvocation") {
    return `The client attempted to invoke the non-streaming '${name}' method with a streaming invocation.`;
  }
  if (streamIds.length > 0) {
    return `An unexpected error occurred invoking '${name}' on the server. HubException: Client sent ${streamIds.length} stream(s), Hub method expects 0.`;
  }
  return undefined;
}

/** Named as the reference names it, for clients in detail mode. */
class InvalidDataException extends Error {
  override readonly name = "InvalidDataException";
}

type Bound = Pick<Method, "handler"> & { readonly args: readonly unknown[] };

async function bind(
  method: Method | undefined,
  given: readonly unknown[],
): Promise<Bound | { readonly error: unknown }> {
  if (method === undefined) return { error: new HubException("Method does not exist.") };
  const { handler, schemas } = method;
  if (schemas === undefined) return { handler, args: given };
  if (given.length !== schemas.length) {
    return {
      error: new InvalidDataException(
        `Invocation provides ${given.length} argument(s) but target expects ${schemas.length}.`,
      ),
    };
  }
  try {
    return { handler, args: await Promise.all(schemas.map((schema, index) => check(schema, given[index], index))) };
  } catch (error) {
    return { error };
  }
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
    void channel.write(record);
    return { result };
  } catch (error) {
    return { error };
  }
}

function fail(ports: CallerPorts, { channel }: DispatchContext, { id }: Invocation, error: string): void {
  if (id !== undefined) void channel.write(ports.dialect.encode({ kind: "completion", id, error }));
}
