// The HTTP API: one request, one invocation. Its routes are those of infra/http.ts.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { HttpResult } from "../apigateway/index.ts";
import { POLL_PATH } from "../edge/index.ts";
import type { Clock } from "../hub/index.ts";
import type { FaultSwitches } from "./fault-switches.ts";
import { clientOf, type GatewayEvents } from "./gateway-events.ts";
import { httpEvent } from "./http-events.ts";
import type { Invocations } from "./invocations.ts";
import type { OriginRequest } from "./origin-request.ts";
import { readBody } from "./requests.ts";

/** Largest request body of an HTTP API, in bytes. */
const BODY_BYTES = 10 * 1024 * 1024;

interface HttpApiOptions {
  readonly invocations: Invocations;
  readonly faults: FaultSwitches;
  readonly events: GatewayEvents;
  readonly clock: Clock;
  /** Polls that nobody has answered: whoever closes the gateway cuts them. */
  readonly parked: Set<ServerResponse>;
}

/** Answers a request. `incoming` has its body. */
export type HttpApi = (request: OriginRequest, incoming: IncomingMessage, response: ServerResponse) => Promise<void>;

export function httpApi({ invocations, faults, events, clock, parked }: HttpApiOptions): HttpApi {
  return async (request, incoming, response) => {
    await serve(request, incoming, response);
    const isNegotiation = request.method === "POST" && /\/negotiate\/?$/i.test(request.path);
    if (isNegotiation) events.tell(clientOf(request.query), { kind: "negotiated", status: response.statusCode });
  };

  async function serve(request: OriginRequest, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(incoming, BODY_BYTES);
    if (body === undefined) return answerMessage(response, 413, "Request Entity Too Large");
    if (faults.refusesConnect(request.query)) return answerMessage(response, 503, "Service Unavailable");
    const event = httpEvent(request, body, clock.now());
    if (event === undefined) return answerMessage(response, 400, "Bad Request");
    const route = request.path === POLL_PATH ? "poll" : "negotiate";
    // A client that leaves meanwhile is not told to the function: it goes on, and its answer is lost.
    const isParked = route === "poll" && request.method === "GET";
    if (isParked) parked.add(response);
    const outcome = await invocations.invoke(route, (functions, context) => functions[route](event, context), isParked);
    parked.delete(response);
    if (outcome.kind === "timed out") return answerMessage(response, 503, "Service Unavailable");
    if (outcome.kind !== "returned" || !answer(response, outcome.result)) {
      answerMessage(response, 500, "Internal Server Error");
    }
  }
}

/** False for what is not an answer, or one that HTTP cannot carry: the user's code may return anything. */
function answer(response: ServerResponse, result: HttpResult): boolean {
  try {
    const { statusCode, headers = {}, body = "", isBase64Encoded = false } = result;
    if (typeof body !== "string") return false;
    response.writeHead(statusCode, headers).end(isBase64Encoded ? Buffer.from(body, "base64") : body);
    return true;
  } catch {
    return false;
  }
}

/** In API Gateway's own words. */
export function answerMessage(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ message }));
}
