// What a service says for all of its hubs, and a hub for itself.

import type { Service } from "./define-service.ts";
import { checkTransports } from "./offered-transports.ts";
import type { TransportName } from "./transport-names.ts";

export interface HubOptions {
  /**
   * The transports that clients may use, in any order: negotiate offers `WebSockets`, `ServerSentEvents`, `LongPolling`
   * in this one, and requests for the others are answered with 404. @default all of them
   */
  readonly transports?: readonly TransportName[];
  /**
   * Whether clients read the messages of errors that are no HubException: never in production. `"local"` says yes to
   * those of a local server, and no wherever it is deployed. @default false
   */
  readonly enableDetailedErrors?: boolean | "local";
  /**
   * Largest message from a client, with the character that ends it. A larger one closes the connection. Bytes, at most
   * 196608. Over WebSockets nothing above 32768 arrives whatever it is: API Gateway closes the socket. @default 32768
   */
  readonly maximumReceiveMessageSize?: number;
  /**
   * How many invocations of one client may run at a time; more than one complete in any order. 1 to 100. @default 1
   */
  readonly maximumParallelInvocationsPerClient?: number;
  /**
   * How many items of one stream from a client may wait for the method to read them. One that stays full for 5 s ends
   * with an error. The reference blocks its client after 10 by default; a function cannot. @default 1000
   */
  readonly streamBufferCapacity?: number;
}

/** API Gateway's largest frame of a WebSocket. Bytes. */
export const MAXIMUM_FRAME_SIZE = 32_768;

/**
 * A message that waits for its turn is one row of the table, which holds 400 KB, and a byte of a binary one takes up to
 * two of them. Bytes.
 */
export const MAXIMUM_MESSAGE_SIZE = 192 * 1024;

const DEFAULTS: Required<HubOptions> = {
  transports: ["WebSockets", "ServerSentEvents", "LongPolling"],
  enableDetailedErrors: false,
  maximumReceiveMessageSize: MAXIMUM_FRAME_SIZE,
  maximumParallelInvocationsPerClient: 1,
  streamBufferCapacity: 1000,
};

/** They share one function. */
const MOST_PARALLEL = 100;

export const HUB_OPTION_NAMES = Object.keys(DEFAULTS) as readonly (keyof HubOptions)[];

/** Of several, the first that says something. @throws TypeError for a value that is none. */
export function hubOptions(...given: readonly HubOptions[]): Required<HubOptions> {
  for (const options of given) checkHubOptions(options);
  return {
    transports: first(given, "transports"),
    enableDetailedErrors: first(given, "enableDetailedErrors"),
    maximumReceiveMessageSize: first(given, "maximumReceiveMessageSize"),
    maximumParallelInvocationsPerClient: first(given, "maximumParallelInvocationsPerClient"),
    streamBufferCapacity: first(given, "streamBufferCapacity"),
  };
}

/** @throws TypeError that names the option. */
export function checkHubOptions({
  transports,
  enableDetailedErrors,
  maximumReceiveMessageSize: size,
  maximumParallelInvocationsPerClient: parallel,
  streamBufferCapacity: items,
}: HubOptions): void {
  if (transports !== undefined) checkTransports(transports);
  if (enableDetailedErrors !== undefined && ![true, false, "local"].includes(enableDetailedErrors)) {
    throw new TypeError('`enableDetailedErrors` must be true, false or "local".');
  }
  if (parallel !== undefined && !(Number.isSafeInteger(parallel) && parallel >= 1 && parallel <= MOST_PARALLEL)) {
    throw new TypeError(
      `\`maximumParallelInvocationsPerClient\` is ${parallel}; it is a number of invocations, from 1 to ${MOST_PARALLEL}.`,
    );
  }
  if (items !== undefined && !(Number.isSafeInteger(items) && items >= 1)) {
    throw new TypeError(`\`streamBufferCapacity\` is ${items}; it is a number of items, 1 or more.`);
  }
  if (size === undefined || (Number.isSafeInteger(size) && size > 0 && size <= MAXIMUM_MESSAGE_SIZE)) return;
  throw new TypeError(
    `\`maximumReceiveMessageSize\` is ${size}; it is a number of bytes, from 1 to ${MAXIMUM_MESSAGE_SIZE}.`,
  );
}

/** Of the hub of that path; the defaults for one that the service has no more. */
export function optionsOf({ hubs }: Pick<Service, "hubs">, path: string): Required<HubOptions> {
  return hubs.get(path.toLowerCase())?.options ?? DEFAULTS;
}

/** An error's detail for a client, if its hub tells details. Until a local server resolves it, `"local"` means no. */
export function detailOf({ enableDetailedErrors }: Required<HubOptions>, text: string): string {
  return enableDetailedErrors === true ? ` ${text}` : "";
}

/** The largest message that any hub takes. Bytes. */
export function largestMessage({ hubs }: Pick<Service, "hubs">): number {
  return Math.max(...[...hubs.values()].map(({ options }) => options.maximumReceiveMessageSize));
}

/** The hubs whose limit is above what a WebSocket can carry, by path: there it is API Gateway that says what is too large. */
export function hubsBeyondFrames({ hubs }: Pick<Service, "hubs">): readonly string[] {
  return [...hubs.values()]
    .filter(({ options }) => options.transports.includes("WebSockets"))
    .filter(({ options }) => options.maximumReceiveMessageSize > MAXIMUM_FRAME_SIZE)
    .map(({ path }) => path);
}

/** The service as a local server runs it. */
export function asLocal(service: Service): Service {
  const hubs = [...service.hubs].map(([key, { options, ...entry }]) => {
    const enableDetailedErrors = options.enableDetailedErrors !== false;
    return [key, { ...entry, options: { ...options, enableDetailedErrors } }] as const;
  });
  return { ...service, hubs: new Map(hubs) };
}

function first<Name extends keyof HubOptions>(given: readonly HubOptions[], name: Name): Required<HubOptions>[Name] {
  const found = given.find((options) => options[name] !== undefined)?.[name];
  return (found ?? DEFAULTS[name]) as Required<HubOptions>[Name];
}
