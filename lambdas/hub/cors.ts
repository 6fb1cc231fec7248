// What pages of other hosts may read of an answer, and what they may ask for.

import { type AdmissionPorts, isListed, isOriginAllowed } from "./admission.ts";
import type { Service } from "./define-service.ts";
import type { HttpRequest, HttpResponse } from "./negotiate.ts";
import type { ClientRequest } from "./ports.ts";

/** Of everything that is answered at a hub's path and below it. */
const METHODS = "GET, POST, DELETE, OPTIONS";
/** What stock clients send. */
const HEADERS = "authorization,x-requested-with,x-signalr-user-agent";
/** As long as Chromium remembers. Seconds. */
const MAXIMUM_AGE = "7200";

/** Stock clients send credentials, so the origin is echoed and never `*`. A page of the same host needs none of it. */
export function corsHeaders({ allowedOrigins }: Service, request: ClientRequest): Readonly<Record<string, string>> {
  const { origin } = request.headers;
  if (origin === undefined || !isListed(origin, allowedOrigins)) return { vary: "Origin" };
  return { vary: "Origin", "access-control-allow-origin": origin, "access-control-allow-credentials": "true" };
}

/**
 * The answer to a preflight: 403 for a page that may not connect, which is logged as its request would be. Undefined
 * for any other request. Headers of the application's own are allowed too: whatever the page asks for.
 */
export function answerPreflight(
  ports: Pick<AdmissionPorts, "service" | "log">,
  request: HttpRequest,
): HttpResponse | undefined {
  if (request.method !== "OPTIONS") return undefined;
  const cors = corsHeaders(ports.service, request);
  if (!isOriginAllowed(ports, request)) {
    return { status: 403, headers: { "content-type": "text/plain", ...cors }, body: "Origin not allowed" };
  }
  if (cors["access-control-allow-origin"] === undefined) return { status: 204, headers: cors, body: "" };
  const allowed = {
    "access-control-allow-methods": METHODS,
    "access-control-allow-headers": request.headers["access-control-request-headers"] ?? HEADERS,
    "access-control-max-age": MAXIMUM_AGE,
  };
  return { status: 204, headers: { ...cors, ...allowed }, body: "" };
}
