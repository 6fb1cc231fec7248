// The local server: gateway, functions and database put together.

import { randomBytes } from "node:crypto";
import { dynamoDBStore, TIME_TO_LIVE } from "./aws/index.ts";
import { checkService } from "./functions.ts";
import { jsonLog } from "./json-log.ts";
import {
  deleteExpired,
  type GatewayOptions,
  type LocalGateway,
  pages,
  type SdkRequestHandler,
  startGateway,
  tokenSecret,
} from "./local/index.ts";
import { type LocalDatabase, openLocalDatabase, UNUSED_ENVIRONMENT } from "./local-database.ts";
import { type FunctionRoom, type ServiceSource, sharedFunctions } from "./local-functions.ts";
import type { LocalServer, LocalServerOptions } from "./local-server.ts";
import { stoppableClock } from "./stoppable-clock.ts";
import { systemClock } from "./system.ts";

/** A {@link LocalServer} whose service may come from a file. */
export type RunningServer = Omit<LocalServer, "replaceService"> & { replace(source: ServiceSource): void };

const GARBAGE_INTERVAL = 60_000;

/**
 * Serves a service on this machine.
 *
 * @param room where functions run. @default in this process
 * @throws what `startLocalServer` throws.
 */
export async function runServer(
  source: ServiceSource,
  options: LocalServerOptions,
  room: FunctionRoom = sharedFunctions(),
): Promise<RunningServer> {
  // The SDK versions pinned here run on Node 20; what it says about later ones is nothing the user can act on.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const { pages: directory, dataDir, ...others } = options;
  // What fails without the database fails before it is opened.
  checkService(source.service);
  const pagesOption = directory === undefined ? {} : { pages: pages(directory) };
  const database = await openLocalDatabase(dataDir);
  try {
    // Only now: who has opened the directory has it alone.
    const secret = dataDir === undefined ? randomBytes(32).toString("hex") : await tokenSecret(dataDir);
    return await serve(source, database, secret, { ...others, ...pagesOption, room });
  } catch (error) {
    // A data directory that stays open could not be opened by the next server.
    await database.close();
    throw error;
  }
}

type ServeOptions = Pick<LocalServerOptions, "clock" | "log" | "tableApi"> &
  Pick<GatewayOptions, "port" | "host" | "pages" | "faultApi" | "sweepInterval"> & { readonly room: FunctionRoom };

async function serve(
  source: ServiceSource,
  database: LocalDatabase,
  secret: string,
  options: ServeOptions,
): Promise<RunningServer> {
  const {
    clock = systemClock,
    log = jsonLog(console.log, "warn"),
    room,
    tableApi = false,
    ...gatewayOptions
  } = options;
  const serverClock = stoppableClock(clock);
  const store = dynamoDBStore(database.client, database.tableName);
  // Functions post through the gateway and the gateway starts with its functions: so they wait for it at first use.
  let start: (gateway: LocalGateway) => void = () => undefined;
  const started = new Promise<LocalGateway>((resolve) => {
    start = resolve;
  });
  const later = (handler: "requestHandler" | "lambda"): SdkRequestHandler => ({
    handle: async (request) => (await started)[handler].handle(request),
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  });
  const [connections, lambda] = [later("requestHandler"), later("lambda")];
  // Clients reach hubs through the local CloudFront only, as they do through the deployed one.
  const originSecret = randomBytes(32).toString("base64url");
  const functionRoom = room(source, {
    database,
    connections,
    lambda,
    tokenSecret: secret,
    originSecret,
    clock: serverClock,
    log,
  });
  let current = source.service;
  const { functions } = functionRoom;
  const hubPaths = () => [...current.hubs.keys()];
  const table = tableApi && database.requestHandler !== undefined ? { table: database.requestHandler } : {};
  const gateway = await startGateway({ ...gatewayOptions, ...table, functions, hubPaths, originSecret, clock, log });
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
    await Promise.all([functionRoom.settled(), collecting]);
    await functionRoom.end();
    await database.close();
  }

  return {
    url: gateway.url,
    callbackUrl: gateway.callbackUrl,
    faults: gateway.faults,
    environment: tableApi ? environmentOf(gateway, database, secret) : {},
    table: { client: database.client, name: database.tableName },
    transports: () => gateway.transports(),
    replace(next) {
      functionRoom.replace(next);
      current = next.service;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** For a process beside this one. Another engine is found there as it was here. */
function environmentOf(
  { url, callbackUrl, tableUrl }: LocalGateway,
  { tableName, requestHandler }: LocalDatabase,
  secret: string,
): Readonly<Record<string, string>> {
  const names = {
    SIGNALR_TABLE: tableName,
    SIGNALR_CALLBACK_URL: callbackUrl,
    SIGNALR_URL: url,
    SIGNALR_TOKEN_SECRET: secret,
  };
  if (requestHandler !== undefined) {
    // On an address that is not loopback nobody else gets at the table.
    return tableUrl === undefined ? {} : { ...names, AWS_ENDPOINT_URL_DYNAMODB: tableUrl, ...UNUSED_ENVIRONMENT };
  }
  const { AWS_ENDPOINT_URL_DYNAMODB } = process.env;
  return { ...names, ...(AWS_ENDPOINT_URL_DYNAMODB !== undefined && { AWS_ENDPOINT_URL_DYNAMODB }) };
}
