// A service on the local server, and clients of every kind to talk to it. Time stands still unless a test moves it, or
// brings a clock that runs.

import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { type HubConnection, HubConnectionBuilder, type IHttpConnectionOptions, NullLogger } from "@microsoft/signalr";
import { defineService, type ServiceOptions } from "signalr-lambda";
import { startLocalServer } from "signalr-lambda/local";
import { expect, onTestFinished } from "vitest";
import type { ClientOptions } from "ws";
import type { LogFields } from "../../lambdas/hub/index.ts";
import { runServer } from "../../lambdas/run-server.ts";
import { FakeClock } from "../fake-clock.ts";
import { Arrivals } from "../local/local-gateway.ts";
import { recordingLog } from "../recording-log.ts";
import { BareClient } from "./bare-client.ts";
import { freshFunctions } from "./fresh-functions.ts";
import type { TestClock } from "./running-clock.ts";
import { sweepAhead } from "./sweep-ahead.ts";
import { TableWatch } from "./table-watch.ts";

/** Whether functions have no memory: see `fresh-functions.ts`. A second run of these tests sets it. */
const FRESH = process.env.ISOLATE !== undefined;
/** At most. Milliseconds. */
const TOMBSTONES_LAST = 25 * 60 * 60_000;

export type RunningService = Awaited<ReturnType<typeof start>>;

/** A connection as negotiate hands it out. */
export interface Offer {
  readonly connectionId: string;
  readonly connectionToken: string;
}

/** Runs a service until the test is over. Then all clients leave, and nothing of them may stay behind. */
export async function serve(options: ServiceOptions, clock?: TestClock): Promise<RunningService> {
  const service = await start(options, clock);
  onTestFinished(() => service.close());
  return service;
}

/** The same until `close`, for the tests of one `describe`. */
export async function start(options: ServiceOptions, clock: TestClock = new FakeClock()) {
  const lines = new Arrivals<LogFields>();
  const service = defineService(options);
  // The first sweep begins before there is a table to watch, and deletes nothing.
  let watch = (_client: DynamoDBClient): void => undefined;
  const local = { clock, log: recordingLog(lines), tableApi: true };
  const server = FRESH
    ? await runServer(
        { service },
        local,
        freshFunctions((client) => watch(client)),
      )
    : await startLocalServer(service, local);
  const table = new TableWatch(server.table);
  const watchers = [(client: DynamoDBClient) => table.watch(client)];
  watch = (client) => {
    for (const show of watchers) show(client);
  };
  const stockClients = new Set<HubConnection>();
  const bareClients = new Set<BareClient>();

  function build(path: string, httpOptions: IHttpConnectionOptions = {}): HubConnectionBuilder {
    return new HubConnectionBuilder().withUrl(server.url + path, httpOptions).configureLogging(NullLogger.instance);
  }

  function track(connection: HubConnection): HubConnection {
    stockClients.add(connection);
    return connection;
  }

  async function leave(): Promise<number> {
    await Promise.all([...stockClients].map((connection) => connection.stop()));
    await Promise.all([...bareClients].map((client) => client.vanish()));
    return table.ended();
  }

  return {
    server,
    clock,
    table,
    /** Shows every client of the table: of the functions, as they are made, and of the tests. */
    eachTableClient(show: (client: DynamoDBClient) => void): void {
      watchers.push(show);
      show(server.table.client);
    },
    /** What the service logged. */
    lines,
    url: server.url,
    build,
    track,
    /** The unmodified client, started. */
    async connect(path = "/chat", httpOptions?: IHttpConnectionOptions): Promise<HubConnection> {
      const connection = track(build(path, httpOptions).build());
      await connection.start();
      return connection;
    },
    /** A socket without a handshake. */
    async open(path = "/chat", clientOptions?: ClientOptions): Promise<BareClient> {
      const client = await BareClient.open(new URL(path, server.url.replace("http", "ws")), clientOptions);
      bareClients.add(client);
      return client;
    },
    /** A socket that has shaken hands. */
    async greet(path = "/chat"): Promise<BareClient> {
      const client = await this.open(path);
      expect(await client.handshake()).toEqual({});
      return client;
    },
    /** Posts to a hub's negotiate as a client does. */
    negotiate(query = "?negotiateVersion=1", init: RequestInit = {}, path = "/chat"): Promise<Response> {
      return fetch(`${server.url}${path}/negotiate${query}`, { method: "POST", ...init });
    },
    /** What negotiate answers to a client of version 1. */
    async offer(path = "/chat", init?: RequestInit): Promise<Offer> {
      return (await (await this.negotiate("?negotiateVersion=1", init, path)).json()) as Offer;
    },
    /** Every client leaves, and every connection ends but those that never shook hands. */
    leave,
    async close(): Promise<void> {
      if ((await leave()) > 0) await sweepAhead(service, server.table, clock.now());
      await table.collectGarbage(clock.now() + TOMBSTONES_LAST);
      const keys = await table.keys();
      await server.close();
      expect(keys).toEqual(["SWEEP SWEEP"]);
    },
  };
}

/** What a client receives under a name: the arguments of each call. */
export function calls(connection: HubConnection, target: string): Arrivals<readonly unknown[]> {
  const arrivals = new Arrivals<readonly unknown[]>();
  connection.on(target, (...args) => arrivals.push(args));
  return arrivals;
}

/** Resolves with the error of a connection's end, undefined when there was none. */
export function closing(connection: HubConnection): Promise<Error | undefined> {
  return new Promise((resolve) => connection.onclose(resolve));
}
