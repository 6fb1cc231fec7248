// `startLocalServer`: the service behind the local gateway, on an embedded DynamoDB. What `npm start` runs, and what
// tests of a service run against.

import { randomBytes } from "node:crypto";
import { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { connectionTokens } from "./auth/index.ts";
import { apiGatewayTransports, dynamoDBStore, TIME_TO_LIVE } from "./aws/index.ts";
import { checkService } from "./functions.ts";
import type { Clock, Log, Service } from "./hub/index.ts";
import { jsonLog } from "./json-log.ts";
import {
  deleteExpired,
  type Faults,
  type GatewayOptions,
  type LocalGateway,
  pages,
  startGateway,
} from "./local/index.ts";
import { type LocalDatabase, openLocalDatabase, UNUSED } from "./local-database.ts";
import { localFunctions } from "./local-functions.ts";
import { stoppableClock } from "./stoppable-clock.ts";
import { systemClock } from "./system.ts";

export interface LocalServerOptions {
  /** @default any free port */
  readonly port?: number;
  /** Where to listen. On a loopback address only requests to localhost are answered. @default "127.0.0.1" */
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
  // The SDK versions pinned here run on Node 20; what it says about later ones is nothing the user can act on.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const { pages: directory, dataDir, ...others } = options;
  // What fails without the database fails before it is opened.
  checkService(service);
  const pagesOption = directory === undefined ? {} : { pages: pages(directory) };
  const database = await openLocalDatabase(dataDir);
  try {
    return await serve(service, database, { ...others, ...pagesOption });
  } catch (error) {
    // A data directory that stays open could not be opened by the next server.
    await database.close();
    throw error;
  }
}

type ServeOptions = Pick<LocalServerOptions, "clock" | "log"> & Pick<GatewayOptions, "port" | "host" | "pages">;

async function serve(service: Service, database: LocalDatabase, options: ServeOptions): Promise<LocalServer> {
  const { clock = systemClock, log = jsonLog(console.log, "warn"), ...gatewayOptions } = options;
  const serverClock = stoppableClock(clock);
  const store = dynamoDBStore(database.client, database.tableName);
  // Functions post through the gateway and the gateway starts with its functions: so they wait for it at first use.
  let start: (gateway: LocalGateway) => void = () => undefined;
  const client = managementClient(
    new Promise((resolve) => {
      start = resolve;
    }),
  );
  const { functions, hubPaths, replaceService, swept } = localFunctions(service, {
    store,
    transports: apiGatewayTransports({ client, clock: serverClock, log }),
    tokens: connectionTokens(randomBytes(32).toString("hex")),
    clock: serverClock,
    log,
  });
  const gateway = await startGateway({ ...gatewayOptions, functions, hubPaths, clock, log });
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
    await Promise.all([swept(), collecting]);
    await database.close();
  }

  return {
    url: gateway.url,
    callbackUrl: gateway.callbackUrl,
    faults: gateway.faults,
    table: { client: database.client, name: database.tableName },
    transports: () => gateway.transports(),
    replaceService,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Posts to the gateway in this process, once it has started. */
function managementClient(started: Promise<LocalGateway>): ApiGatewayManagementApiClient {
  return new ApiGatewayManagementApiClient({
    ...UNUSED,
    endpoint: async () => ({ url: new URL((await started).callbackUrl) }),
    requestHandler: {
      handle: async (request: Parameters<LocalGateway["requestHandler"]["handle"]>[0]) =>
        (await started).requestHandler.handle(request),
    },
    maxAttempts: 1,
  });
}
