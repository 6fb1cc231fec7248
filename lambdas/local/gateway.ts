// The local gateway: what CloudFront, API Gateway, Lambda and the scheduler do in the cloud, on one port of this
// machine, as strict as they are. Where AWS is silent it takes the harsher reading.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock, Log } from "../hub/index.ts";
import { cloudFront } from "./cloudfront.ts";
import { connectionsApi } from "./connections-api.ts";
import { faultApi } from "./fault-api.ts";
import { FaultSwitches } from "./fault-switches.ts";
import type { Faults } from "./faults.ts";
import { answerText, serveRequests } from "./front.ts";
import { functionUrl } from "./function-url.ts";
import type { Functions } from "./functions.ts";
import { GatewayEvents } from "./gateway-events.ts";
import { httpApi } from "./http-api.ts";
import { openServer } from "./http-server.ts";
import { inProcessHandler, type SdkRequestHandler } from "./in-process-handler.ts";
import { Invocations } from "./invocations.ts";
import { lambdaApi } from "./lambda-api.ts";
import { FOREIGN_HOST, hostCheck, isLocalName } from "./local-names.ts";
import { directRequest, type OriginRequest } from "./origin-request.ts";
import type { Pages } from "./pages.ts";
import { type IsHub, isWithinLength, routeUpgrade, STAGE_PATH, TABLE_PATH } from "./routes.ts";
import { SocketApi } from "./socket-api.ts";
import { tableApi } from "./table-api.ts";
import { GOING_AWAY, type Transport } from "./transport.ts";

export interface GatewayOptions {
  readonly functions: Functions;
  /** 0 takes any free port. @default 0 */
  readonly port?: number;
  /** Where to listen. On a loopback address only requests to localhost are answered. @default "127.0.0.1" */
  readonly host?: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The paths that are hubs, in any case, without the slash in front. Asked on every request. @default every path is one */
  readonly hubPaths?: () => readonly string[];
  /** Answers GET requests of paths that are no hub's. */
  readonly pages?: Pages;
  /** What the distribution proves itself with to its origins. @default it does not */
  readonly originSecret?: string;
  /**
   * Lets pages of this server switch faults and watch the gateway. On a loopback address only: on others it stays off.
   * @default false
   */
  readonly faultApi?: boolean;
  /**
   * An engine of DynamoDB that other processes of this machine may use. On a loopback address only: on others it stays
   * off. @default none
   */
  readonly table?: SdkRequestHandler;
  /** Milliseconds from one start of the sweeper to the next. @default 60_000 */
  readonly sweepInterval?: number;
}

/** An open transport as API Gateway knows it. Times are epoch milliseconds. */
export interface TransportInfo {
  readonly id: string;
  readonly connectedAt: number;
  readonly lastActiveAt: number;
}

export interface LocalGateway {
  /** What clients use: `http://localhost:PORT`. */
  readonly url: string;
  /** `endpoint` of an ApiGatewayManagementApiClient. */
  readonly callbackUrl: string;
  /** `requestHandler` of an ApiGatewayManagementApiClient: the same service without a socket. */
  readonly requestHandler: SdkRequestHandler;
  /** `requestHandler` of a LambdaClient, whose one function is the worker. */
  readonly lambda: SdkRequestHandler;
  /** `endpoint` of a DynamoDBClient, if there is a table for others. */
  readonly tableUrl: string | undefined;
  readonly faults: Faults;
  transports(): readonly TransportInfo[];
  /**
   * Closes every socket with 1001, cuts polls and streams, and waits up to 3 seconds for functions that run. Nothing
   * starts any more, not even `$disconnect`: to the hubs it is as if the gateway had lost power, so connections outlive it.
   */
  close(): Promise<void>;
}

