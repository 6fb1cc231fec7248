// A second DynamoDB engine: Rust over SQLite, one binary that speaks HTTP.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

/** Undefined where the package is not installed, or is not for this machine. */
export function resolveDynoxide(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("@dynoxide/linux-x64/package.json")), "dynoxide");
  } catch {
    // Not installed: the caller skips.
    return undefined;
  }
}

export async function startDynoxide(binary: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const port = await freePort();
  const engine = spawn(binary, ["serve", "--port", String(port)], { stdio: ["ignore", "pipe", "pipe"] });
  await listening(engine);
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const exited = once(engine, "exit");
      engine.kill();
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** It says so on its standard error once it listens. */
async function listening(engine: ChildProcess): Promise<void> {
  if (engine.stderr === null) throw new TypeError("The engine's standard error must be a pipe.");
  for await (const line of createInterface({ input: engine.stderr })) {
    if (line.includes("listening")) return void engine.stderr.resume();
  }
  throw new Error("The engine ended before it listened.");
}
