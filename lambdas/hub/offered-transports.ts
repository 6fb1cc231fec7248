// Which transports a hub offers at negotiate, and what it answers on one that it does not.

import type { Refusal } from "./admission.ts";
import { platformOf } from "./client-platform.ts";
import type { HubEntry } from "./define-service.ts";
import type { ClientRequest } from "./ports.ts";
import { isRaw } from "./protocols.ts";
import type { TransportName } from "./transport-names.ts";

/** As negotiate names it. */
export interface OfferedTransport {
  readonly transport: TransportName;
  readonly transferFormats: readonly ("Text" | "Binary")[];
}

/** In the order in which clients try them. API Gateway refuses binary frames, and event streams are text. */
const ALL: readonly OfferedTransport[] = [
  { transport: "WebSockets", transferFormats: ["Text"] },
  { transport: "ServerSentEvents", transferFormats: ["Text"] },
  { transport: "LongPolling", transferFormats: ["Text", "Binary"] },
];

/** The Java client ignores transfer formats, and sends binary frames whatever they are. */
const FOR_JAVA: readonly TransportName[] = ["LongPolling"];

/** What the client that sends `request` may use of the hub's transports. Empty when that is nothing. */
export function offeredTransports(
  { options, definition }: Pick<HubEntry, "options" | "definition">,
  request: Pick<ClientRequest, "headers">,
): readonly OfferedTransport[] {
  const isJava = platformOf(request) === "Java";
  const offered = ALL.filter(
    ({ transport }) => options.transports.includes(transport) && (!isJava || FOR_JAVA.includes(transport)),
  );
  // Whatever carries it, a raw connection is text.
  return isRaw(definition) ? offered.map(({ transport }) => ({ transport, transferFormats: ["Text"] })) : offered;
}

/** In the reference's words; undefined when the hub has that transport. */
export function refuseTransport({ options }: Pick<HubEntry, "options">, transport: TransportName): Refusal | undefined {
  if (options.transports.includes(transport)) return undefined;
  return { status: 404, body: `${transport} transport not supported by this end point type` };
}

/** @throws TypeError unless they are names of transports, at least one, and each of them once. */
export function checkTransports(transports: unknown): void {
  const names = ALL.map(({ transport }) => transport);
  const known: readonly unknown[] = names;
  const isGood =
    Array.isArray(transports) &&
    transports.length > 0 &&
    transports.every((name) => known.includes(name)) &&
    new Set(transports).size === transports.length;
  if (isGood) return;
  throw new TypeError(
    `\`transports\` is ${JSON.stringify(transports)}; it is an array of ${names.map((name) => `"${name}"`).join(", ")}: at least one, each at most once.`,
  );
}
