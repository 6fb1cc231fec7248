// The orders example in a real browser: `node --import tsx test/clients/orders-page.browser.ts`. Shop and courier run in
// a second process, as under `npm start`. Needs /usr/bin/chromium.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { chromium, type Page } from "playwright-core";
import { startLocalServer } from "signalr-lambda/local";
import service from "../../examples/orders/realtime.ts";
import { check, summarize } from "../tally.ts";
import { CHROMIUM } from "./browser.ts";

const file = (path: string) => new URL(`../../examples/orders/${path}`, import.meta.url).pathname;

const server = await startLocalServer(service, { tableApi: true, pages: { orders: file("page") } });
const browser = await chromium.launch(CHROMIUM);
const page = await browser.newPage({ viewport: { width: 360, height: 640 } });
page.setDefaultTimeout(15_000);
await check("connects", async () => {
  await page.goto(`${server.url}/orders/`);
  await page
    .getByRole("status")
    .filter({ hasText: /^connected$/ })
    .waitFor();
});
const beside = spawn(process.execPath, ["--import", "tsx", file("local.ts")], {
  env: { ...process.env, ...server.environment, PORT: "0" },
  stdio: ["ignore", "pipe", "inherit"],
});
const [line] = (await once(createInterface(beside.stdout), "line")) as [string];
const place = async (customer: string, item: string) => {
  const headers = { "content-type": "application/json" };
  const url = line.replace(/^.* /, "");
  assert.equal((await fetch(url, { method: "POST", headers, body: JSON.stringify({ customer, item }) })).status, 201);
};
try {
  await check("hears that the courier left", () => sees(page, "The courier left at"));
  await check("hears of the orders of the customer that it follows, and of no other", async () => {
    await page.getByRole("button", { name: "Follow" }).click();
    await sees(page, "Following ada.");
    await place("bob", "milk");
    await place("ada", "tea <b>hot</b>");
    await sees(page, "ada: tea <b>hot</b>");
    assert.equal(await page.getByText("bob: milk").count(), 0);
  });
  await check("goes on when its socket is cut", async () => {
    for (const { id } of server.transports()) server.faults.cut(id);
    await place("ada", "sugar");
    await sees(page, "ada: sugar");
  });
  await check("fits a phone", async () => {
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"));
  });
} finally {
  beside.kill();
  await browser.close();
  await server.close();
}
summarize();

async function sees(where: Page, text: string): Promise<void> {
  await where.getByRole("log").getByText(text).waitFor();
}
