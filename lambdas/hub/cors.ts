// What pages of other hosts may read of an answer.

import { isListed } from "./admission.ts";
import type { Service } from "./define-service.ts";
import type { ClientRequest } from "./ports.ts";

type Headers = Record<string, string>;

/** Stock clients send credentials, so the origin is echoed and never `*`. A page of the same host needs none of it. */
export function corsHeaders({ allowedOrigins }: Service, request: ClientRequest): Headers {
  const { origin } = request.headers;
  if (origin === undefined || !isListed(origin, allowedOrigins)) return { vary: "Origin" };
  return { vary: "Origin", "access-control-allow-origin": origin, "access-control-allow-credentials": "true" };
}

/** Headers of the application's own are allowed too: whatever the page asks for, once its origin is. */
export function preflight(request: ClientRequest, cors: Headers): Headers {
  if (cors["access-control-allow-origin"] === undefined) return {};
  return {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers":
      request.headers["access-control-request-headers"] ?? "authorization,x-requested-with,x-signalr-user-agent",
    "access-control-max-age": "7200",
  };
}
