// What came through the distribution, told by a secret that only CloudFront and the functions have. What the edge
// function says of a client counts for such events and for no others.

import { createHash, timingSafeEqual } from "node:crypto";
import { type ConnectEvent, EDGE_HEADERS, type HttpEvent } from "../apigateway/index.ts";

type Headers = HttpEvent["headers"];

/**
 * The event as its client sent it to the distribution, header names in lower case; undefined for one that came around
 * it. Without a secret there is no distribution: then events are taken as they are.
 */
export function connectFromClient(event: ConnectEvent, secret: string | undefined): ConnectEvent | undefined {
  if (secret === undefined) return event;
  const client = clientOf(event.headers, secret);
  if (client === undefined) return undefined;
  const { requestContext } = event;
  const { sourceIp } = requestContext.identity;
  const identity = { ...requestContext.identity, sourceIp: client.address ?? sourceIp };
  return { ...event, headers: client.headers, requestContext: { ...requestContext, identity } };
}

/** The same for an event of the HTTP API or of the function URL. */
export function httpFromClient(event: HttpEvent, secret: string | undefined): HttpEvent | undefined {
  if (secret === undefined) return event;
  const client = clientOf(event.headers, secret);
  if (client === undefined) return undefined;
  const { requestContext } = event;
  const http = { ...requestContext.http, sourceIp: client.address ?? requestContext.http.sourceIp };
  return { ...event, headers: client.headers, requestContext: { ...requestContext, http } };
}

/** Undefined for headers that lack the secret. */
function clientOf(
  given: Headers,
  secret: string,
): { readonly headers: Headers; readonly address: string | undefined } | undefined {
  // A Map: clients choose the names, `__proto__` among them.
  const headers = new Map(Object.entries(given ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  if (!isSame(headers.get(EDGE_HEADERS.secret), secret)) return undefined;
  const address = headers.get(EDGE_HEADERS.address);
  for (const [own, clients] of [
    [EDGE_HEADERS.host, "host"],
    [EDGE_HEADERS.authorization, "authorization"],
  ] as const) {
    if (headers.has(own)) headers.set(clients, headers.get(own));
  }
  for (const name of Object.values(EDGE_HEADERS)) headers.delete(name);
  return { headers: Object.fromEntries(headers), address };
}

/** In a time that says nothing of either, not even how long they are. */
function isSame(given: string | undefined, secret: string): boolean {
  return given !== undefined && timingSafeEqual(digest(given), digest(secret));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
