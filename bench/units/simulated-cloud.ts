// The eight functions as they are deployed, on an embedded DynamoDB and an `@connections` that takes everything for open sockets; clients
// are the events that API Gateway would make of them. Time is simulated, so that the same run always costs the same: it
// stands still unless told to pass.

import { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import { BatchWriteItemCommand, CreateTableCommand, DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { HUB_PARAMETER } from "../../lambdas/apigateway/index.ts";
import { connectionTokens } from "../../lambdas/auth/index.ts";
import { apiGatewayTransports, dynamoDBStore, tableDefinition } from "../../lambdas/aws/index.ts";
import {
  connectHandler,
  disconnectHandler,
  messageHandler,
  negotiateHandler,
  pollHandler,
  streamHandler,
  sweepHandler,
  workHandler,
} from "../../lambdas/handlers.ts";
import {
  type Authenticate,
  type Clock,
  type ConnectionTokenClaims,
  type Errand,
  type Log,
  type Random,
  type Service,
  type Work,
  withHttpTransports,
} from "../../lambdas/hub/index.ts";
import { openEmbeddedDynamoDB } from "../../lambdas/local/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { connectEvent, disconnectEvent, messageEvent, negotiateEvent } from "./events.ts";
import type { Item } from "./item-size.ts";
import { Meter } from "./meter.ts";
import { type HttpClient, httpClient } from "./simulated-http.ts";

const TABLE = "signalr";
/** In the middle of a keep-alive slot, so that no client is due for a ping. */
const NOW = Date.UTC(2026, 0, 1, 0, 0, 7);
const SETTINGS = { region: "local", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

type RequestHandler = Awaited<ReturnType<typeof openEmbeddedDynamoDB>>["requestHandler"];

/** Who connects, and how it means to come back. */
export interface Client {
  readonly user?: string | undefined;
  readonly resumeKey?: string | undefined;
  /** Whether it negotiates stateful reconnect. */
  readonly stateful?: boolean | undefined;
}

export interface Negotiated {
  readonly connectionId: string;
  readonly connectionToken: string;
}

export interface SimulatedCloud {
  readonly meter: Meter;
  readonly clock: SimulatedClock;
  negotiate(hub: string, client: Client): Promise<Negotiated>;
  /** Opens a socket. */
  connect(hub: string, connectionToken: string, client: Client): Promise<SimulatedTransport>;
  /** A client over HTTP, of which nothing was sent yet. */
  http(hub: string, connectionToken: string): HttpClient;
  /** Resolves when no worker runs, and no errand. */
  worked(): Promise<void>;
  /** Runs the sweeper's function for one tick, or to its end if it finds no connection. */
  sweepOnce(): Promise<void>;
  /** Runs it as it is. */
  sweep(): Promise<void>;
  /** The rows of a kind as they are in the table, by the beginning of their partition key. */
  rows(kind: string): Promise<readonly Item[]>;
  /** A message function that reaches the table by a way of its own, and makes the same ids for every event. */
  receiver(requestHandler: RequestHandler): (event: ReturnType<typeof messageEvent>) => Promise<void>;
  /** A sweeper for one tick, that reaches the table by a way of its own. */
  sweeper(requestHandler: RequestHandler): () => Promise<void>;
  readonly requestHandler: RequestHandler;
  /** Puts rows into the table that nobody is billed for. */
  fill(rows: Iterable<Item>): Promise<void>;
  close(): Promise<void>;
}

/** The client's side of a socket. Each verb is one event, and resolves when its function has returned. */
export interface SimulatedTransport {
  readonly id: string;
  send(frame: string): Promise<void>;
  disconnect(code: number): Promise<void>;
}

export interface CloudOptions {
  /** How long a call to DynamoDB or `@connections` takes, each time anew. @default no time */
  readonly latency?: () => number;
}

export async function openSimulatedCloud(
  service: Service,
  authenticate: Authenticate,
  { latency }: CloudOptions = {},
): Promise<SimulatedCloud> {
  const clock = new SimulatedClock(NOW);
  const engine = await openEmbeddedDynamoDB();
  const observer = new DynamoDBClient({ ...SETTINGS, requestHandler: engine.requestHandler });
  await observer.send(new CreateTableCommand(tableDefinition(TABLE)));
  const database = new DynamoDBClient({ ...SETTINGS, requestHandler: engine.requestHandler });
  const connections = new ApiGatewayManagementApiClient({
    ...SETTINGS,
    endpoint: "https://connections.invalid/prod",
    requestHandler: { handle: async ({ path }: { path: string }) => ({ response: answer(path) }) },
  });
  const gone = new Set<string>();
  const answer = (path: string) => {
    const id = decodeURIComponent(path.slice(path.lastIndexOf("/") + 1));
    return { statusCode: gone.has(id) ? 410 : 200, headers: gone.has(id) ? GONE : {}, body: Buffer.from("{}") };
  };
  const meter = new Meter(observer, ["pk", "sk"]);
  meter.attach(database);
  meter.attachToPosts(connections);
  const take = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    if (latency !== undefined) await clock.sleep(latency());
    return clock.work(call);
  };
  database.middlewareStack.add((next) => (args) => take(() => next(args)), TIMED);
  connections.middlewareStack.add((next) => (args) => take(() => next(args)), TIMED);

  const running = new Set<Promise<unknown>>();
  /** Nobody waits for it but `worked`. */
  const leave = (task: Promise<unknown>): void => {
    const done: Promise<unknown> = task.then(() => running.delete(done));
    running.add(done);
  };
  const tokens = connectionTokens("a secret of the benchmark");
  const table = { store: dynamoDBStore(database, TABLE), log: standardErrorLog, clock, random: countingRandom() };
  const ports = {
    ...table,
    service,
    authenticate,
    dialect: core,
    workers: {
      async start(event: Work) {
        leave(workHandler(ports)(event));
      },
    },
    runners: {
      async start(event: Errand) {
        leave(messageHandler(ports)(event));
      },
    },
    tokens: {
      ...tokens,
      issue: (claims: ConnectionTokenClaims) => clock.work(() => tokens.issue(claims)),
      verify: (token: string) => clock.work(() => tokens.verify(token)),
    },
    transports: withHttpTransports(apiGatewayTransports({ client: connections, clock, log: standardErrorLog }), table),
  };
  const functions = {
    negotiate: negotiateHandler(ports),
    connect: connectHandler(ports),
    message: messageHandler(ports),
    disconnect: disconnectHandler(ports),
    poll: pollHandler(ports),
    stream: streamHandler(ports),
  };
  let transports = 0;

  return {
    meter,
    clock,
    async negotiate(hub, { user, resumeKey, stateful }) {
      const query = {
        negotiateVersion: "1",
        ...(resumeKey !== undefined && { resume: resumeKey }),
        ...(stateful && { useStatefulReconnect: "true" }),
      };
      const { statusCode, body = "" } = await functions.negotiate(negotiateEvent(hub, query, user, clock.now()));
      if (statusCode !== 200) throw new Error(`negotiate answered ${statusCode}: ${body}`);
      return JSON.parse(body);
    },
    async connect(hub, connectionToken, { user, resumeKey }) {
      transports += 1;
      // As long as API Gateway's own.
      const id = `transport${String(transports).padStart(6, "0")}=`;
      const query = {
        id: connectionToken,
        [HUB_PARAMETER]: hub,
        ...(user !== undefined && { access_token: user }),
        ...(resumeKey !== undefined && { resume: resumeKey }),
      };
      const connectedAt = clock.now();
      const { statusCode } = await functions.connect(connectEvent(id, query, connectedAt));
      if (statusCode !== 200) throw new Error(`connect answered ${statusCode}.`);
      return {
        id,
        async send(frame) {
          await functions.message(messageEvent(id, frame, clock.now()));
        },
        async disconnect(code) {
          gone.add(id);
          await functions.disconnect(disconnectEvent(id, code, clock.now()));
        },
      };
    },
    http: (hub, connectionToken) => httpClient(functions, clock, hub, connectionToken),
    async worked() {
      while (running.size > 0) await Promise.all(running);
    },
    sweepOnce: () => sweepHandler({ ...ports, clock: oneTickClock(clock) })(),
    sweeper(requestHandler) {
      const store = dynamoDBStore(new DynamoDBClient({ ...SETTINGS, requestHandler }), TABLE);
      return () => sweepHandler({ ...ports, store, clock: oneTickClock(clock) })();
    },
    receiver(requestHandler) {
      const store = dynamoDBStore(new DynamoDBClient({ ...SETTINGS, requestHandler }), TABLE);
      return async (event) => {
        await messageHandler({ ...ports, store, random: countingRandom() })(event);
      };
    },
    requestHandler: engine.requestHandler,
    sweep: sweepHandler(ports),
    async rows(kind) {
      const { Items = [] } = await observer.send(new ScanCommand({ TableName: TABLE }));
      return Items.filter(({ pk }) => pk?.S?.startsWith(kind));
    },
    async fill(rows) {
      const all = [...rows];
      for (let start = 0; start < all.length; start += BATCH) {
        const requests = all.slice(start, start + BATCH).map((Item) => ({ PutRequest: { Item } }));
        await observer.send(new BatchWriteItemCommand({ RequestItems: { [TABLE]: requests } }));
      }
    },
    close: () => engine.close(),
  };
}

const GONE = { "x-amzn-errortype": "GoneException" };
/** Items that one request may write. */
const BATCH = 25;
/** Inside the meter's. */
const TIMED = { step: "initialize", priority: "high", name: "simulatedTime" } as const;

/**
 * The pause between two ticks, which nothing ends early, takes so long that the sweeper's time is up after it. What it
 * has begun to repair is done by then.
 */
function oneTickClock(clock: SimulatedClock): Clock {
  let now = clock.now();
  return {
    now: () => now,
    async sleep(milliseconds, signal) {
      if (signal !== undefined) return clock.sleep(milliseconds, signal);
      await clock.idle();
      now += 3_600_000;
    },
  };
}

/** Ids as long as any: which shards they fall into is the same in every run. */
function countingRandom(): Random {
  let ids = 0;
  return {
    id() {
      ids += 1;
      return String(ids).padStart(22, "0");
    },
  };
}

/** Whatever a run has to say is a mistake in it. */
const standardErrorLog: Log = {
  debug() {},
  info() {},
  warn: (message, fields) => console.error(message, fields),
  error: (message, fields) => console.error(message, fields),
  with: () => standardErrorLog,
};
