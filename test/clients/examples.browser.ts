// The small examples in a real browser: `node --import tsx test/clients/examples.browser.ts [name …]`, on the server
// that `npm start` runs. Needs /usr/bin/chromium.

import assert from "node:assert/strict";
import { type BrowserContext, chromium, type Locator, type Page } from "playwright-core";
import { check, summarize } from "../tally.ts";
import { CHROMIUM, startServer } from "./browser.ts";

/** A lost server is noticed and found again within this. Milliseconds. */
const PATIENCE = 60_000;

const examples = { links, notifications, dashboard, board, secured, projects, resilient };
const names = process.argv.slice(2);

const server = await startServer();
const browser = await chromium.launch(CHROMIUM);
try {
  for (const [name, run] of Object.entries(examples)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const context = await browser.newContext({ viewport: { width: 360, height: 640 } });
    context.setDefaultTimeout(15_000);
    const thrown: string[] = [];
    context.on("weberror", (error) => thrown.push(error.error().message));
    await run(context);
    for (const page of context.pages()) await check(`${name}: fits a phone`, () => fits(page));
    await check(`${name}: throws nothing`, async () => assert.deepEqual(thrown, []));
    await context.close();
  }
} finally {
  await browser.close();
  server.kill();
}
summarize();

async function links(context: BrowserContext): Promise<void> {
  await check("the first page leads to all examples", async () => {
    const page = await context.newPage();
    await page.goto(server.url);
    for (const link of await page.getByRole("navigation").getByRole("link").all()) {
      const there = await context.newPage();
      await there.goto(new URL((await link.getAttribute("href")) ?? "", page.url()).href);
      await there.getByRole("heading", { level: 1, name: (await link.textContent()) ?? "" }).waitFor();
      await there.close();
    }
    assert.equal(await page.getByRole("navigation").getByRole("link").count(), 8);
  });
}

async function notifications(context: BrowserContext): Promise<void> {
  const nobody = await context.newPage();
  await check("notifications: sends to a user on all pages, and to nobody else", async () => {
    await nobody.goto(`${server.url}/notifications/`);
    const [ada, bob, bobAgain] = await openAs("notifications", context, "ada", "bob", "bob");
    await notify(ada, "bob", "<b>tea</b> is ready");
    for (const page of [bob, bobAgain]) await sees(page, "ada to you: <b>tea</b> is ready");
    await notify(bob, "", "thanks");
    for (const page of [ada, bob, bobAgain]) await sees(page, "bob: thanks");
    assert.deepEqual(await lines(ada), ["bob: thanks"]);
    assert.deepEqual(await lines(nobody), []);
    for (const page of [bobAgain, nobody]) await page.close();
  });
  const [ada, bob] = context.pages() as [Page, Page];
  await check("notifications: says what was wrong", async () => {
    await notify(ada, "bob", "   ");
    await reads(ada, /\w/);
  });
  await check(
    "notifications: shows that it reconnects when the server is gone, and goes on when it is back",
    async () => {
      server.kill();
      for (const page of [ada, bob]) await state(page, "reconnecting");
      await server.restart();
      for (const page of [ada, bob]) await state(page, "connected");
      await notify(ada, "bob", "still here");
      await sees(bob, "ada to you: still here");
    },
  );
}

async function notify(page: Page, to: string, text: string): Promise<void> {
  await page.getByRole("combobox", { name: "To" }).selectOption(to);
  await page.getByRole("textbox", { name: "Text" }).fill(text);
  await page.getByRole("button", { name: "Notify" }).click();
}

async function dashboard(context: BrowserContext): Promise<void> {
  const { url, end } = await startServer("dashboard");
  const [one, other] = await open(context, `${url}/dashboard/`, `${url}/dashboard/`);
  const requests = (page: Page) => page.locator("#requests").textContent();
  await check("dashboard: loads the past in pages", () => has(one.locator("#loaded"), /^60 figures$/));
  await check("dashboard: shows figures as they come", async () => {
    const first = await requests(one);
    await one.waitForFunction(`document.getElementById("requests").innerText !== ${JSON.stringify(first)}`);
    assert.equal(await one.locator("#chart i").count(), 60);
  });
  await check("dashboard: stops the stream, and goes on", async () => {
    await one.getByRole("button", { name: "Pause" }).click();
    const paused = await requests(one);
    const before = await requests(other);
    await other.waitForFunction(`document.getElementById("requests").innerText !== ${JSON.stringify(before)}`);
    assert.equal(await requests(one), paused);
    await one.getByRole("button", { name: "Go on" }).click();
    await one.waitForFunction(`document.getElementById("requests").innerText !== ${JSON.stringify(paused)}`);
  });
  await check("dashboard: shows what a job pushes from outside", async () => {
    for (const page of [one, other]) await has(page.locator("#peak"), /^Peak: \d+ at /);
  });
  await check("dashboard: counts who looks on", async () => {
    for (const page of [one, other]) await has(page.locator("#viewers"), /^2$/);
    await other.close({ runBeforeUnload: true });
    await has(one.locator("#viewers"), /^1$/);
  });
  end();
}

