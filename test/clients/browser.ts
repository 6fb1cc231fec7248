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
  /** At once, so that clients are told nothing. */
  kill(): void;
  /** On the same port. */
  restart(): Promise<void>;
}

/** Runs what `npm start` runs, from the built package, on a port of its own. */
export async function startServer(): Promise<Server> {
  let { child, url } = await spawnServer("0");
  return {
    url,
    kill: () => void child.kill("SIGKILL"),
    async restart() {
      ({ child } = await spawnServer(new URL(url).port));
    },
  };
}

/** Started when its first line says where it listens. */
async function spawnServer(port: string): Promise<{ child: ChildProcess; url: string }> {
  const { scripts } = JSON.parse(await readFile(`${ROOT}package.json`, "utf8")) as { scripts: { start: string } };
  const args = scripts.start.replace(/^node | --run "[^"]*"/g, "").replace(/--port \d+$/, `--port ${port}`);
  const child = spawn(process.execPath, args.split(" "), { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), "line"),
    once(child, "exit").then(([code]) => assert.fail(`The server ended with exit code ${code}.`)),
    sleep(30_000, undefined, { ref: false }).then(() => assert.fail("The server said nothing for 30 seconds.")),
  ])) as [string];
  const url = /http:\/\/\S+/.exec(line)?.[0];
  assert.ok(url !== undefined, `The server's first line has no URL: ${line}`);
  return { child, url };
}
