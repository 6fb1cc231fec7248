// Events as API Gateway makes them, with what the functions read of them filled in.

import {
  type ConnectEvent,
  type DisconnectEvent,
  type HttpEvent,
  HUB_PARAMETER,
  type MessageEvent,
  type SocketRequestContext,
} from "../../lambdas/apigateway/index.ts";

const GATEWAY = { apiId: "bench", domainName: "bench.invalid", stage: "prod" };
const SOURCE_IP = "192.0.2.1";
let requests = 0;

export function connectEvent(transportId: string, query: Record<string, string>, now: number): ConnectEvent {
  return {
    headers: {},
    multiValueHeaders: {},
    queryStringParameters: query,
    requestContext: socketContext("$connect", "CONNECT", transportId, now),
    isBase64Encoded: false,
  };
}

export function messageEvent(transportId: string, body: string, now: number): MessageEvent {
  const context = socketContext("$default", "MESSAGE", transportId, now);
  return { body, requestContext: { ...context, messageId: context.requestId }, isBase64Encoded: false };
}

export function disconnectEvent(transportId: string, code: number, now: number): DisconnectEvent {
  const context = socketContext("$disconnect", "DISCONNECT", transportId, now);
  return {
    headers: {},
    multiValueHeaders: {},
    requestContext: { ...context, disconnectStatusCode: code, disconnectReason: "" },
    isBase64Encoded: false,
  };
}

/** Signed in as `user`, if one is given. */
export function negotiateEvent(
  hub: string,
  query: Record<string, string>,
  user: string | undefined,
  now: number,
): HttpEvent {
  const headers = user === undefined ? {} : { authorization: `Bearer ${user}` };
  return { ...httpEvent("POST", `/${hub}/negotiate`, query, now), headers };
}

/** As the distribution passes on what is asked of a hub by its own path. @param body a character a byte. */
export function hubEvent(
  method: "GET" | "POST" | "DELETE",
  hub: string,
  connectionToken: string,
  now: number,
  body?: string,
): HttpEvent {
  const event = httpEvent(method, "/poll", { id: connectionToken, [HUB_PARAMETER]: hub }, now);
  if (body === undefined) return event;
  return { ...event, body: Buffer.from(body, "latin1").toString("base64"), isBase64Encoded: true };
}

function httpEvent(method: string, path: string, query: Record<string, string>, now: number): HttpEvent {
  const requestId = nextRequestId();
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: new URLSearchParams(query).toString(),
    headers: {},
    queryStringParameters: query,
    requestContext: {
      ...GATEWAY,
      accountId: "anonymous",
      domainPrefix: "bench",
      http: { method, path, protocol: "HTTP/1.1", sourceIp: SOURCE_IP, userAgent: "" },
      requestId,
      routeKey: "$default",
      time: new Date(now).toUTCString(),
      timeEpoch: now,
    },
    isBase64Encoded: false,
  };
}

function socketContext<RouteKey extends string, EventType extends string>(
  routeKey: RouteKey,
  eventType: EventType,
  transportId: string,
  now: number,
): SocketRequestContext<RouteKey, EventType> {
  const requestId = nextRequestId();
  return {
    ...GATEWAY,
    routeKey,
    eventType,
    requestId,
    extendedRequestId: requestId,
    requestTime: new Date(now).toUTCString(),
    requestTimeEpoch: now,
    messageDirection: "IN",
    connectedAt: now,
    identity: { sourceIp: SOURCE_IP },
    connectionId: transportId,
  };
}

/** As long as API Gateway's own. */
function nextRequestId(): string {
  requests += 1;
  return `request${String(requests).padStart(8, "0")}=`;
}
