import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ScanCommand } from "@aws-sdk/client-dynamodb";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { type DisconnectReason, defineHub, defineService } from "signalr-lambda";
import { type LocalServer, type LocalServerOptions, startLocalServer } from "signalr-lambda/local";
import { afterEach, expect, it, vi } from "vitest";
import { TIME_TO_LIVE } from "../lambdas/aws/index.ts";
import { deleteExpired } from "../lambdas/local/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { Arrivals } from "./local/local-gateway.ts";
import { type Line, recordingLog } from "./recording-log.ts";

/** Milliseconds. Everything else on the clock sleeps longer. */
const SWEEPER_TICK = 5_000;

const cleanUp: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function serve(options: LocalServerOptions = {}) {
  const disconnected: { readonly groups: readonly string[]; readonly reason: DisconnectReason }[] = [];
  let told = (): void => undefined;
  const chat = defineHub()({
    methods: { join: (hub, group: string) => hub.groups.add(group) },
    async onDisconnected(hub, reason) {
      disconnected.push({ groups: await hub.groups.list(), reason });
      told();
    },
  });
  const server = await startLocalServer(defineService({ hubs: { chat } }), options);
  cleanUp.push(() => server.close());
  const nextDisconnected = () =>
    new Promise<void>((resolve) => {
      told = resolve;
    });
  return { server, disconnected, nextDisconnected };
}

async function connect(server: LocalServer) {
  const connection = new HubConnectionBuilder().withUrl(`${server.url}/chat`).configureLogging(LogLevel.None).build();
  cleanUp.push(() => connection.stop());
  await connection.start();
  return connection;
}

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "signalr-lambda-"));
  cleanUp.push(() => rm(directory, { recursive: true }));
  return directory;
}

async function rows({ table }: LocalServer): Promise<readonly string[]> {
  const { Items = [] } = await table.client.send(new ScanCommand({ TableName: table.name, ConsistentRead: true }));
  return Items.map(({ pk }) => pk?.S ?? "");
}

it("finds connections on disk again, and ends those whose client does not come back", async () => {
  const dataDir = await newDirectory();
  const clock = new FakeClock();
  const first = await serve({ dataDir, clock });
  await (await connect(first.server)).invoke("join", "room");
  await first.server.close();
  expect(first.disconnected).toEqual([]);

  await clock.advance(3_600_000);
  const second = await serve({ dataDir, clock });
  const ended = second.nextDisconnected();
  await advanceUntil(clock, ended);

  expect(second.disconnected).toMatchObject([
    { groups: ["room"], reason: { stopCalled: false, error: { code: "client_timeout" } } },
  ]);
});

it("leaves nothing in the table but the sweeper's lease when all clients have gone", async () => {
  const clock = new FakeClock();
  const { server, disconnected, nextDisconnected } = await serve({ clock });
  const connection = await connect(server);
  await connection.invoke("join", "room");
  const ended = nextDisconnected();
  await connection.stop();
  await ended;
  await untilEnded(server);
  expect(disconnected).toHaveLength(1);
  // Tombstones stay for a day, then time to live removes them.
  const { client, name: tableName } = server.table;
  await deleteExpired({ client, tableName, attribute: TIME_TO_LIVE, now: clock.now() + 25 * 3_600_000 });
  expect(await rows(server)).toEqual(["SWEEP"]);
});

it("cuts a stream off when it closes, and says so", async () => {
  const lines = new Arrivals<Line>();
  const chat = defineHub()({
    methods: {
      async *endless(hub) {
        yield "begun";
        await once(hub.aborted, "abort");
      },
    },
  });
  const server = await startLocalServer(defineService({ hubs: { chat } }), { log: recordingLog(lines) });
  const connection = await connect(server);
  await new Promise<void>((resolve) => {
    connection.stream("endless").subscribe({ next: () => resolve(), error: () => {}, complete: () => {} });
  });
  await server.close();
  let line = await lines.next();
  while (line.level !== "error") line = await lines.next();
  expect([line.message, String(line.error)]).toEqual([
    "A hub method failed.",
    "CutOffError: The method was cut off: its server is closing.",
  ]);
});

