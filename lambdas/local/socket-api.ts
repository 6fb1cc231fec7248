import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { API_GATEWAY, type SocketResult } from "../apigateway/index.ts";
import type { Clock, Log } from "../hub/index.ts";
import type { FaultSwitches } from "./fault-switches.ts";
import { clientOf, type GatewayEvents } from "./gateway-events.ts";
import type { Invocations, Outcome } from "./invocations.ts";
import type { OriginRequest } from "./origin-request.ts";
import { connectEvent, disconnectEvent, messageEvent, type Peer, peerOf } from "./socket-events.ts";
import { CONNECTION_LOST, type Ending, Transport } from "./transport.ts";

interface SocketApiOptions {
  /** The open transports: the socket API puts them in and takes them out. */
  readonly transports: Map<string, Transport>;
  readonly invocations: Invocations;
  readonly faults: FaultSwitches;
  readonly events: GatewayEvents;
  readonly clock: Clock;
  readonly log: Log;
  readonly domainName: string;
}

/** The WebSocket API: turns sockets into the events `$connect`, `$default` and `$disconnect`. */
export class SocketApi {
  readonly #options: SocketApiOptions;

  constructor(options: SocketApiOptions) {
    this.#options = options;
  }

  /**
   * Asks connect whether to accept, and only then sends the 101: until connect has returned there is no transport, so
   * posts to it answer 410 and its client cannot send. `incoming` is what `socket` began with.
   */
  upgrade(request: OriginRequest, incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { events, domainName, clock } = this.#options;
    const peer = peerOf(request, domainName, clock.now());
    const client = clientOf(request.query);
    // One server per upgrade, because this is how `ws` lets a request wait after its own checks and before the 101.
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: API_GATEWAY.messageBytes,
      // A sub-protocol is agreed on only if connect names one, and ours never does.
      handleProtocols: () => false,
      verifyClient: (_, decide: (accepted: boolean, status?: number, body?: string) => void) => {
        void this.#connect(peer, request).then((status) => {
          if (status !== 200) {
            events.tell(client, { kind: "refused", status });
            return decide(false, status, STATUS_CODES[status] ?? "Refused");
          }
          if (socket.writable) return decide(true);
          // The client left while connect ran.
          void this.#disconnect(peer, client, CONNECTION_LOST);
        });
      },
    });
    server.handleUpgrade(incoming, socket, head, (webSocket) => this.#open(peer, client, webSocket, socket));
  }

  /** 200 to accept, or the status that refuses the upgrade. */
  async #connect(peer: Peer, request: OriginRequest): Promise<number> {
    const { invocations, faults } = this.#options;
    if (faults.refusesConnect(request.query)) return 503;
    const event = connectEvent(peer, request);
    const outcome = await invocations.invoke("connect", (functions, context) => functions.connect(event, context));
    if (invocations.stopped.aborted) return 503;
    if (outcome.kind === "timed out") return 504;
    const status = statusOf(outcome);
    if (status === undefined || status < 200 || status > 599) return 500;
    return status < 300 ? 200 : status;
  }

  #open(peer: Peer, client: string | undefined, webSocket: WebSocket, socket: Duplex): void {
    const { transports, clock, faults, events } = this.#options;
    const transport: Transport = new Transport({
      id: peer.connectionId,
      client,
      connectedAt: peer.connectedAt,
      identity: peer.identity,
      webSocket,
      socket,
      clock,
      lifetime: () => faults.lifetime,
      onMessage: (text) => void this.#message(peer, transport, text),
      onEnd: (ending) => {
        transports.delete(peer.connectionId);
        this.#explain(peer, ending);
        events.tell(client, { kind: "closed", code: ending.code });
        void this.#disconnect({ ...peer, connectedAt: transport.connectedAt }, client, ending);
      },
    });
    transports.set(peer.connectionId, transport);
    events.tell(client, { kind: "accepted" });
  }

  /** Starts at once, in arrival order and without waiting for the one before: API Gateway has no queue either. */
  async #message(peer: Peer, transport: Transport, text: string): Promise<void> {
    const { invocations, faults, clock } = this.#options;
    const event = messageEvent(peer, text, clock.now());
    const delay = faults.strikeMessage();
    if (delay > 0) await clock.sleep(delay, invocations.stopped);
    const outcome = await invocations.invoke("message", (functions, context) => functions.message(event, context));
    if (invocations.stopped.aborted || statusOf(outcome) !== undefined) return;
    const { connectionId, requestId } = event.requestContext;
    const message = outcome.kind === "timed out" ? "Endpoint request timed out" : "Internal server error";
    // API Gateway's own words, and no record separator: a SignalR client does not survive this frame.
    const frame = `{"message": "${message}", "connectionId":"${connectionId}", "requestId":"${requestId}"}`;
    transport.post(Buffer.from(frame));
  }

  async #disconnect(peer: Peer, client: string | undefined, ending: Ending): Promise<void> {
    const { invocations, faults, events, clock } = this.#options;
    if (invocations.stopped.aborted) return;
    const { copies, delay } = faults.strikeDisconnect(peer.connectionId);
    const event = disconnectEvent(peer, ending, clock.now());
    if (delay > 0) await clock.sleep(delay, invocations.stopped);
    events.tell(client, { kind: "disconnect", delivered: copies > 0 });
    const arrivals = Array.from({ length: copies }, () =>
      invocations.invoke("disconnect", (functions, context) => functions.disconnect(event, context)),
    );
    await Promise.all(arrivals);
  }

  /** Says in the log what the client is told with a bare number. */
  #explain({ connectionId }: Peer, { code }: Ending): void {
    const { frameBytes, messageBytes } = API_GATEWAY;
    const fields = { transportId: connectionId, code };
    if (code === 1003) this.#options.log.warn("A binary frame: API Gateway takes text only.", fields);
    if (code === 1009) {
      this.#options.log.warn("A frame or a message over API Gateway's limit.", { ...fields, frameBytes, messageBytes });
    }
  }
}

/** The status a function answered with; undefined for anything that is not an answer. */
function statusOf(outcome: Outcome<SocketResult>): number | undefined {
  if (outcome.kind !== "returned") return undefined;
  // The user's code may return anything, whatever the types say.
  const { statusCode } = (outcome.result ?? {}) as Partial<SocketResult>;
  return Number.isInteger(statusCode) ? statusCode : undefined;
}
