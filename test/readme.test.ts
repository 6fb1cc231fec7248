// What the README and the page about clients show, compiled; and the README's service, with its client.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import type { Service } from "signalr-lambda";
import { startLocalServer } from "signalr-lambda/local";
import { afterAll, beforeAll, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

let directory: string;
let blocks: readonly string[];

beforeAll(async () => {
  // Inside the repository, so that the blocks find the packages they import.
  await mkdir(join(ROOT, "node_modules/.cache"), { recursive: true });
  directory = await mkdtemp(join(ROOT, "node_modules/.cache/readme-"));
  const pages = await Promise.all(["README.md", "docs/client.md"].map((page) => readFile(join(ROOT, page), "utf8")));
  blocks = [...pages.join("").matchAll(/```ts\n(.*?)```/gs)].map(([, code = ""]) => code);
  // The block with a name is the file of that name, which others import.
  await Promise.all(
    blocks.map((code, index) =>
      writeFile(join(directory, /^\/\/ (\S+\.ts)$/m.exec(code)?.[1] ?? `block-${index}.ts`), code),
    ),
  );
});

afterAll(() => rm(directory, { recursive: true }));

it("compiles every block", async () => {
  expect(blocks.length).toBeGreaterThan(5);
  const config = {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: { noUnusedLocals: false, paths: {} },
    include: ["*.ts"],
  };
  await writeFile(join(directory, "tsconfig.json"), JSON.stringify(config));
  const tsc = run(join(ROOT, "node_modules/.bin/tsc"), ["-p", directory]).catch(({ stdout }) => ({ stdout }));
  expect((await tsc).stdout).toBe("");
});

it("shows a service that does what it says", async () => {
  const { default: service } = (await import(join(directory, "realtime.ts"))) as { default: Service };
  const server = await startLocalServer(service);
  const connection = new HubConnectionBuilder().withUrl(`${server.url}/chat`).configureLogging(LogLevel.None).build();
  const received = new Promise((resolve) => connection.on("receiveMessage", (...args) => resolve(args)));
  await connection.start();
  await expect(connection.invoke("sendMessage", "lobby", "Hello")).rejects.toThrow("Join the room first.");
  await connection.invoke("joinRoom", "lobby");
  await connection.invoke("sendMessage", "lobby", "Hello");
  expect(await received).toEqual(["anonymous", "Hello"]);
  expect(await connection.invoke("shout", "hello")).toBe("HELLO");
  await connection.stop();
  await server.close();
});
