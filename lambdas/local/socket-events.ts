// The events of the three socket routes, field by field as captured from API Gateway.

import type { ConnectEvent, DisconnectEvent, MessageEvent, SocketRequestContext } from "../apigateway/index.ts";
import { eventHeaders, type Header, headerOf, type OriginRequest } from "./origin-request.ts";
import { API_ID, commonLogTime, gatewayId, grouped, STAGE } from "./requests.ts";
import type { Ending } from "./transport.ts";

/** What every event says of its socket. */
export interface Peer {
  readonly connectionId: string;
  readonly connectedAt: number;
  readonly identity: { readonly userAgent?: string; readonly sourceIp: string };
  readonly domainName: string;
}

export function peerOf(request: OriginRequest, domainName: string, now: number): Peer {
  const userAgent = headerOf(request, "user-agent");
  return {
    connectionId: gatewayId(),
    connectedAt: now,
    identity: { ...(userAgent !== undefined && { userAgent }), sourceIp: request.sourceIp },
    domainName,
  };
}

export function connectEvent(peer: Peer, request: OriginRequest): ConnectEvent {
  const headers = headerMaps(eventHeaders(request));
  const parameters = grouped(new URLSearchParams(request.query));
  return {
    headers: headers.single,
    multiValueHeaders: headers.multi,
    ...(parameters.size > 0 && {
      queryStringParameters: lastValues(parameters),
      multiValueQueryStringParameters: Object.fromEntries(parameters),
    }),
    requestContext: requestContext(peer, "$connect", "CONNECT", peer.connectedAt),
    isBase64Encoded: false,
  };
}

export function messageEvent(peer: Peer, body: string, now: number): MessageEvent {
  return {
    requestContext: { ...requestContext(peer, "$default", "MESSAGE", now), messageId: gatewayId() },
    body,
    isBase64Encoded: false,
  };
}

export function disconnectEvent(peer: Peer, { code, reason }: Ending, now: number): DisconnectEvent {
  const headers = headerMaps([
    ["Host", peer.domainName],
    ["x-api-key", ""],
    ["X-Forwarded-For", ""],
    ["x-restapi", ""],
  ]);
  return {
    headers: headers.single,
    multiValueHeaders: headers.multi,
    requestContext: {
      ...requestContext(peer, "$disconnect", "DISCONNECT", now),
      disconnectStatusCode: code,
      disconnectReason: reason,
    },
    isBase64Encoded: false,
  };
}

function requestContext<RouteKey extends string, EventType extends string>(
  peer: Peer,
  routeKey: RouteKey,
  eventType: EventType,
  now: number,
): SocketRequestContext<RouteKey, EventType> {
  const requestId = gatewayId();
  return {
    routeKey,
    eventType,
    extendedRequestId: requestId,
    requestId,
    requestTime: commonLogTime(now),
    requestTimeEpoch: now,
    messageDirection: "IN",
    stage: STAGE,
    connectedAt: peer.connectedAt,
    identity: peer.identity,
    domainName: peer.domainName,
    apiId: API_ID,
    connectionId: peer.connectionId,
  };
}

/** One spelling per header, the first one seen: names that differ in case only are the same header. */
function headerMaps(headers: readonly Header[]) {
  const spelling = new Map(headers.toReversed().map(([name]) => [name.toLowerCase(), name]));
  const multi = grouped(headers.map(([name, value]) => [spelling.get(name.toLowerCase()) ?? name, value] as const));
  return { single: lastValues(multi), multi: Object.fromEntries(multi) };
}

function lastValues(values: ReadonlyMap<string, readonly string[]>): Record<string, string | undefined> {
  return Object.fromEntries([...values].map(([name, all]) => [name, all.at(-1)]));
}
