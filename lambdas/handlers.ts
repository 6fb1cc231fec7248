// From a gateway's event to a verb of the hub and back: what the six functions do, wherever they run.

import type {
  ConnectEvent,
  DisconnectEvent,
  HttpEvent,
  HttpResult,
  MessageEvent,
  SocketResult,
} from "./apigateway/index.ts";
import { toConnectRequest, toDisconnect, toFrame, toNegotiateRequest, toRefreshRequest } from "./aws/index.ts";
import {
  type ConnectPorts,
  closeBroken,
  connect,
  disconnect,
  type NegotiatePorts,
  negotiate,
  type RefreshPorts,
  receive,
  refresh,
  type ServerPorts,
  sweep,
  type Work,
  work,
} from "./hub/index.ts";

export function connectHandler(ports: ConnectPorts) {
  return async (event: ConnectEvent): Promise<SocketResult> => {
    const request = toConnectRequest(event);
    const refusal = await connect(ports, request);
    if (refusal === undefined) return { statusCode: 200 };
    // The client of a refused socket learns no reason.
    ports.log.info("Refused a socket.", { status: refusal.status, reason: refusal.body, hub: request.hubPath });
    return { statusCode: refusal.status };
  };
}

/** Never throws: API Gateway would tell the client in JSON of its own, and that kills a SignalR connection. */
export function messageHandler(ports: ServerPorts) {
  return async (event: MessageEvent): Promise<SocketResult> => {
    const frame = toFrame(event);
    try {
      await receive(ports, frame);
    } catch (error) {
      ports.log.error("A frame could not be handled; its connection is closed.", {
        error,
        transportId: frame.transportId,
      });
      await closeBroken(ports, frame.transportId).catch((reason) =>
        ports.log.error("The connection could not be closed either.", {
          error: reason,
          transportId: frame.transportId,
        }),
      );
    }
    return { statusCode: 200 };
  };
}

export function disconnectHandler(ports: Omit<ServerPorts, "workers">) {
  return async (event: DisconnectEvent): Promise<SocketResult> => {
    await disconnect(ports, toDisconnect(event));
    return { statusCode: 200 };
  };
}

/** What is asked of a hub over HTTP: to negotiate, and to refresh an access token. */
export function negotiateHandler(ports: NegotiatePorts & RefreshPorts) {
  return async (event: HttpEvent): Promise<HttpResult> => {
    const refreshing = toRefreshRequest(event);
    if (refreshing !== undefined) {
      const { status, headers, body } = await refresh(ports, refreshing);
      if (status >= 400) ports.log.info("Refused to refresh.", { status, reason: body, hub: refreshing.hubPath });
      return { statusCode: status, headers, body };
    }
    const request = toNegotiateRequest(event);
    if (request === undefined) return { statusCode: 404, headers: { "content-type": "text/plain" }, body: "Not found" };
    const { status, headers, body } = await negotiate(ports, request);
    if (status >= 400) ports.log.info("Refused to negotiate.", { status, reason: body, hub: request.hubPath });
    return { statusCode: status, headers, body };
  };
}

/** What it throws makes Lambda run it once more, and then the client is told. */
export function workHandler(ports: Omit<ServerPorts, "workers">) {
  return (event: Work): Promise<void> => work(ports, event);
}

export function sweepHandler(ports: ServerPorts) {
  return (): Promise<void> => sweep(ports);
}
