// `startLocalServer`: the service behind the local gateway, on an embedded DynamoDB. What `npm start` runs, and what
// tests of a service run against.

import { randomBytes } from "node:crypto";
import { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { connectionTokens } from "./auth/index.ts";
import { apiGatewayTransports, dynamoDBStore, TIME_TO_LIVE } from "./aws/index.ts";
import { authenticatorOf, checkService } from "./functions.ts";
import { connectHandler, disconnectHandler, messageHandler, negotiateHandler, sweepHandler } from "./handlers.ts";
import type { Clock, Log, Service } from "./hub/index.ts";
import { jsonLog } from "./json-log.ts";
import { deleteExpired, type Faults, type Functions, type LocalGateway, pages, startGateway } from "./local/index.ts";
import { openLocalDatabase, UNUSED } from "./local-database.ts";
import { core } from "./protocol/index.ts";
import { stoppableClock } from "./stoppable-clock.ts";
import { systemClock, systemRandom } from "./system.ts";

export interface LocalServerOptions {
  /** @default any free port */
  readonly port?: number;
  /** Where to listen. @default "127.0.0.1" */
  readonly host?: string;
  /** Keeps connections on disk, so that they survive the process. @default in memory */
  readonly dataDir?: string;
  /** A directory whose files are served to browsers. @default none */
  readonly pages?: string;
  /** Time, for tests. @default the machine's */
  readonly clock?: Clock;
  /** @default JSON lines on standard output, warnings and errors only */
  readonly log?: Log;
}

export interface LocalServer {
  /** Where hubs are served: `${url}/chat`. */
  readonly url: string;
  /** Endpoint of `@connections`. */
  readonly callbackUrl: string;
  /** Switches for what goes wrong in the cloud. */
  readonly faults: Faults;
  /** The table, for whoever wants to look into it. */
  readonly table: { readonly client: DynamoDBClient; readonly name: string };
  /** The sockets that are open. Times are epoch milliseconds. */
  transports(): readonly { readonly id: string; readonly connectedAt: number; readonly lastActiveAt: number }[];
  /** Swaps the service: sockets, ids, groups and items stay. */
  replaceService(service: Service): void;
  /** Deletes what DynamoDB's time to live would have deleted by now; returns how many rows. */
  collectGarbage(): Promise<number>;
  /** Closes every socket and stops. With `dataDir`, connections can be found again by the next server. */
  close(): Promise<void>;
}

const GARBAGE_INTERVAL = 60_000;

/**
 * Serves a service on this machine.
 *
 * @throws an error with code `port_in_use` or `data_dir_in_use` that says what to do.
 * @example
 * const server = await startLocalServer(service);
 * const connection = new HubConnectionBuilder().withUrl(`${server.url}/chat`).build();
 */
export async function startLocalServer(service: Service, options: LocalServerOptions = {}): Promise<LocalServer> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? jsonLog(console.log, "warn");
  const database = await openLocalDatabase(options.dataDir);
  const store = dynamoDBStore(database.client, database.tableName);
  const serverClock = stoppableClock(clock);
  let current = checkService(service);
  const tokens = connectionTokens(randomBytes(32).toString("hex"));
  // Functions post through the gateway and the gateway starts with its functions: so they wait for it at first use.
  let start: (gateway: LocalGateway) => void = () => undefined;
  const started = new Promise<LocalGateway>((resolve) => {
    start = resolve;
  });
  const client = new ApiGatewayManagementApiClient({
    ...UNUSED,
    endpoint: async () => ({ url: new URL((await started).callbackUrl) }),
    requestHandler: {
      handle: async (request: Parameters<LocalGateway["requestHandler"]["handle"]>[0]) =>
        (await started).requestHandler.handle(request),
    },
    maxAttempts: 1,
  });
  const transports = apiGatewayTransports({ client, clock: serverClock, log });
  const sweeps = new Set<Promise<void>>();

  function functionsOf(next: Service): Functions {
    const authenticate = authenticatorOf(next, clock);
    const ports = {
      service: next,
      authenticate,
      tokens,
      store,
      transports,
      dialect: core,
      log,
      clock: serverClock,
      random: systemRandom,
    };
    const sweep = sweepHandler(ports);
    return {
      connect: connectHandler(ports),
      message: messageHandler(ports),
      disconnect: disconnectHandler(ports),
      negotiate: negotiateHandler(ports),
      sweep: () => {
        const run = sweep().finally(() => sweeps.delete(run));
        sweeps.add(run);
        return run;
      },
    };
  }

  const functions = functionsOf(current);
  const gateway = await startGateway({
    functions,
    clock,
    log,
    hubPaths: () => [...current.hubs.keys()],
    ...(options.port !== undefined && { port: options.port }),
    ...(options.host !== undefined && { host: options.host }),
    ...(options.pages !== undefined && { pages: pages(options.pages) }),
  }).catch(async (error) => {
    await database.close();
    throw error;
  });
  start(gateway);

  const collectGarbage = (): Promise<number> =>
    deleteExpired({
      client: database.client,
      tableName: database.tableName,
      attribute: TIME_TO_LIVE,
      now: clock.now(),
    });
  const collecting = collectRegularly();
  let closing: Promise<void> | undefined;

  async function collectRegularly(): Promise<void> {
    for (;;) {
      await serverClock.sleep(GARBAGE_INTERVAL);
      if (closing !== undefined) return;
      await collectGarbage().catch((error) =>
        log.error("Expired rows could not be deleted; the next round tries again.", { error }),
      );
    }
  }

  async function close(): Promise<void> {
    await gateway.close();
    // A sweeper goes home when a newer one has begun. This one never ticks.
    await store.beginSweep();
    serverClock.stop();
    await Promise.allSettled([...sweeps, collecting]);
    await database.close();
  }

  return {
    url: gateway.url,
    callbackUrl: gateway.callbackUrl,
    faults: gateway.faults,
    table: { client: database.client, name: database.tableName },
    transports: () => gateway.transports(),
    replaceService(next) {
      current = checkService(next);
      Object.assign(functions, functionsOf(current));
    },
    collectGarbage,
    close() {
      closing ??= close();
      return closing;
    },
  };
}
