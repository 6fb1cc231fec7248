// Every transport in a real browser, from a page of another origin: `node --import tsx test/clients/transports.browser.ts`.
// Needs /usr/bin/chromium.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium, type Page } from "playwright-core";
import { defineHub, defineService } from "../../lambdas/index.ts";
import { startLocalServer } from "../../lambdas/local-server.ts";
import { check, summarize } from "../tally.ts";
import { CHROMIUM } from "./browser.ts";

const PACKAGES = new URL("../../node_modules/@microsoft/", import.meta.url);

/** What a page, or a worker, does with a connection: from start to stop. Returns the name of its transport. */
const SCRIPT = `
  async function use(url, options, isBinary) {
    const builder = new signalR.HubConnectionBuilder().withUrl(url, options).configureLogging(signalR.LogLevel.None);
    if (isBinary) builder.withHubProtocol(new signalR.protocols.msgpack.MessagePackHubProtocol());
    const connection = builder.build();
    const told = new Promise((resolve) => connection.on("told", resolve));
    await connection.start();
    const id = connection.connectionId;
    const { transport } = connection.connection;
    const echoed = await connection.invoke("echo", "hällo");
    await connection.invoke("tellAll", "all");
    const heard = await told;
    await connection.stop();
    return { id, echoed, heard, transport: transport.constructor.name.replace(/Transport$/, "") };
  }
`;
const WORKER = `importScripts("/signalr.js"); ${SCRIPT}
  onmessage = ({ data: [url, options] }) =>
    use(url, options).then(postMessage, (error) => postMessage({ error: error.message }));`;

interface Used {
  readonly id: string;
  readonly echoed: string;
  readonly heard: string;
  readonly transport: string;
}

const files: Readonly<Record<string, () => Promise<string> | string>> = {
  "/": () =>
    "<!doctype html><title>Page</title><script src=/signalr.js></script><script src=/msgpack.js></script><script src=/use.js></script>",
  "/signalr.js": () => readFile(new URL("signalr/dist/webworker/signalr.js", PACKAGES), "utf8"),
  "/msgpack.js": () =>
    readFile(new URL("signalr-protocol-msgpack/dist/browser/signalr-protocol-msgpack.min.js", PACKAGES), "utf8"),
  "/use.js": () => SCRIPT,
  "/worker.js": () => WORKER,
};

/** A site of its own: another port is another origin. */
async function openSite(): Promise<{ readonly origin: string; close(): void }> {
  const site = createServer(async ({ url = "" }, response) => {
    const file = files[url];
    const type = url === "/" ? "text/html" : "text/javascript";
    response.writeHead(file === undefined ? 404 : 200, { "content-type": `${type}; charset=utf-8` });
    response.end(await file?.());
  });
  await once(site.listen(0, "localhost"), "listening");
  const { port } = site.address() as AddressInfo;
  return {
    origin: `http://localhost:${port}`,
    close() {
      site.close();
      site.closeAllConnections();
    },
  };
}

const ended: string[] = [];
const chat = defineHub<{ told(text: string): void }>()({
  methods: {
    echo: (_hub, text: string) => text,
    tellAll: (hub, text: string) => hub.clients.all.told(text),
  },
  onDisconnected: (hub, { stopCalled }) => void (stopCalled && ended.push(hub.connectionId)),
});
const [listed, other] = [await openSite(), await openSite()];
const service = defineService({ hubs: { chat }, allowedOrigins: [listed.origin] });
const nothing = (): void => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: console.error, with: () => log };
const server = await startLocalServer(service, { log });
const browser = await chromium.launch(CHROMIUM);
const url = `${server.url}/chat`;
try {
  const complaints: string[] = [];
  const page = await openPage(browser, listed.origin, complaints);
  for (const [bit, transport] of [
    [1, "WebSocket"],
    [2, "ServerSentEvents"],
    [4, "LongPolling"],
  ] as const) {
    await check(`${transport} from a page of another origin`, () => isUsed(use(page, { transport: bit }), transport));
    await check(`${transport} in a web worker`, () => isUsed(useInWorker(page, { transport: bit }), transport));
  }
  await check("MessagePack polls", () => isUsed(use(page, {}, true), "LongPolling"));
  await check("takes sockets when nothing else is said", () => isUsed(use(page, {}), "WebSocket"));
  await check("goes over to an event stream when no sockets pass", async () => {
    server.faults.blockSockets(60_000);
    await isUsed(use(page, {}), "ServerSentEvents");
    await isUsed(useInWorker(page, {}), "ServerSentEvents");
    server.faults.reset();
  });
  await check("no origin was in the way", async () => {
    assert.deepEqual(
      complaints.filter((text) => /CORS|Access-Control|preflight/i.test(text)),
      [],
    );
  });
  await check("refuses a page of an origin that is not listed, by every transport", async () => {
    const foreign = await openPage(browser, other.origin, []);
    for (const transport of [1, 2, 4]) await assert.rejects(use(foreign, { transport }));
    await assert.rejects(use(foreign, { transport: 1, skipNegotiation: true }), /WebSocket failed to connect/);
  });
} finally {
  await browser.close();
  await server.close();
  for (const site of [listed, other]) site.close();
}
summarize();

async function openPage(from: Browser, origin: string, complaints: string[]): Promise<Page> {
  const page = await from.newPage();
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(origin);
  return page;
}

function use(page: Page, options: object, isBinary = false): Promise<Used> {
  return page.evaluate(`use(${JSON.stringify(url)}, ${JSON.stringify(options)}, ${isBinary})`) as Promise<Used>;
}

function useInWorker(page: Page, options: object): Promise<Used> {
  return page.evaluate(`new Promise((resolve) => {
    const worker = new Worker("/worker.js");
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage(${JSON.stringify([url, options])});
  })`) as Promise<Used>;
}

/** From start to stop, of which the hub knows. */
async function isUsed(using: Promise<Used>, transport: string): Promise<void> {
  const { id, ...used } = await using;
  assert.deepEqual(used, { echoed: "hällo", heard: "all", transport });
  for (const end = Date.now() + 5_000; !ended.includes(id); ) {
    assert.ok(Date.now() < end, "The hub has not heard that its client stopped.");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
