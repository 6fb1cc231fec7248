// What the documents show, compiled; and the README's service, with its client.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { SignJWT } from "jose";
import type { Service } from "signalr-lambda";
import { startLocalServer } from "signalr-lambda/local";
import { expect, it, onTestFinished, vi } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

/** The blocks of TypeScript in a document, as files of a directory. */
async function extract(document: string): Promise<{ readonly directory: string; readonly count: number }> {
  // Inside the repository, so that the blocks find the packages they import.
  await mkdir(join(ROOT, "node_modules/.cache"), { recursive: true });
  const directory = await mkdtemp(join(ROOT, "node_modules/.cache/readme-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const text = await readFile(join(ROOT, document), "utf8");
  const blocks = [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code = ""]) => code);
  // The block with a name is the file of that name, which others import.
  await Promise.all(
    blocks.map((code, index) =>
      writeFile(join(directory, /^\/\/ (\S+\.ts)$/m.exec(code)?.[1] ?? `block-${index}.ts`), code),
    ),
  );
  return { directory, count: blocks.length };
}

it.each([
  ["README.md", []],
  ["docs/lifetime.md", ["dom"]],
  ["docs/client.md", []],
  ["docs/connections.md", ["dom"]],
  ["docs/hubs.md", []],
  ["docs/negotiate.md", []],
])("compiles every block of %s", async (document, libraries) => {
  const { directory, count } = await extract(document);
  expect(count).toBeGreaterThan(0);
  const config = {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: { noUnusedLocals: false, paths: {}, lib: ["es2023", "esnext.disposable", ...libraries] },
    include: ["*.ts"],
  };
  await writeFile(join(directory, "tsconfig.json"), JSON.stringify(config));
  const tsc = run(join(ROOT, "node_modules/.bin/tsc"), ["-p", directory]).catch(({ stdout }) => ({ stdout }));
  expect((await tsc).stdout).toBe("");
});

it("shows a service that does what it says", async () => {
  const { directory } = await extract("README.md");
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

it("shows lifetime events in their order", async () => {
  const { directory } = await extract("docs/lifetime.md");
  const { default: service } = (await import(join(directory, "realtime.ts"))) as { default: Service };
  const server = await startLocalServer(service);
  const build = () => new HubConnectionBuilder().withUrl(`${server.url}/chat`).configureLogging(LogLevel.None).build();
  const [watcher, other] = [build(), build()];
  const came = new Promise((resolve) => watcher.on("came", resolve));
  const left = new Promise((resolve) => watcher.on("left", (...args) => resolve(args)));
  await watcher.start();
  await other.start();
  const id = other.connectionId;
  expect(await came).toBe(id);
  await other.stop();
  expect(await left).toEqual([id, true]);
  await watcher.stop();
  await server.close();
});

it("shows policies and filters that do what it says", async () => {
  const { directory } = await extract("docs/hubs.md");
  const load = async (name: string) => ((await import(join(directory, name))) as { default: Service }).default;
  const servers = await Promise.all(
    ["policies.ts", "filters.ts"].map(async (name) => startLocalServer(await load(name))),
  );
  const [policies, filters] = servers.map(({ url }) => url);
  const secret = new TextEncoder().encode("a secret of 32 characters, for this page");
  const accessTokenFactory = () =>
    new SignJWT({ employee_id: "7", role: "Moderator" })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1m")
      .sign(secret);
  const build = (url: string, options = {}) =>
    new HubConnectionBuilder().withUrl(url, options).configureLogging(LogLevel.None).build();
  const rooms = build(`${policies}/rooms`, { accessTokenFactory });
  const announced = new Promise((resolve) => rooms.on("announced", resolve));
  await expect(build(`${policies}/rooms`).start()).rejects.toThrow("Status code '401'");
  await rooms.start();
  await rooms.invoke("announce", "Hello");
  expect(await announced).toBe("Hello");
  const refused = "Failed to invoke 'export' because user is unauthorized";
  await expect(rooms.invoke("export")).rejects.toThrow(new Error(refused));
  const chat = build(`${filters}/chat`);
  await chat.start();
  expect(await chat.invoke("echo", "  trimmed ")).toBe("trimmed");
  await Promise.all([rooms.stop(), chat.stop()]);
  await Promise.all(servers.map((server) => server.close()));
});

it("shows an API that says who its clients are, and sends them on", async () => {
  const { directory } = await extract("docs/negotiate.md");
  const { default: service } = (await import(join(directory, "realtime.ts"))) as { default: Service };
  const server = await startLocalServer(service, { tableApi: true });
  for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { POST } = (await import(join(directory, "api.ts"))) as { POST(request: Request): Promise<Response> };
  const api = createServer(async ({ url, method = "GET", headers: { cookie = "" } }, response) => {
    const answer = await POST(new Request(`http://localhost${url}`, { method, headers: { cookie } }));
    response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
  });
  await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
  const build = (headers = {}) =>
    new HubConnectionBuilder()
      .withUrl(`http://localhost:${(api.address() as AddressInfo).port}/chat`, { headers })
      .configureLogging(LogLevel.None)
      .build();
  const connection = build({ cookie: "user=Ada" });
  await connection.start();
  expect(await connection.invoke("whoAmI")).toEqual(["ada", "Ada"]);
  await expect(build().start()).rejects.toThrow("Unauthorized: Status code '401'");
  await connection.stop();
  api.closeAllConnections();
  api.close();
  await server.close();
});
