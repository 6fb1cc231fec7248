// What the tests of pages share: headless Chromium, the server that `npm start` runs, and a count of what passed.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** For `chromium.launch`. */
export const CHROMIUM = {
  executablePath: "/usr/bin/chromium",
  args: [
    ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  ],
};

export interface Server {
  readonly url: string;
  /** At once, so that clients are told nothing. What runs beside it stays. */
  kill(): void;
  /** As Ctrl+C does it. */
  end(): void;
  /** On the same port. */
  restart(): Promise<void>;
}

/** Runs what `npm start` runs, from the built package, on a port of its own; beside it only what has `beside` in it. */
export async function startServer(beside?: string): Promise<Server> {
  let { child, url } = await spawnServer("0", beside);
  return {
    url,
    kill: () => void child.kill("SIGKILL"),
    end: () => void child.kill("SIGTERM"),
    async restart() {
      ({ child } = await spawnServer(new URL(url).port, beside));
    },
  };
}

/** Started when its first line says where it listens. */
async function spawnServer(port: string, beside: string | undefined): Promise<{ child: ChildProcess; url: string }> {
  const { scripts } = JSON.parse(await readFile(`${ROOT}package.json`, "utf8")) as { scripts: { start: string } };
  const isWanted = (command: string) => beside !== undefined && command.includes(beside);
  const [, ...args] = scripts.start
    .replace(/ --run "([^"]*)"/g, (option, command) => (isWanted(command) ? option : ""))
    .replace(/--port \d+$/, `--port ${port}`)
    .match(/[^\s"]+|"[^"]*"/g) as string[];
  const unquoted = args.map((arg) => arg.replaceAll('"', ""));
  const child = spawn(process.execPath, unquoted, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), "line"),
    once(child, "exit").then(([code]) => assert.fail(`The server ended with exit code ${code}.`)),
    sleep(30_000, undefined, { ref: false }).then(() => assert.fail("The server said nothing for 30 seconds.")),
  ])) as [string];
  const url = /http:\/\/\S+/.exec(line)?.[0];
  assert.ok(url !== undefined, `The server's first line has no URL: ${line}`);
  return { child, url };
}
