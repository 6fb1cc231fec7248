// A service on the local server, and clients of every kind to talk to it. Time stands still unless a test moves it, or
// brings a clock that runs.

import { type HubConnection, HubConnectionBuilder, type IHttpConnectionOptions, NullLogger } from "@microsoft/signalr";
import { defineService, type Service, type ServiceOptions } from "signalr-lambda";
import { type LocalServer, startLocalServer } from "signalr-lambda/local";
import { core } from "signalr-lambda/protocol";
import { expect, onTestFinished } from "vitest";
import type { ClientOptions } from "ws";
import { dynamoDBStore } from "../../lambdas/aws/index.ts";
import { type LogFields, sweep } from "../../lambdas/hub/index.ts";
import { systemRandom } from "../../lambdas/system.ts";
import { FakeClock } from "../fake-clock.ts";
import { Arrivals } from "../local/local-gateway.ts";
import { recordingLog } from "../recording-log.ts";
import { BareClient } from "./bare-client.ts";
import type { TestClock } from "./running-clock.ts";
import { TableWatch } from "./table-watch.ts";

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
  const server = await startLocalServer(service, { clock, log: recordingLog(lines) });
  const table = new TableWatch(server.table);
  const stockClients = new Set<HubConnection>();
  const bareClients = new Set<BareClient>();

  function build(path: string, httpOptions: IHttpConnectionOptions = {}): HubConnectionBuilder {
    return new HubConnectionBuilder().withUrl(server.url + path, httpOptions).configureLogging({
      log: (l, m) => {
        if (!m.includes("data received") || true) console.log(new Date().toISOString().slice(14, 23), m);
      },
    });
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
      if ((await leave()) > 0) await sweepAhead(service, server, clock.now());
      await table.collectGarbage(clock.now() + TOMBSTONES_LAST);
      const keys = await table.keys();
      await server.close();
      expect(keys).toEqual(["SWEEP SWEEP"]);
    },
  };
}

/** What the sweeper does in the next minutes, at once: it ends the sockets that never shook hands. */
async function sweepAhead(service: Service, { table }: LocalServer, now: number): Promise<void> {
  let time = now;
  await sweep({
    service,
    store: dynamoDBStore(table.client, table.name),
    transports: { post: async () => "gone", close: async () => undefined },
    dialect: core,
    clock: {
      now: () => time,
      async sleep(milliseconds, signal) {
        if (signal === undefined) time += milliseconds;
        else await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    },
    log: recordingLog([]),
    random: systemRandom,
  });
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
