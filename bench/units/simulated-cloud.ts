// The five functions as they are deployed, on an embedded DynamoDB and an `@connections` that takes everything; clients
// are the events that API Gateway would make of them. Time stands still, so that the same run always costs the same.

import { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import { CreateTableCommand, DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { HUB_PARAMETER } from "../../lambdas/apigateway/index.ts";
import { connectionTokens } from "../../lambdas/auth/index.ts";
import { apiGatewayTransports, dynamoDBStore, tableDefinition } from "../../lambdas/aws/index.ts";
import {
  connectHandler,
  disconnectHandler,
  messageHandler,
  negotiateHandler,
  sweepHandler,
} from "../../lambdas/handlers.ts";
import type { Authenticate, Clock, Log, Random, Service } from "../../lambdas/hub/index.ts";
import { openEmbeddedDynamoDB } from "../../lambdas/local/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { connectEvent, disconnectEvent, messageEvent, negotiateEvent } from "./events.ts";
import type { Item } from "./item-size.ts";
import { Meter } from "./meter.ts";

const TABLE = "signalr";
/** In the middle of a keep-alive slot, so that no client is due for a ping. */
const NOW = Date.UTC(2026, 0, 1, 0, 0, 7);
const SETTINGS = { region: "local", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

export interface SimulatedCloud {
  readonly meter: Meter;
  /** A connection token. */
  negotiate(hub: string, user?: string): Promise<string>;
  /** Opens a socket. */
  connect(hub: string, connectionToken: string, user?: string): Promise<SimulatedTransport>;
  /** Runs the sweeper's function for one tick, or to its end if it finds no connection. */
  sweepOnce(): Promise<void>;
  /** The rows of a kind as they are in the table, by the beginning of their partition key. */
  rows(kind: string): Promise<readonly Item[]>;
  close(): Promise<void>;
}

/** The client's side of a socket. Each verb is one event, and resolves when its function has returned. */
export interface SimulatedTransport {
  send(frame: string): Promise<void>;
  disconnect(code: number): Promise<void>;
}

export async function openSimulatedCloud(service: Service, authenticate: Authenticate): Promise<SimulatedCloud> {
  const engine = await openEmbeddedDynamoDB();
  const observer = new DynamoDBClient({ ...SETTINGS, requestHandler: engine.requestHandler });
  await observer.send(new CreateTableCommand(tableDefinition(TABLE)));
  const database = new DynamoDBClient({ ...SETTINGS, requestHandler: engine.requestHandler });
  const connections = new ApiGatewayManagementApiClient({
    ...SETTINGS,
    endpoint: "https://connections.invalid/prod",
    requestHandler: { handle: async () => ({ response: { statusCode: 200, headers: {}, body: Buffer.alloc(0) } }) },
  });
  const meter = new Meter(observer, ["pk", "sk"]);
  meter.attach(database);
  meter.attachToPosts(connections);

  const ports = {
    service,
    authenticate,
    log: standardErrorLog,
    clock: standingClock,
    random: countingRandom(),
    dialect: core,
    tokens: connectionTokens("a secret of the benchmark"),
    store: dynamoDBStore(database, TABLE),
    transports: apiGatewayTransports({ client: connections, clock: standingClock, log: standardErrorLog }),
  };
  const functions = {
    negotiate: negotiateHandler(ports),
    connect: connectHandler(ports),
    message: messageHandler(ports),
    disconnect: disconnectHandler(ports),
  };
  let transports = 0;

  return {
    meter,
    async negotiate(hub, user) {
      const { statusCode, body = "" } = await functions.negotiate(negotiateEvent(hub, user, NOW));
      if (statusCode !== 200) throw new Error(`negotiate answered ${statusCode}: ${body}`);
      return JSON.parse(body).connectionToken;
    },
    async connect(hub, connectionToken, user) {
      transports += 1;
      // As long as API Gateway's own.
      const id = `transport${String(transports).padStart(6, "0")}=`;
      const query = { id: connectionToken, [HUB_PARAMETER]: hub, ...(user !== undefined && { access_token: user }) };
      const { statusCode } = await functions.connect(connectEvent(id, query, NOW));
      if (statusCode !== 200) throw new Error(`connect answered ${statusCode}.`);
      return {
        async send(frame) {
          await functions.message(messageEvent(id, frame, NOW));
        },
        async disconnect(code) {
          await functions.disconnect(disconnectEvent(id, code, NOW));
        },
      };
    },
    sweepOnce: () => sweepHandler({ ...ports, clock: oneTickClock() })(),
    async rows(kind) {
      const { Items = [] } = await observer.send(new ScanCommand({ TableName: TABLE }));
      return Items.filter(({ pk }) => pk?.S?.startsWith(kind));
    },
    close: () => engine.close(),
  };
}

/** Nothing that sleeps ever wakes by itself. */
const standingClock: Clock = {
  now: () => NOW,
  sleep: (_milliseconds, signal) => new Promise((resolve) => signal?.addEventListener("abort", () => resolve())),
};

/** The pause between two ticks takes so long that the sweeper's time is up after it. */
function oneTickClock(): Clock {
  let now = NOW;
  return {
    now: () => now,
    async sleep() {
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
