// The chat example in a real browser: `node --import tsx test/clients/chat-page.browser.ts [url]`.
// Starts what `npm start` runs itself, unless it is given the URL of one that runs. Needs /usr/bin/chromium.

import assert from "node:assert/strict";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { check, summarize } from "../tally.ts";
import { CHROMIUM, type Server, startServer } from "./browser.ts";

/** Automatic reconnect waits 0, 2, 10 and 30 seconds, then the page goes on by itself. Milliseconds. */
const PATIENCE = 60_000;

const given = process.argv[2];
const server = given === undefined ? await startServer() : undefined;
const url = given ?? server?.url ?? "";
const browser = await chromium.launch(CHROMIUM);
try {
  const context = await browser.newContext({ viewport: { width: 360, height: 640 } });
  context.setDefaultTimeout(15_000);
  await chat(context);
} finally {
  await browser.close();
  server?.kill();
}
summarize();

async function chat(context: BrowserContext): Promise<void> {
  const thrown: string[] = [];
  context.on("weberror", (error) => thrown.push(error.error().message));

  const ada = await context.newPage();
  await check("shows that it is connected", async () => {
    await ada.goto(url);
    await state(ada, "connected");
  });
  await check("joins a room", async () => {
    await join(ada, "Ada", "lobby");
    await sees(ada, "Ada joined");
  });

  const bob = await context.newPage();
  await check("shows who joined", async () => {
    await bob.goto(url);
    await join(bob, "Bob", "lobby");
    await sees(ada, "Bob joined");
    await sees(bob, "Bob joined");
  });
  await check("carries messages both ways, with names", async () => {
    await say(ada, "hello Bob");
    for (const page of [ada, bob]) await sees(page, "Adahello Bob");
    await say(bob, "hello Ada ü 😀");
    for (const page of [ada, bob]) await sees(page, "Bobhello Ada ü 😀");
  });
  await check("shows markup as text", async () => {
    await say(bob, "<img src=x onerror=alert(1)>");
    await sees(ada, "Bob<img src=x onerror=alert(1)>");
    assert.equal(await ada.locator("img").count(), 0);
  });

  const cleo = await context.newPage();
  await check("starts again when the first start fails, and says why", async () => {
    await cleo.route("**/negotiate*", (route) => route.abort(), { times: 1 });
    await cleo.goto(url);
    await state(cleo, "disconnected");
    await cleo
      .getByRole("alert")
      .filter({ hasText: /negotiat/ })
      .waitFor();
    await state(cleo, "connected");
    await reads(cleo, /^$/);
  });
  await check("keeps rooms apart", async () => {
    await join(cleo, "Cleo", "quiet corner");
    await sees(cleo, "Cleo joined");
    await say(ada, "is anybody there?");
    await sees(bob, "Adais anybody there?");
    await say(cleo, "only me");
    await sees(cleo, "Cleoonly me");
    assert.deepEqual(await lines(cleo), ["Cleo joined", "Cleoonly me"]);
    assert.ok(!(await lines(ada)).some((line) => line.includes("Cleo")));
  });

  await check("shows who left, and who came back", async () => {
    await bob.getByRole("button", { name: "Leave" }).click();
    await sees(ada, "Bob left");
    await join(bob, "Bob", "lobby");
    await sees(bob, "Bob joined");
    assert.deepEqual(await lines(bob), ["Bob joined"]);
  });
  await check("says what was wrong, and keeps what was typed", async () => {
    await say(bob, "   ");
    await reads(bob, /\w/);
    assert.equal(await bob.getByRole("textbox", { name: "Message" }).inputValue(), "   ");
    await say(bob, "better");
    await sees(ada, "Bobbetter");
    await reads(bob, /^$/);
  });
  await check("fits a phone", async () => {
    await say(ada, "wide".repeat(100));
    await sees(ada, `Ada${"wide".repeat(100)}`);
    assert.equal(await ada.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
    assert.equal(await ada.evaluate("document.documentElement.scrollHeight <= innerHeight"), true);
  });

  if (server !== undefined) await outage(server, ada, bob, cleo);

  await check("tells the room when a tab is closed", async () => {
    await bob.close({ runBeforeUnload: true });
    await sees(ada, "Bob left");
  });
  await check("throws nothing", async () => assert.deepEqual(thrown, []));
}

async function outage(server: Server, ada: Page, bob: Page, cleo: Page): Promise<void> {
  await check("shows that it reconnects when the server is gone", async () => {
    server.kill();
    for (const page of [ada, bob, cleo]) await state(page, "reconnecting");
    assert.equal(await ada.getByRole("button", { name: "Send" }).isDisabled(), true);
  });
  await check("is connected again when the server is back, in its room", async () => {
    await server.restart();
    for (const page of [ada, bob, cleo]) await state(page, "connected");
    await say(ada, "are you back?");
    await sees(bob, "Adaare you back?");
    assert.ok(!(await lines(cleo)).some((line) => line.includes("back")));
  });
}

// --- the page, as its users find their way in it ---------------------------------------------------------------------

async function join(page: Page, name: string, room: string): Promise<void> {
  await page.getByRole("textbox", { name: "Your name" }).fill(name);
  await page.getByRole("textbox", { name: "Room" }).fill(room);
  await page.getByRole("button", { name: "Join" }).click();
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.getByRole("textbox", { name: "Message" }).press("Enter");
}

async function sees(page: Page, line: string): Promise<void> {
  await page.getByRole("log").getByText(line, { exact: true }).first().waitFor();
}

async function reads(page: Page, alert: RegExp): Promise<void> {
  await page.getByRole("alert").filter({ hasText: alert }).waitFor({ state: "attached" });
}

async function state(page: Page, now: string): Promise<void> {
  await page.getByRole("status").getByText(now, { exact: true }).waitFor({ timeout: PATIENCE });
}

function lines(page: Page): Promise<string[]> {
  return page.getByRole("log").locator("p").allTextContents();
}
