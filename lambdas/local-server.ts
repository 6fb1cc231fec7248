// `startLocalServer`: the service behind the local gateway, on an embedded DynamoDB. What tests of a service run
// against.

import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Clock, Log, Service } from "./hub/index.ts";
import type { Faults } from "./local/index.ts";
import { runServer } from "./run-server.ts";

export interface LocalServerOptions {
  /** @default any free port */
  readonly port?: number;
  /** Where to listen. On a loopback address only requests to localhost are answered. @default "127.0.0.1" */
  readonly host?: string;
  /** Keeps connections on disk, and the secret of their tokens, so that they survive the process. @default in memory */
  readonly dataDir?: string;
  /** A directory whose files are served to browsers, or several: `{ "": "site", lab: "lab/page" }`. @default none */
  readonly pages?: string | Readonly<Record<string, string>>;
  /**
   * Lets pages served from here switch faults, at `/_gateway/faults`, and watch what the gateway does. On a loopback
   * address only. @default false
   */
  readonly faultApi?: boolean;
  /**
   * Lets other processes of this machine read and write the table, as `createHubContext` does, and sign access tokens,
   * as `createNegotiator` does, with {@link LocalServer.environment}. On a loopback address only. @default false
   */
  readonly tableApi?: boolean;
  /**
   * Milliseconds from one start of the sweeper to the next. One that finds no connection goes home, so this is how late
   * the silence of a first client may be noticed. @default 60_000, as it is deployed
   */
  readonly sweepInterval?: number;
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
  /**
   * What `createHubContext` and `createNegotiator` find this server by in another process of this machine. Empty without
   * `tableApi`.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** The sockets that are open. Times are epoch milliseconds. */
  transports(): readonly { readonly id: string; readonly connectedAt: number; readonly lastActiveAt: number }[];
  /** Swaps the service: sockets, ids, groups and items stay. */
  replaceService(service: Service): void;
  /** Closes every socket and stops. With `dataDir`, connections can be found again by the next server. */
  close(): Promise<void>;
}

/**
 * Serves a service on this machine.
 *
 * @throws an error with code `port_in_use`, `data_dir_in_use` or `token_secret_unusable` that says what to do.
 * @example
 * const server = await startLocalServer(service);
 * const connection = new HubConnectionBuilder().withUrl(`${server.url}/chat`).build();
 */
export async function startLocalServer(service: Service, options: LocalServerOptions = {}): Promise<LocalServer> {
  const { replace, ...server } = await runServer({ service }, options);
  return { ...server, replaceService: (next) => replace({ service: next }) };
}
