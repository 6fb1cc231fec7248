// From a gateway's event to a verb of the hub and back: what the eight functions do, wherever they run.

import type {
  ConnectEvent,
  DisconnectEvent,
  FunctionContext,
  HttpEvent,
  HttpResult,
  MessageEvent,
  SocketResult,
  StreamedResponse,
} from "./apigateway/index.ts";
import {
  connectFromClient,
  httpFromClient,
  toConnectRequest,
  toDisconnect,
  toFrame,
  toHttpResult,
  toNegotiateRequest,
  toRefreshRequest,
  toSendRequest,
} from "./aws/index.ts";
import {
  answerPreflight,
  type ConnectPorts,
  closeBroken,
  connect,
  disconnect,
  type Errand,
  type HttpRequest,
  type HttpResponse,
  type Log,
  type NegotiatePorts,
  negotiate,
  poll,
  type RefreshPorts,
  receive,
  refresh,
  runErrand,
  type SendPorts,
  type ServerPorts,
  send,
  stop,
  streamEvents,
  sweep,
  type Work,
  work,
} from "./hub/index.ts";

/** What clients reach directly: it serves none that came around the distribution, if there is one. */
export interface OriginPorts {
  /** What the distribution proves itself with. @default nobody is asked for it */
  readonly originSecret?: string | undefined;
}

export function connectHandler(ports: ConnectPorts & OriginPorts) {
  return async (given: ConnectEvent): Promise<SocketResult> => {
    const event = connectFromClient(given, ports.originSecret);
    if (event === undefined) return { statusCode: refuseOrigin(ports.log, "connect") };
    const request = toConnectRequest(event);
    const refusal = await connect(ports, request);
    if (refusal === undefined) return { statusCode: 200 };
    // The client of a refused socket learns no reason.
    ports.log.info("Refused a socket.", { status: refusal.status, reason: refusal.body, hub: request.hubPath });
    return { statusCode: refusal.status };
  };
}

/**
 * A frame of a socket, or what a request over HTTP left to be done. Never throws: API Gateway would tell the client in
 * JSON of its own, and that kills a SignalR connection.
 */
export function messageHandler(ports: ServerPorts) {
  return async (event: MessageEvent | Errand): Promise<SocketResult> => {
    if ("requestContext" in event) {
      const frame = toFrame(event);
      await unlessBroken(ports, frame.transportId, () => receive(ports, frame));
    } else {
      await unlessBroken(ports, event.transportId, () => runErrand(ports, event));
    }
    return { statusCode: 200 };
  };
}

async function unlessBroken(ports: ServerPorts, transportId: string, handle: () => Promise<void>): Promise<void> {
  try {
    await handle();
  } catch (error) {
    ports.log.error("A frame could not be handled; its connection is closed.", { error, transportId });
    await closeBroken(ports, transportId).catch((reason) =>
      ports.log.error("The connection could not be closed either.", { error: reason, transportId }),
    );
  }
}

export function disconnectHandler(ports: Omit<ServerPorts, "workers">) {
  return async (event: DisconnectEvent): Promise<SocketResult> => {
    await disconnect(ports, toDisconnect(event));
    return { statusCode: 200 };
  };
}

/** What is asked of a hub over HTTP: to negotiate, and to refresh an access token. */
export function negotiateHandler(ports: NegotiatePorts & RefreshPorts & OriginPorts) {
  return async (given: HttpEvent): Promise<HttpResult> => {
    const event = httpFromClient(given, ports.originSecret);
    if (event === undefined) return text(refuseOrigin(ports.log, "negotiate"), "Forbidden");
    const refreshing = toRefreshRequest(event);
    if (refreshing !== undefined) {
      const { status, headers, body } = await refresh(ports, refreshing);
      if (status >= 400) ports.log.info("Refused to refresh.", { status, reason: body, hub: refreshing.hubPath });
      return { statusCode: status, headers, body };
    }
    const request = toNegotiateRequest(event);
    if (request === undefined) return text(404, "Not found");
    const { status, headers, body } = await negotiate(ports, request);
    if (status >= 400) ports.log.info("Refused to negotiate.", { status, reason: body, hub: request.hubPath });
    return { statusCode: status, headers, body };
  };
}

/** What a hub's own path does over HTTP: long polling, and sending. */
export type PollPorts = SendPorts & ConnectPorts & OriginPorts;

/** A hub's own path, without sockets and event streams: GET polls, POST sends, DELETE ends. */
export function pollHandler(ports: PollPorts) {
  return async (given: HttpEvent): Promise<HttpResult> => {
    const event = httpFromClient(given, ports.originSecret);
    if (event === undefined) return text(refuseOrigin(ports.log, "poll"), "Forbidden");
    const request = toSendRequest(event);
    const preflight = answerPreflight(ports, request);
    if (preflight !== undefined) return toHttpResult(preflight);
    switch (request.method) {
      case "GET":
        return toHttpResult(logged(ports, request, await poll(ports, request)));
      case "POST":
        return toHttpResult(logged(ports, request, await send(ports, request)));
      case "DELETE":
        return toHttpResult(logged(ports, request, await stop(ports, request)));
      default:
        return text(405, "Method not allowed", { allow: "GET, POST, DELETE, OPTIONS" });
    }
  };
}

function logged({ log }: PollPorts, { method, hubPath }: HttpRequest, response: HttpResponse): HttpResponse {
  const { status, body } = response;
  if (status >= 400)
    log.info("Refused a request of a client over HTTP.", { method, status, reason: body, hub: hubPath });
  return response;
}

/** An event stream: GET only. */
export function streamHandler(ports: ConnectPorts & OriginPorts) {
  return async (given: HttpEvent, _context: FunctionContext, response: StreamedResponse): Promise<void> => {
    const event = httpFromClient(given, ports.originSecret);
    if (event !== undefined) return streamEvents(ports, toSendRequest(event), response);
    response.begin(refuseOrigin(ports.log, "stream"), TEXT);
    await response.write("Forbidden");
    response.end();
  };
}

/** What it throws makes Lambda run it once more, and then the client is told. */
export function workHandler(ports: Omit<ServerPorts, "workers">) {
  return (event: Work): Promise<void> => work(ports, event);
}

export function sweepHandler(ports: ServerPorts) {
  return (): Promise<void> => sweep(ports);
}

const TEXT = { "content-type": "text/plain" };

function text(statusCode: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpResult {
  return { statusCode, headers: { ...TEXT, ...headers }, body };
}

/** Who asks an origin directly is told nothing, and counts as nobody. */
function refuseOrigin(log: Log, name: string): 403 {
  log.warn("Refused a request that did not come through the distribution.", { function: name });
  return 403;
}
