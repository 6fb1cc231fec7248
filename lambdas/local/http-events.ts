// Payload format 2.0: what the HTTP API and a function URL make of a request.

import type { HttpEvent } from "../apigateway/index.ts";
import { eventHeaders, headerOf, type OriginRequest } from "./origin-request.ts";
import { API_ID, commonLogTime, decodePath, gatewayId, grouped } from "./requests.ts";

/** Content types whose body arrives as text; every other is base64. */
const TEXT_TYPES = /^(text\/|application\/(json|javascript|xml)\b)/i;

/** Undefined for a path whose escapes are malformed. */
export function httpEvent(request: OriginRequest, body: Buffer, now: number): HttpEvent | undefined {
  const rawPath = decodePath(request.path);
  if (rawPath === undefined) return undefined;
  const parameters = new URLSearchParams(request.query);
  // Cookies have a field of their own, and no header beside it.
  const headers = eventHeaders(request)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name !== "cookie");
  const cookie = headerOf(request, "cookie");
  const domainName = headerOf(request, "host") ?? "";
  const isBase64Encoded = body.length > 0 && !TEXT_TYPES.test(headerOf(request, "content-type") ?? "");
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString: request.query,
    ...(cookie !== undefined && { cookies: cookie.split(/;\s*/) }),
    headers: joined(headers),
    ...(parameters.size > 0 && { queryStringParameters: joined(parameters) }),
    requestContext: {
      accountId: "anonymous",
      apiId: API_ID,
      domainName,
      domainPrefix: domainName.split(/[.:]/)[0] ?? "",
      http: {
        method: request.method,
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.sourceIp,
        userAgent: headerOf(request, "user-agent") ?? "",
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