async function board(context: BrowserContext): Promise<void> {
  const [ada, bob] = await open(context, "board/", "board/");
  const note = (page: Page, text: string) => page.getByRole("article").filter({ hasText: text });
  const add = async (page: Page, text: string) => {
    await page.getByRole("textbox", { name: "Note" }).fill(text);
    await page.getByRole("button", { name: "Add" }).click();
  };
  await check("board: shows everybody's notes to everybody", async () => {
    await add(ada, "<i>milk</i>");
    await add(bob, "tea");
    for (const page of [ada, bob]) for (const text of ["<i>milk</i>", "tea"]) await note(page, text).waitFor();
  });
  await check("board: moves a note everywhere while it is dragged", async () => {
    const [from, to] = await Promise.all([note(ada, "tea").boundingBox(), ada.locator("#board").boundingBox()]);
    assert.ok(from && to);
    await ada.mouse.move(from.x + 5, from.y + 5);
    await ada.mouse.down();
    await ada.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 10 });
    const place = await note(ada, "tea").getAttribute("style");
    assert.ok(place !== "--x: 0.1; --y: 0.1;");
    await bob.locator(`.note[style="${place}"]`).waitFor();
    await ada.mouse.up();
  });
  const [cleo] = await open(context, "board/");
  await check("board: shows a newcomer what is there", async () => {
    await note(cleo, "milk").waitFor();
    assert.equal(await note(cleo, "tea").getAttribute("style"), await note(bob, "tea").getAttribute("style"));
  });
  await check("board: keeps a note whose author says no, and says so", async () => {
    await note(bob, "milk").getByRole("button", { name: "Delete" }).click();
    await ada.getByRole("dialog").getByText("Somebody wants to delete “<i>milk</i>”.").waitFor();
    await ada.getByRole("button", { name: "No" }).click();
    await reads(bob, /^The author wants to keep it\.$/);
    assert.equal(await note(cleo, "milk").count(), 1);
  });
  await check("board: deletes it everywhere when its author says yes, or does it", async () => {
    await note(cleo, "milk").getByRole("button", { name: "Delete" }).click();
    await ada.getByRole("button", { name: "Yes" }).click();
    await note(bob, "tea").getByRole("button", { name: "Delete" }).click();
    for (const text of ["milk", "tea"]) {
      for (const page of [ada, bob, cleo]) await note(page, text).waitFor({ state: "detached" });
    }
  });
  await check("board: asks nobody when the author is gone", async () => {
    await add(bob, "late");
    await note(ada, "late").waitFor();
    await bob.close({ runBeforeUnload: true });
    await note(ada, "late").getByRole("button", { name: "Delete" }).click();
    await note(cleo, "late").waitFor({ state: "detached" });
  });
}

async function secured(context: BrowserContext): Promise<void> {
  const [ada, bob, cleo] = await openAs("secured", context, "ada", "bob", "cleo");
  const announce = (page: Page) => page.getByRole("button", { name: "Announce" }).click();
  const report = (page: Page) => page.getByRole("button", { name: "Report" }).click();
  await check("secured: knows who signed in", async () => {
    await has(ada.locator("#user"), /^You are ada, Admin, premium\.$/);
    await has(cleo.locator("#user"), /^You are cleo\.$/);
  });
  await check("secured: serves those who have the role", async () => {
    await announce(ada);
    for (const page of [ada, bob, cleo]) await sees(page, "ada announces: Hello");
    await announce(bob);
    await reads(bob, /^Failed to invoke 'announce' because user is unauthorized$/);
  });
  await check("secured: serves those whom the policy lets through", async () => {
    await report(bob);
    await sees(bob, "All figures of 2026.");
    await report(cleo);
    await reads(cleo, /^Failed to invoke 'report' because user is unauthorized$/);
  });
  await check("secured: lets nobody in who is not signed in", async () => {
    await cleo.getByRole("link", { name: "not at all" }).click();
    await reads(cleo, /401/);
    await state(cleo, "disconnected");
  });
}

