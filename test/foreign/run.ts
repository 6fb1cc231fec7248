// Clients in other languages against the local server: `node --import tsx test/foreign/run.ts [java python go]`.
// Runs those whose toolchain is there. What it fetches, it keeps in a folder of the system's temporary ones; the last
// line is "N passed, N failed".

import assert from "node:assert/strict";
import { type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startLocalServer } from "signalr-lambda/local";
import { type Line, recordingLog } from "../recording-log.ts";
import { check, count, summarize } from "../tally.ts";
import { foreignService } from "./service.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const KEPT = join(tmpdir(), "signalr-lambda-foreign");
/** Of one command. Milliseconds. */
const PATIENCE = 300_000;

interface Client {
  readonly name: string;
  /** Each has to be there, and answers this. */
  readonly tools: readonly (readonly [command: string, argument: string])[];
  /** Fetches what the client needs. */
  prepare(): Promise<void>;
  /** The command that runs its checks. */
  command(url: string): readonly [command: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
}

const jars = join(KEPT, "jars");
const venv = join(KEPT, "venv");
const go = { GOMODCACHE: join(KEPT, "go-mod"), GOCACHE: join(KEPT, "go-build"), GOFLAGS: "-modcacherw -mod=readonly" };

const CLIENTS: readonly Client[] = [
  {
    name: "java",
    tools: [
      ["java", "-version"],
      ["mvn", "-version"],
    ],
    async prepare() {
      const args = ["-q", "-B", "-f", "java/pom.xml", `-Dmaven.repo.local=${join(KEPT, "m2")}`];
      const copy = [...args, "dependency:copy-dependencies", `-DoutputDirectory=${jars}`];
      const isOffline = await succeed("mvn", ["-o", ...copy], { stdio: "ignore" }).then(
        () => true,
        () => false,
      );
      if (!isOffline) await succeed("mvn", copy);
    },
    command: (url) => ["java", "-cp", join(jars, "*"), "java/Checks.java", url],
  },
  {
    name: "python",
    tools: [["python3", "--version"]],
    async prepare() {
      if (!existsSync(join(venv, "bin/python"))) await succeed("python3", ["-m", "venv", venv]);
      await succeed(join(venv, "bin/pip"), ["install", "-q", "-r", "python/requirements.txt"]);
    },
    command: (url) => [join(venv, "bin/python"), "python/checks.py", url],
  },
  {
    name: "go",
    tools: [["go", "version"]],
    prepare: () => succeed("go", ["build", "-C", "go", "-o", join(KEPT, "checks"), "."], { env: go }),
    command: (url) => [join(KEPT, "checks"), url],
    env: go,
  },
];

/** What the server is made to warn of, by the checks. Whatever else it warns of is a failure. */
const EXPECTED: readonly ((line: Line) => boolean)[] = [
  ({ message, method }) => message === "A hub method failed." && method === "failSecretly",
  ({ code }) => code === 1003,
];

mkdirSync(KEPT, { recursive: true });
const wanted = process.argv.slice(2);
const prepared = CLIENTS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
  .filter(isThere)
  // All at once: some fetch while others compile or are run.
  .map((client) => ({ client, ready: client.prepare().then(() => undefined, String) }));
for (const { client, ready } of prepared) await run(client, await ready);
summarize();

function isThere({ name, tools }: Client): boolean {
  const missing = tools.find(([command, argument]) => spawnSync(command, [argument]).status !== 0);
  if (missing !== undefined) console.log(`skipped: ${name}, because there is no ${missing[0]} here`);
  return missing === undefined;
}

/** @param problem why it could not be prepared */
async function run(client: Client, problem: string | undefined): Promise<void> {
  console.log(`-- ${client.name}`);
  const lines: Line[] = [];
  const userAgents = new Set<string>();
  const server = await startLocalServer(
    foreignService((userAgent) => userAgents.add(userAgent)),
    { log: recordingLog(lines) },
  );
  try {
    assert.equal(problem, undefined);
    const [command, ...args] = client.command(server.url);
    countLast(await lastLine(command, args, client.env));
    await check("the server has nothing else to complain of", async () => {
      const complaints = lines.filter(({ level }) => level === "warn" || level === "error");
      assert.deepEqual(
        complaints.filter((line) => !EXPECTED.some((expects) => expects(line))),
        [],
      );
    });
    if (client.name === "java") await checkJava(server.url, userAgents, lines);
  } catch (error) {
    await check(client.name, () => Promise.reject(error));
  } finally {
    await server.close();
  }
}

async function checkJava(url: string, userAgents: ReadonlySet<string>, lines: readonly Line[]): Promise<void> {
  await check("negotiate offers long polling alone to whoever says what the Java client said", async () => {
    assert.equal(userAgents.size, 1);
    const [userAgent = ""] = userAgents;
    assert.match(userAgent, /^Microsoft SignalR\/.*; Java;/);
    assert.deepEqual(await offered(url, userAgent), ["LongPolling"]);
    assert.deepEqual(await offered(url, "curl/8"), ["WebSockets", "ServerSentEvents", "LongPolling"]);
  });
  await check("the server says that a frame was binary, and which socket it closed over it", async () => {
    const refusals = lines.filter(({ code }) => code === 1003);
    assert.ok(refusals.length > 0);
    for (const { message, transportId } of refusals) assert.ok(/binary/.test(message) && transportId !== undefined);
  });
}

async function offered(url: string, userAgent: string): Promise<readonly string[]> {
  const init = { method: "POST", headers: { "User-Agent": userAgent } };
  const answer = await (await fetch(`${url}/foreign/negotiate?negotiateVersion=1`, init)).json();
  const { availableTransports } = answer as { availableTransports: readonly { readonly transport: string }[] };
  return availableTransports.map(({ transport }) => transport);
}

/** Adds what a client's last line says. */
function countLast(line: string): void {
  const [, ...counts] = /^(\d+) passed, (\d+) failed$/.exec(line) ?? [];
  assert.ok(counts.length === 2, `The last line is "${line}".`);
  count({ passed: Number(counts[0]), failed: Number(counts[1]) });
}

/** Shows what a command prints but its last line, which is the answer. */
async function lastLine(command: string, args: readonly string[], env: Client["env"] = {}): Promise<string> {
  const child = start(command, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let last: string | undefined;
  const ended = once(child, "close");
  for await (const line of createInterface(child.stdout ?? assert.fail())) {
    if (last !== undefined) console.log(last);
    last = line;
  }
  await ended;
  return last ?? "";
}

async function succeed(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<void> {
  const child = start(command, args, { stdio: ["ignore", "inherit", "inherit"], ...options });
  const [code] = await once(child, "close");
  assert.equal(code, 0, `\`${command} ${args.join(" ")}\` ended with ${code}.`);
}

function start(command: string, args: readonly string[], options: SpawnOptions) {
  const env = { ...process.env, ...options.env };
  return spawn(command, args, { cwd: HERE, timeout: PATIENCE, ...options, env });
}
