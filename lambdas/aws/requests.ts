// From API Gateway's events to what the hub understands.

import {
  type ConnectEvent,
  type DisconnectEvent,
  type HttpEvent,
  type HttpResult,
  HUB_PARAMETER,
  type MessageEvent,
} from "../apigateway/index.ts";
import type { ConnectRequest, Disconnect, Frame, HttpRequest, HttpResponse, SendRequest } from "../hub/index.ts";

type Values = Readonly<Record<string, string | undefined>>;

export function toConnectRequest(event: ConnectEvent): ConnectRequest {
  const query = withoutPrototype(Object.entries(event.queryStringParameters ?? {}));
  const hubPath = trimSlashes(query[HUB_PARAMETER] ?? "");
  delete query[HUB_PARAMETER];
  return {
    transportId: event.requestContext.connectionId,
    hubPath,
    headers: lowerCase(event.headers),
    query,
    sourceIp: event.requestContext.identity.sourceIp,
  };
}

export function toFrame(event: MessageEvent): Frame {
  const { connectionId, messageId, requestTimeEpoch } = event.requestContext;
  return { transportId: connectionId, messageId, text: event.body ?? "", receivedAt: requestTimeEpoch };
}

export function toDisconnect({ requestContext }: DisconnectEvent): Disconnect {
  // Without a code nobody knows how it ended, which is what 1006 says.
  const { connectionId, connectedAt, disconnectStatusCode = 1006 } = requestContext;
  return { transportId: connectionId, code: disconnectStatusCode, connectedAt };
}

/** Undefined for a path that is not some hub's `/negotiate`. */
export function toNegotiateRequest(event: HttpEvent): HttpRequest | undefined {
  return toHttpRequest(event, /\/negotiate$/i);
}

/** Undefined for a path that is not some hub's `/refresh`. */
export function toRefreshRequest(event: HttpEvent): HttpRequest | undefined {
  return toHttpRequest(event, /(?<=\/[^/]+)\/refresh$/i);
}

/** What is asked of a hub by its own path: the edge has moved that into the query, as it does for sockets. */
export function toSendRequest(event: HttpEvent): SendRequest {
  const query = withoutPrototype(Object.entries(event.queryStringParameters ?? {}));
  const hubPath = trimSlashes(query[HUB_PARAMETER] ?? "");
  delete query[HUB_PARAMETER];
  const body = Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8");
  return {
    ...toRequest(event),
    hubPath,
    query,
    body: body.toString("latin1"),
    receivedAt: event.requestContext.timeEpoch,
  };
}

/** The answer as a gateway wants it. */
export function toHttpResult({ status, headers, body, isBinary = false }: HttpResponse): HttpResult {
  if (!isBinary) return { statusCode: status, headers, body };
  return { statusCode: status, headers, body: Buffer.from(body, "latin1").toString("base64"), isBase64Encoded: true };
}

function toHttpRequest(event: HttpEvent, verb: RegExp): HttpRequest | undefined {
  const path = `/${trimSlashes(event.rawPath)}`;
  if (!verb.test(path)) return undefined;
  return {
    ...toRequest(event),
    hubPath: trimSlashes(path.replace(verb, "")),
    query: withoutPrototype(Object.entries(event.queryStringParameters ?? {})),
  };
}

function toRequest({ headers: given, cookies, requestContext }: HttpEvent) {
  const headers = lowerCase(given);
  if (cookies !== undefined) headers.cookie = cookies.join("; ");
  const { method, sourceIp } = requestContext.http;
  return { method, headers, sourceIp };
}

function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}

function lowerCase(headers: Values): Record<string, string | undefined> {
  return withoutPrototype(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Clients choose these names: none may find something that was inherited. */
function withoutPrototype(
  entries: readonly (readonly [string, string | undefined])[],
): Record<string, string | undefined> {
  const values: Record<string, string | undefined> = Object.create(null);
  for (const [name, value] of entries) values[name] = value;
  return values;
}
