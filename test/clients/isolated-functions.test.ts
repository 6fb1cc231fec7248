// `signalr-lambda dev --isolate`: every function in threads of its own, one event at a time, as on Lambda. The built
// package, stock clients.

import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HubConnection, HubConnectionBuilder, NullLogger } from "@microsoft/signalr";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type RunningCli, runCli } from "../running-cli.ts";
import { calls, closing } from "./running-service.ts";

const SERVICE = new URL("services/isolated.ts", import.meta.url);
const KEY = "resume=0123456789abcdef0123456789abcdef";

let directory: string;
let file: string;
let server: RunningCli;
let url: string;
const connections: HubConnection[] = [];

async function open(): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), "signalr-lambda-"));
  file = join(directory, "realtime.ts");
  await writeFile(file, await readFile(SERVICE));
  await start("0");
}

async function stopClients(): Promise<void> {
  await Promise.all(connections.splice(0).map((connection) => connection.stop()));
}

async function close(): Promise<void> {
  await server.end();
  await rm(directory, { recursive: true });
}

async function start(port: string): Promise<void> {
  server = runCli(["dev", file, "--isolate", "--port", port, "--data-dir", join(directory, "data")]);
  url = await server.line();
}

async function connect(query = ""): Promise<HubConnection> {
  const builder = new HubConnectionBuilder().withUrl(`${url}/chat?${query}`).configureLogging(NullLogger.instance);
  if (query !== "") builder.withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 50 });
  const connection = builder.build();
  connections.push(connection);
  await connection.start();
  return connection;
}

/** A client that is told how others end. */
async function watcher() {
  const connection = await connect();
  const told = calls(connection, "told");
  await connection.invoke("join", "watchers");
  return { connection, told };
}

/** Clients of the test before may still be going. */
async function hears(told: { next(): Promise<unknown> }, text: string): Promise<void> {
  while (JSON.stringify(await told.next()) !== JSON.stringify([text]));
}

describe("a server", () => {
  beforeAll(open);
  afterEach(stopClients);
  afterAll(close);

  it.each([
    ["polls", { "x-requested-with": "XMLHttpRequest" }],
    ["event streams", { accept: "text/event-stream" }],
  ])("answers %s from their threads", async (_what, headers) => {
    const response = await fetch(`${url}/chat?id=none`, { headers });
    expect([response.status, await response.text()]).toEqual([404, "No Connection with that ID"]);
  });

  it("lets clients talk in groups, keep items, read errors and leave", async () => {
    const { told } = await watcher();
    const [ada, bob] = [await connect(), await connect()];
    const [adas, bobs] = [calls(ada, "told"), calls(bob, "told")];
    for (const connection of [ada, bob]) await connection.invoke("join", "red");
    await ada.invoke("tell", "red", "hello");
    expect(await adas.next()).toEqual(["hello"]);
    expect(await bobs.next()).toEqual(["hello"]);
    await bob.invoke("keep", "green");
    expect(await bob.invoke("kept")).toBe("green");
    expect(await ada.invoke("kept")).toBe(null);
    await expect(ada.invoke("refuse")).rejects.toThrow("No.");
    await bob.stop();
    await hears(told, "gone true undefined green");
  });

  it("closes a connection that a method aborts", async () => {
    const { told } = await watcher();
    const connection = await connect();
    const closed = closing(connection);
    await connection.invoke("abort").catch(() => undefined);
    await closed;
    await hears(told, "gone false aborted undefined");
  });

  it("shares no variables between functions", async () => {
    const connection = await connect();
    expect(await connection.invoke("admitted")).toBe(0);
    const [admitting, running] = await connection.invoke<readonly number[]>("threads");
    expect(admitting).toBeGreaterThan(0);
    expect(running).toBeGreaterThan(0);
    expect(admitting).not.toBe(running);
  });

  it("gives events that come at once an instance each: one that blocks its thread holds nobody up", async () => {
    const release = join(directory, "release");
    const holders = [await connect(), await connect()];
    const answers = holders.map((connection) => connection.invoke<readonly unknown[]>("hold", release));
    await Promise.all(holders.map((connection) => calls(connection, "told").next()));
    expect(await (await connect()).invoke("version")).toBe("first");
    await writeFile(release, "");
    const threads = (await Promise.all(answers)).map(([, thread]) => thread);
    expect(new Set(threads).size).toBe(2);
  });

  it("goes on after a promise that was left rejected, and logs its error with the line of the file", async () => {
    const connection = await connect();
    await connection.invoke("forget");
    const errors = await server.errorText(/nobody waited.*\n/);
    const [line] = errors.split("\n").filter((text) => text.includes("nobody waited"));
    expect(JSON.parse(line ?? "")).toMatchObject({
      level: "error",
      error: { name: "TypeError", message: "nobody waited", stack: expect.stringContaining("realtime.ts") },
    });
    expect(await connection.invoke("version")).toBe("first");
  });
});

describe("a server that is changed, or harmed", () => {
  beforeEach(open);
  afterEach(async () => {
    await stopClients();
    await close();
  });

  it("serves a new version after a reload, and lets the old one finish what it has", async () => {
    const release = join(directory, "release");
    const holder = await connect();
    const held = holder.invoke<readonly unknown[]>("hold", release);
    await calls(holder, "told").next();
    const connection = await connect();
    await connection.invoke("join", "red");

    await writeFile(file, (await readFile(SERVICE, "utf8")).replace('"first"', '"second"'));
    await server.line(/^Reloaded/);

    expect(await connection.invoke("version")).toBe("second");
    expect(await connection.invoke("groups")).toEqual(["red"]);
    await writeFile(release, "");
    expect((await held)[0]).toBe("first");
    expect(await holder.invoke("version")).toBe("second");
  });

  it.each([
    ["ends its process", "exit", /"function":"message".*exit code 3/],
    ["throws an error that nobody catches", "throwLater", /"function":"message".*thrown later/],
  ])("survives a method that %s: its connection is lost, as on Lambda", async (_title, method, logged) => {
    const other = await connect();
    const connection = await connect();
    const closed = closing(connection);
    await expect(connection.invoke(method)).rejects.toThrow();
    // API Gateway's own JSON, with which no SignalR client can go on.
    expect((await closed)?.message).toContain("Message is incomplete");
    expect(await server.errorText(logged)).toMatch(logged);
    expect(await other.invoke("version")).toBe("first");
    expect(await (await connect()).invoke("version")).toBe("first");
  });

  it("lets a client with a resume key come back when the server is started again", async () => {
    const connection = await connect(KEY);
    const { connectionId } = connection;
    const told = calls(connection, "told");
    await connection.invoke("join", "red");
    await connection.invoke("keep", "green");
    const back = new Promise((resolve) => connection.onreconnected(resolve));
    // Not killed: no function dies with the turn.
    await server.end();
    await start(new URL(url).port);
    expect(await back).toBe(connectionId);
    expect(await told.next()).toEqual(["reconnected"]);
    expect(await connection.invoke("groups")).toEqual(["red"]);
    expect(await connection.invoke("kept")).toBe("green");
  });

  it("ends at once when it is told to, with connections open", async () => {
    await connect();
    const exit = once(server.child, "exit");
    server.child.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
  });
});
