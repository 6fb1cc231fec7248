// The HTTP API: one request, one invocation of negotiate, payload format 2.0.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { HttpEvent, HttpResult } from "../apigateway/index.ts";
import type { Clock } from "../hub/index.ts";
import type { FaultSwitches } from "./fault-switches.ts";
import { clientOf, type GatewayEvents } from "./gateway-events.ts";
import type { Invocations } from "./invocations.ts";
import { API_ID, commonLogTime, decodePath, gatewayId, grouped, headersOf, readBody, sourceIpOf } from "./requests.ts";

/** Largest request body of an HTTP API, in bytes. */
const BODY_BYTES = 10 * 1024 * 1024;

/** Content types whose body arrives as text; every other is base64. */
const TEXT_TYPES = /^(text\/|application\/(json|javascript|xml)\b)/i;

interface HttpApiOptions {
  readonly invocations: Invocations;
  readonly faults: FaultSwitches;
  readonly events: GatewayEvents;
  readonly clock: Clock;
}

export type HttpApi = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export function httpApi({ invocations, faults, events, clock }: HttpApiOptions): HttpApi {
  return async (request, response) => {
    const query = queryOf(request.url);
    await serve(request, response, query);
    const isNegotiation = request.method === "POST" && !/\/refresh\/?(\?|$)/i.test(request.url ?? "");
    if (isNegotiation) events.tell(clientOf(query), { kind: "negotiated", status: response.statusCode });
  };

  async function serve(request: IncomingMessage, response: ServerResponse, query: string): Promise<void> {
    const body = await readBody(request, BODY_BYTES);
    if (body === undefined) return answerMessage(response, 413, "Request Entity Too Large");
    if (faults.refusesConnect(query)) return answerMessage(response, 503, "Service Unavailable");
    const event = httpEvent(request, body, clock.now());
    if (event === undefined) return answerMessage(response, 400, "Bad Request");
    const outcome = await invocations.invoke("negotiate", (functions, context) => functions.negotiate(event, context));
    if (outcome.kind === "timed out") return answerMessage(response, 503, "Service Unavailable");
    if (outcome.kind !== "returned" || !answer(response, outcome.result)) {
      answerMessage(response, 500, "Internal Server Error");
    }
  }
}

/** What stands behind the first question mark. */
function queryOf(url = "/"): string {
  return url.split("?").slice(1).join("?");
}

/** Undefined for a path whose escapes are malformed. */
function httpEvent(request: IncomingMessage, body: Buffer, now: number): HttpEvent | undefined {
  const { method = "GET", url = "/", headers } = request;
  const [path = "/"] = url.split("?");
  const rawPath = decodePath(path);
  if (rawPath === undefined) return undefined;
  const rawQueryString = queryOf(url);
  const parameters = new URLSearchParams(rawQueryString);
  // Cookies have a field of their own, and no header beside it.
  const lowerCaseHeaders = headersOf(request)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name !== "cookie");
  const domainName = headers.host ?? "";
  const isBase64Encoded = body.length > 0 && !TEXT_TYPES.test(headers["content-type"] ?? "");
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString,
    ...(headers.cookie !== undefined && { cookies: headers.cookie.split(/;\s*/) }),
    headers: joined(lowerCaseHeaders),
    ...(parameters.size > 0 && { queryStringParameters: joined(parameters) }),
    requestContext: {
      accountId: "anonymous",
      apiId: API_ID,
      domainName,
      domainPrefix: domainName.split(/[.:]/)[0] ?? "",
      http: {
        method,
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: sourceIpOf(request),
        userAgent: headers["user-agent"] ?? "",
      },
      requestId: gatewayId(),
      routeKey: "$default",
      stage: "$default",
      time: commonLogTime(now),
      timeEpoch: now,
    },
    ...(body.length > 0 && { body: body.toString(isBase64Encoded ? "base64" : "utf8") }),
    isBase64Encoded,
  };
}

/** One value per name: duplicates are joined by commas. */
function joined(pairs: Iterable<readonly [string, string]>): Record<string, string | undefined> {
  return Object.fromEntries([...grouped(pairs)].map(([name, values]) => [name, values.join(",")]));
}

/** False for what is not an answer, or one that HTTP cannot carry: the user's code may return anything. */
function answer(response: ServerResponse, result: HttpResult): boolean {
  try {
    const { statusCode, headers = {}, body = "" } = result;
    if (typeof body !== "string") return false;
    response.writeHead(statusCode, headers).end(body);
    return true;
  } catch {
    return false;
  }
}

function answerMessage(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ message }));
}
