// The local server is killed in the middle of its work and started again: a process that can do nothing about it, like
// a function on Lambda. The built package, stock clients, real time.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ScanCommand } from "@aws-sdk/client-dynamodb";
import { defineHub, defineService } from "signalr-lambda";
import { describe, expect, it, type TestContext } from "vitest";
import { openLocalDatabase } from "../../lambdas/local-database.ts";
import { type RunningCli, runCli } from "../running-cli.ts";
import { BusyClient } from "./busy-client.ts";
import { type RecordedEvent, RecordedEvents } from "./recorded-events.ts";
import { sweepAhead } from "./sweep-ahead.ts";

const SERVICE = fileURLToPath(new URL("services/recorded.ts", import.meta.url));
/** Milliseconds, as the service has them. */
const CLIENT_TIMEOUT = 8_000;
const DISCONNECT_TIMEOUT = 6_000;
/** The sweeper's: one tick finds a client silent, a later one that it stayed away. Milliseconds. */
const TICKS = 2 * 5_000;
/** What a machine with other work may be late by. Milliseconds. */
const SLACK = 10_000;

/** A server that can be killed, with a data directory and a file of events that outlive it. */
async function openServer({ onTestFinished }: Pick<TestContext, "onTestFinished">) {
  const directory = await mkdtemp(join(tmpdir(), "signalr-lambda-"));
  const dataDir = join(directory, "data");
  const file = join(directory, "events");
  const events = new RecordedEvents(file);
  const clients: BusyClient[] = [];
  const killed = new Set<number | undefined>();
  let running = run("0");
  const url = await running.line();

  function run(port: string): RunningCli {
    const env = { ...process.env, RECORDED_EVENTS: file };
    return runCli(["dev", SERVICE, "--port", port, "--data-dir", dataDir], { env });
  }

  onTestFinished(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await running.end();
    events.close();
    await rm(directory, { recursive: true });
  });

  return {
    events,
    /** The processes that were killed. */
    killed,
    /** A stock client in `group`. @param name makes its resume key; without one it has none, and does not come back. */
    client(group: string, name?: string, query = ""): BusyClient {
      const resume = name === undefined ? "" : `&resume=${name.padEnd(32, "0")}`;
      const client = new BusyClient(`${url}/chat?${query}${resume}`, group, name !== undefined);
      clients.push(client);
      return client;
    },
    async kill(): Promise<void> {
      killed.add(running.child.pid);
      await running.end("SIGKILL");
    },
    async startAgain(): Promise<void> {
      running = run(new URL(url).port);
      await running.line();
    },
    /** Ends the server as Ctrl+C does, and looks at what it leaves behind. */
    async rowsLeft(): Promise<readonly string[]> {
      await running.end();
      const { client, tableName: name, close } = await openLocalDatabase(dataDir);
      const disconnected: string[] = [];
      const chat = defineHub()({ methods: {}, onDisconnected: (hub) => void disconnected.push(hub.connectionId) });
      await sweepAhead(defineService({ hubs: { chat } }), { client, name }, Date.now());
      expect(disconnected).toEqual([]);
      const { Items = [] } = await client.send(new ScanCommand({ TableName: name }));
      await close();
      const isTombstone = ({ pk, sk, ended, expiresAt }: (typeof Items)[number]): boolean =>
        pk?.S?.startsWith("C#") === true && sk?.S === "C" && ended?.BOOL === true && expiresAt?.N !== undefined;
      return Items.filter((row) => !isTombstone(row)).map(({ pk, sk }) => `${pk?.S} ${sk?.S}`);
    },
  };
}

type Server = Awaited<ReturnType<typeof openServer>>;

/**
 * `connected reconnected* disconnected`, and a second `disconnected` only in place of one that was killed. One that is
 * redelivered may be the first that is seen: its winner was killed before it came to run.
 */
function expectOneLife(life: readonly RecordedEvent[], { killed }: Server): void {
  const lifetime = life.filter(({ event }) => event !== "held");
  expect(lifetime.map(({ event }) => event).join(" ")).toMatch(
    /^connected( reconnected)* disconnected( disconnected)?$/,
  );
  const [ended, again] = lifetime.filter(({ event }) => event === "disconnected");
  if (again === undefined) return;
  expect(ended?.redelivered).toBe(false);
  expect(killed).toContain(ended?.process);
  expect(again.redelivered).toBe(true);
  expect(killed).not.toContain(again.process);
}