async function projects(context: BrowserContext): Promise<void> {
  const [ada, bob] = await open(context, "projects/", "projects/");
  const follow = async (page: Page, name: string, ...which: string[]) => {
    await page.getByRole("textbox", { name: "Your name" }).fill(name);
    await page.getByRole("button", { name: "That is me" }).click();
    for (const project of which) await page.getByRole("checkbox", { name: project }).check();
    for (const project of which) await sees(page, `${name} joined ${project}`);
  };
  await check("projects: tells who joined which", async () => {
    await follow(ada, "Ada", "apollo", "gemini");
    await follow(bob, "Bob", "apollo", "gemini", "mercury");
    for (const project of ["apollo", "gemini"]) await sees(ada, `Bob joined ${project}`);
  });
  await check("projects: tells who left", async () => {
    await bob.getByRole("checkbox", { name: "gemini" }).uncheck();
    await sees(ada, "Bob left gemini");
    await bob.getByRole("checkbox", { name: "gemini" }).check();
  });
  await check("projects: tells every project of a page that was closed, and no other", async () => {
    await ada.reload();
    await follow(ada, "Ada", "apollo", "gemini");
    await bob.close({ runBeforeUnload: true });
    for (const project of ["apollo", "gemini"]) await sees(ada, `Bob left ${project}`);
    assert.ok(!(await lines(ada)).includes("Bob left mercury"));
  });
}

async function resilient(context: BrowserContext): Promise<void> {
  const [page] = await open(context, "resilient/?failures=2");
  const press = (name: string) => page.getByRole("button", { name }).click();
  await check("resilient: repeats the first start", async () => {
    assert.deepEqual(await lines(page), [
      "Connected at the 3. try.",
      "Try 2: Failed to complete negotiation with the server: Error: There is no network.",
      "Try 1: Failed to complete negotiation with the server: Error: There is no network.",
    ]);
  });
  await check("resilient: shows a HubException's words, and hides those of other errors", async () => {
    await press("Too much");
    await reads(page, /^At most 100 at once\.$/);
    await press("A bug");
    await reads(page, /^That did not work\./);
    await sees(page, "An unexpected error occurred invoking 'withdraw' on the server.");
    await press("A wrong argument");
    await reads(page, /^Validation failed: argument 1: /);
    await press("Withdraw 50");
    await sees(page, "Withdrawn: 50");
    await reads(page, /^$/);
    assert.ok(!(await page.content()).includes("ECONNREFUSED"));
  });
}

// --- pages, as their users find their way in them --------------------------------------------------------------------

type PageFor<Paths> = { [Index in keyof Paths]: Page };

/** Opens pages, and waits until they are connected. */
async function open<Paths extends string[]>(context: BrowserContext, ...paths: Paths): Promise<PageFor<Paths>> {
  const pages: Page[] = [];
  for (const path of paths) {
    const page = await context.newPage();
    await page.goto(new URL(path, `${server.url}/`).href);
    await state(page, "connected");
    pages.push(page);
  }
  return pages as PageFor<Paths>;
}

function openAs<Users extends string[]>(
  example: string,
  context: BrowserContext,
  ...users: Users
): Promise<PageFor<Users>> {
  return open(context, ...users.map((user) => `${example}/?user=${user}`)) as Promise<PageFor<Users>>;
}

async function sees(page: Page, line: string): Promise<void> {
  await page.getByRole("log").getByText(line, { exact: true }).first().waitFor();
}

async function reads(page: Page, alert: RegExp): Promise<void> {
  await page.getByRole("alert").filter({ hasText: alert }).waitFor({ state: "attached" });
}

async function has(where: Locator, text: RegExp): Promise<void> {
  await where.filter({ hasText: text }).waitFor();
}

async function state(page: Page, now: string): Promise<void> {
  await page.getByRole("status").getByText(now, { exact: true }).waitFor({ timeout: PATIENCE });
}

function lines(page: Page): Promise<string[]> {
  return page.getByRole("log").locator("li").allTextContents();
}

async function fits(page: Page): Promise<void> {
  assert.equal(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
}