/** @throws PortInUseError if another process listens on the port. */
export async function startGateway(options: GatewayOptions): Promise<LocalGateway> {
  const { functions, clock, log, sweepInterval = 60_000, hubPaths, pages } = options;
  const transports = new Map<string, Transport>();
  const parked = new Set<ServerResponse>();
  const faults = new FaultSwitches(transports, clock, parked);
  const events = new GatewayEvents(clock);
  const invocations = new Invocations({ functions, faults, clock, log });
  const connections = connectionsApi({ transports, faults, stagePath: STAGE_PATH });

  const { server, authority, close: closeServer } = await openServer(options.port, options.host);
  const isHub: IsHub = (path) => {
    const paths = hubPaths?.().map((hub) => hub.toLowerCase());
    return paths === undefined ? path !== "" : paths.includes(path.toLowerCase());
  };
  const isOwnHost = hostCheck(options.host);
  const socketApi = new SocketApi({ transports, invocations, faults, events, clock, log, domainName: authority });
  const isLocal = isLocalName(options.host ?? "127.0.0.1");
  const isOpenToPages = options.faultApi === true && isLocal;
  const table = isLocal ? options.table : undefined;
  const throughCloudFront = cloudFront(options.originSecret);
  const serve = serveRequests({
    isHub,
    connections,
    cloudFront: throughCloudFront,
    http: httpApi({ invocations, faults, events, clock, parked }),
    stream: functionUrl({ invocations, faults, clock, parked }),
    pages,
    faultApi: isOpenToPages ? faultApi({ faults, events, clock, stopped: invocations.stopped }) : undefined,
    tableApi: table === undefined ? undefined : tableApi(table),
  });

  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    if (!isOwnHost(request.headers.host)) return answerText(response, 403, FOREIGN_HOST);
    serve(request, response).catch((error: unknown) => {
      // A client that left in the middle of its request needs no answer and is no news.
      if (request.socket.destroyed) return;
      // Without its query, which may hold tokens.
      log.error("A request failed.", { path: request.url?.split("?")[0], error });
      if (response.headersSent) response.destroy();
      else answerText(response, 500);
    });
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Until `ws` listens, a client that resets its connection would be an uncaught error.
    socket.on("error", () => socket.destroy());
    if (!isOwnHost(request.headers.host)) return refuseUpgrade(socket, 403, FOREIGN_HOST);
    const origin = socketOrigin(request);
    if (typeof origin === "number") return refuseUpgrade(socket, origin);
    socketApi.upgrade(origin, request, socket, head);
  });

  /** What the socket API gets of an upgrade, or the status of its refusal. */
  function socketOrigin(incoming: IncomingMessage): OriginRequest | number {
    const request = directRequest(incoming);
    if (faults.blocksSocket(request.query)) return 400;
    const route = routeUpgrade(incoming.url ?? "/", isHub);
    if (route.kind === "refused") return route.status;
    const passage = route.kind === "stage" ? ({ origin: "socket", request } as const) : throughCloudFront(request);
    if (passage.origin === undefined) return passage.status;
    // No other origin can do anything with an upgrade.
    if (passage.origin !== "socket") return 400;
    return isWithinLength(passage.request) ? passage.request : 414;
  }

  void runSchedule(invocations, clock, sweepInterval);

  let closed: Promise<void> | undefined;
  const close = async () => {
    invocations.stop();
    faults.reset();
    for (const transport of [...transports.values()]) transport.close(GOING_AWAY);
    for (const response of parked) response.destroy();
    await closeServer(invocations.settled());
    invocations.abandon();
  };

  return {
    url: `http://${authority}`,
    callbackUrl: `http://${authority}${STAGE_PATH}`,
    requestHandler: inProcessHandler(connections),
    lambda: inProcessHandler(lambdaApi(invocations)),
    tableUrl: table === undefined ? undefined : `http://${authority}${TABLE_PATH}`,
    faults,
    transports: () =>
      [...transports.values()].map(({ id, connectedAt, lastActiveAt }) => ({ id, connectedAt, lastActiveAt })),
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

function refuseUpgrade(socket: Duplex, status: number, text = ""): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n${text}`);
}

/** EventBridge: a start each interval, whether or not the one before has ended. */
async function runSchedule(invocations: Invocations, clock: Clock, interval: number): Promise<void> {
  while (!invocations.stopped.aborted) {
    void invocations.invoke("sweep", (functions, context) => functions.sweep({ source: "aws.scheduler" }, context));
    await clock.sleep(interval, invocations.stopped);
  }
}