async function untilAllEnded({ events }: Server): Promise<void> {
  const hasEnded = (id: string) => events.of(id).some(({ event }) => event === "disconnected");
  await events.until(() => events.all.every(({ connectionId }) => hasEnded(connectionId)));
}

describe.concurrent("a server that is killed and started again", () => {
  it("finds those who come back under load, and ends the others once", async (context) => {
    const server = await openServer(context);
    const { events } = server;
    const groups = ["red", "blue"] as const;
    const loyal = groups.flatMap((group) => [0, 1, 2].map((index) => server.client(group, `loyal-${group}-${index}`)));
    const strays = [server.client("red", "stray-red"), server.client("blue", "stray-blue"), server.client("blue")];
    const everybody = [...loyal, ...strays];
    await Promise.all(everybody.map((client) => client.start()));
    const returns = loyal.map((client) => client.back());

    const loads = everybody.map((client) => client.work());
    await Promise.all(everybody.map((client) => client.hasCounted(5)));
    // One is in the middle of a method for certain.
    const held = loyal[0] as BusyClient;
    void held.connection.invoke("hold").catch(() => undefined);
    await events.until(() => events.of(held.connectionId).some(({ event }) => event === "held"));
    await server.kill();
    await Promise.all([...loads, ...strays.map((stray) => stray.stop())]);
    await server.startAgain();
    const startedAt = Date.now();

    expect(await Promise.all(returns)).toEqual(loyal.map(({ connectionId }) => connectionId));
    await Promise.all(
      loyal.map(async (client, index) => {
        const { counted } = client;
        expect(await client.count()).toBeGreaterThan(counted);
        expect(await client.connection.invoke("groups")).toEqual([client.group]);
        await client.connection.invoke("tell", client.group, `from ${index}`);
        const members = loyal.filter(({ group }) => group === client.group);
        await Promise.all(members.map((member) => member.hears(`from ${index}`)));
      }),
    );

    const ends = (id: string) => events.of(id).filter(({ event }) => event === "disconnected");
    await events.until(() => strays.every(({ connectionId }) => ends(connectionId).length > 0));
    for (const { connectionId } of strays) {
      const [end] = ends(connectionId);
      expect(end?.stopCalled).toBe(false);
      expect((end?.at ?? 0) - startedAt).toBeLessThan(CLIENT_TIMEOUT + DISCONNECT_TIMEOUT + TICKS + SLACK);
    }
    await Promise.all(loyal.map((client) => client.stop()));
    await untilAllEnded(server);

    expect(await server.rowsLeft()).toEqual(["SWEEP SWEEP"]);
    for (const { connectionId } of everybody) expectOneLife(events.of(connectionId), server);
    for (const { connectionId } of loyal) {
      const names = events.of(connectionId).map(({ event }) => event);
      expect(names.filter((name) => name !== "held")).toEqual(["connected", "reconnected", "disconnected"]);
    }
  });

  it("finishes what it was killed over: a connect, an ending", async (context) => {
    const server = await openServer(context);
    const { events } = server;
    const leaver = await server.client("red", "leaver").start();
    await leaver.connection.invoke("dieLeaving");
    const starter = server.client("red", undefined, "dieConnecting=");
    const [leaving, starting] = [leaver.stop(), starter.connection.start()];
    const isLeaver = ({ connectionId }: RecordedEvent): boolean => connectionId === leaver.connectionId;
    await events.until(
      () =>
        events.all.some((event) => isLeaver(event) && event.event === "disconnected") &&
        events.all.some((event) => !isLeaver(event) && event.event === "connected"),
    );
    await server.kill();
    await Promise.all([leaving, starting]);
    await server.startAgain();
    await events.until(() => events.all.filter(({ event }) => event === "disconnected").length === 3);

    expect(events.all.filter(isLeaver)).toMatchObject([
      { event: "connected" },
      { event: "disconnected", redelivered: false, stopCalled: true },
      { event: "disconnected", redelivered: true, stopCalled: true },
    ]);
    expect(events.all.filter((event) => !isLeaver(event))).toMatchObject([
      { event: "connected" },
      { event: "disconnected", redelivered: false, stopCalled: false, code: "function_died" },
    ]);
    expect(await server.rowsLeft()).toEqual(["SWEEP SWEEP"]);
  });
});
