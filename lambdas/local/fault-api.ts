// The fault switches for a page of this server: it names a client and says what is to go wrong, and hears what the
// gateway does for clients that have a name. For a developer's own machine, and for no page of another origin.

import { setMaxListeners } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../hub/index.ts";
import type { FaultSwitches } from "./fault-switches.ts";
import { type GatewayEvents, queryOfClient } from "./gateway-events.ts";
import { readBody } from "./requests.ts";

interface FaultApiOptions {
  readonly faults: FaultSwitches;
  readonly events: GatewayEvents;
  readonly clock: Clock;
  /** Ends the streams that are open. */
  readonly stopped: AbortSignal;
}

/**
 * POST takes `{ "fault": "cut", "client": "a1" }`, the faults being those of {@link Faults}; `refuseConnects`,
 * `blockSockets` and `age` take `milliseconds` too. GET is a stream of events, the first of which says what time it is here.
 */
export type FaultApi = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

type Strike = (transportId: string, milliseconds: number) => void;

const BODY_BYTES = 1024;
const CLIENT_LENGTH = 100;
const DAY = 24 * 60 * 60_000;

/** An ordinary wrong request: what is wrong with it, and what it is answered with. */
interface Refusal {
  readonly status: 400 | 403 | 404 | 405 | 413 | 415;
  readonly error: string;
}

export function faultApi({ faults, events, clock, stopped }: FaultApiOptions): FaultApi {
  // One for each stream that is open.
  setMaxListeners(0, stopped);
  const onTransports: ReadonlyMap<string, Strike> = new Map<string, Strike>([
    ["cut", (id) => faults.cut(id)],
    ["halfOpen", (id) => faults.halfOpen(id)],
    ["release", (id) => faults.release(id)],
    ["dropDisconnects", (id) => faults.dropDisconnects(1, id)],
    ["age", (id, milliseconds) => faults.age(id, milliseconds)],
  ]);

  return async (request, response) => {
    if (!isOwnPage(request)) return answer(response, foreignPage);
    if (request.method === "GET") return stream(response);
    if (request.method !== "POST") {
      response.setHeader("allow", "GET, POST");
      return answer(response, { status: 405, error: "GET the events, or POST a fault." });
    }
    // A page of another origin cannot send this type without asking first, which nobody answers here.
    if (!/^application\/json\s*(;|$)/i.test(request.headers["content-type"] ?? "")) {
      return answer(response, { status: 415, error: "A fault is application/json." });
    }
    const body = await readBody(request, BODY_BYTES);
    answer(response, body === undefined ? { status: 413, error: "A fault is smaller." } : strike(body));
  };

  function strike(body: Buffer): Refusal | undefined {
    const asked = parse(body.toString());
    if ("error" in asked) return asked;
    const { fault, client, milliseconds } = asked;
    if (fault === "refuseConnects" || fault === "blockSockets") {
      faults[fault](milliseconds, queryOfClient(client));
      return undefined;
    }
    const act = onTransports.get(fault);
    if (act === undefined) {
      const known = [...onTransports.keys(), "refuseConnects", "blockSockets"].join(", ");
      return { status: 400, error: `There is no such fault. There are ${known}.` };
    }
    const open = faults.transportsOf(client, fault === "release");
    const requests = fault === "cut" ? faults.cutRequests(queryOfClient(client)) : 0;
    if (open.length + requests === 0) return { status: 404, error: "This client has no open transport." };
    for (const id of open) act(id, milliseconds);
    return undefined;
  }

  function stream(response: ServerResponse): void {
    const write = (event: object): void => void response.write(`data: ${JSON.stringify(event)}\n\n`);
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    write({ kind: "watching", at: clock.now() });
    const unwatch = events.watch(write);
    const end = (): void => void response.end();
    stopped.addEventListener("abort", end);
    response.once("close", () => {
      unwatch();
      stopped.removeEventListener("abort", end);
    });
  }
}

const foreignPage: Refusal = { status: 403, error: "Only pages of this server may ask." };

/** Browsers say where a request comes from, and no page can make them say otherwise. What says nothing is no page. */
function isOwnPage({ headers }: IncomingMessage): boolean {
  const { origin, host, "sec-fetch-site": site } = headers;
  return (origin === undefined || origin === `http://${host}`) && (site === undefined || site === "same-origin");
}

interface Asked {
  readonly fault: string;
  readonly client: string;
  readonly milliseconds: number;
}

function parse(text: string): Asked | Refusal {
  const { fault, client, milliseconds = 0 } = parseObject(text);
  if (typeof fault !== "string" || typeof client !== "string" || client === "" || client.length > CLIENT_LENGTH) {
    return { status: 400, error: 'A fault is JSON such as { "fault": "cut", "client": "a1" }.' };
  }
  if (typeof milliseconds !== "number" || !(milliseconds >= 0 && milliseconds <= DAY)) {
    return { status: 400, error: `milliseconds is a number from 0 to ${DAY}.` };
  }
  return { fault, client, milliseconds };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {}; // What is no JSON names no fault.
  }
}

/** 204 when nothing was wrong. */
function answer(response: ServerResponse, refusal: Refusal | undefined): void {
  if (refusal === undefined) {
    response.writeHead(204).end();
  } else {
    const { status, error } = refusal;
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error }));
  }
}