it("swaps the service and keeps what is connected", async () => {
  const { server } = await serve();
  const connection = await connect(server);
  const next = defineHub()({ methods: { groups: (hub) => hub.groups.list() } });
  await connection.invoke("join", "room");
  server.replaceService(defineService({ hubs: { chat: next } }));
  expect(await connection.invoke("groups")).toEqual(["room"]);
});

it("says what a service file must export when it gets something else", async () => {
  await expect(startLocalServer({} as Parameters<typeof startLocalServer>[0])).rejects.toThrow(
    "export default defineService",
  );
});

it.each<[number, LocalServerOptions]>([
  [60_000, {}],
  [5_000, { sweepInterval: 5_000 }],
])("looks for work every %i ms when nobody is connected", async (interval, options) => {
  const clock = new FakeClock();
  await serve({ clock, ...options });
  await expect.poll(() => clock.nextWake).toBe(interval);
});

it("lets no page switch faults unless it is told to, nor when it is open to others", async () => {
  const ask = ({ url }: LocalServer) => fetch(`${url}/_gateway/faults`, { signal: AbortSignal.timeout(10_000) });
  const { server: closed } = await serve();
  expect((await ask(closed)).status).toBe(404);
  const { server: exposed } = await serve({ faultApi: true, host: "0.0.0.0" });
  expect((await ask(exposed)).status).toBe(404);
  const { server: open } = await serve({ faultApi: true });
  const events = await ask(open);
  expect(events.headers.get("content-type")).toBe("text/event-stream");
});

it("tells another process where it is only when that may use the table, and not when it is open to others", async () => {
  expect((await serve()).server.environment).toEqual({});
  expect((await serve({ tableApi: true, host: "0.0.0.0" })).server.environment).toEqual({});
  const { server } = await serve({ tableApi: true });
  expect(server.environment).toEqual({
    SIGNALR_TABLE: server.table.name,
    SIGNALR_CALLBACK_URL: server.callbackUrl,
    SIGNALR_URL: server.url,
    SIGNALR_TOKEN_SECRET: expect.stringMatching(/^[0-9a-f]{64}$/),
    AWS_ENDPOINT_URL_DYNAMODB: `${server.url}/_gateway/dynamodb`,
    AWS_REGION: "local",
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
  });
});

it("passes on where another engine is, if it uses one", async () => {
  const clock = new FakeClock();
  const { server: engine } = await serve({ tableApi: true, clock });
  for (const [name, value] of Object.entries(engine.environment)) vi.stubEnv(name, value);
  cleanUp.push(async () => vi.unstubAllEnvs());
  const { server } = await serve({ tableApi: true, clock });
  expect(await (await connect(server)).invoke("join", "room")).toBeNull();
  expect(await rows(engine)).toContain("G#chat#room");
  expect(server.environment).toEqual({
    SIGNALR_TABLE: server.table.name,
    SIGNALR_CALLBACK_URL: server.callbackUrl,
    SIGNALR_URL: server.url,
    SIGNALR_TOKEN_SECRET: expect.stringMatching(/^[0-9a-f]{64}$/),
    AWS_ENDPOINT_URL_DYNAMODB: `${engine.url}/_gateway/dynamodb`,
  });
});

it("gives the data directory back when it cannot start", async () => {
  const dataDir = await newDirectory();
  const { server: other } = await serve();
  const service = defineService({ hubs: { chat: defineHub()({ methods: {} }) } });

  await expect(startLocalServer({} as typeof service, { dataDir })).rejects.toThrow("export default defineService");
  await expect(startLocalServer(service, { dataDir, pages: "/nope" })).rejects.toThrow("/nope");
  const port = Number(new URL(other.url).port);
  await expect(startLocalServer(service, { dataDir, port })).rejects.toMatchObject({ code: "port_in_use" });

  await serve({ dataDir });
});

/** Moves time on, tick by tick of the sweeper, until `event` has happened. */
async function advanceUntil(clock: FakeClock, event: Promise<void>): Promise<void> {
  let happened = false;
  void event.then(() => {
    happened = true;
  });
  while (!happened) {
    if (clock.nextWake <= SWEEPER_TICK) await clock.advance(clock.nextWake);
    else await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Looks until the ending has deleted its last row, the transport's: only tombstones are left then. */
async function untilEnded(server: LocalServer): Promise<void> {
  while ((await rows(server)).some((pk) => pk.startsWith("T#"))) await new Promise((resolve) => setImmediate(resolve));
}
