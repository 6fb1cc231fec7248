// The methods of a hub, by the names that clients call.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Authorize } from "./authorization.ts";
import { type CheckedMethod, isGenerator } from "./define-hub.ts";
import type { HubEntry } from "./define-service.ts";
import { publishedName } from "./published-name.ts";

export interface Method {
  readonly name: string;
  readonly handler: (...args: unknown[]) => unknown;
  /** Undefined for the short form, whose arguments nobody checks. */
  readonly schemas: readonly StandardSchemaV1[] | undefined;
  /** Whether it returns items. */
  readonly streams: boolean;
  readonly longRunning: boolean;
  readonly authorize: Authorize | undefined;
}

const methodsOfHubs = new WeakMap<HubEntry, ReadonlyMap<string, Method>>();

/** Own keys only, in any case: nothing a client names ever reaches a prototype. */
export function findMethod(hub: HubEntry, target: string): Method | undefined {
  let methods = methodsOfHubs.get(hub);
  if (methods === undefined) {
    methods = new Map(
      Object.entries(hub.definition.methods)
        .map(([key, method]) => toMethod(publishedName(key, method), method))
        .map((method) => [method.name.toLowerCase(), method]),
    );
    methodsOfHubs.set(hub, methods);
  }
  return methods.get(target.toLowerCase());
}

function toMethod(name: string, method: unknown): Method {
  if (typeof method === "function") {
    const handler = method as Method["handler"];
    const streams = isGenerator(handler);
    return { name, handler, schemas: undefined, authorize: undefined, streams, longRunning: false };
  }
  const { handler, args, authorize, streams, longRunning } = method as CheckedMethod<
    unknown,
    readonly StandardSchemaV1[]
  >;
  return {
    name,
    handler: handler as Method["handler"],
    schemas: args,
    authorize,
    streams: streams === true || isGenerator(handler),
    longRunning: longRunning === true,
  };
}
