// The lifetime lab in a real browser: `node --import tsx test/clients/lifetime-lab.browser.ts [url]`. Its scenes run at
// their own pace, all at once: about 80 seconds. Needs /usr/bin/chromium.

import assert from "node:assert/strict";
import { type Browser, chromium, type Page } from "playwright-core";
import { check, summarize } from "../tally.ts";
import { CHROMIUM, startServer } from "./browser.ts";

/** Milliseconds. */
const LONGEST_SCENE = 120_000;

/** What each lane says from beginning to end, for a client with a key and automatic reconnect. */
interface Expected {
  readonly client: readonly RegExp[];
  readonly server: readonly RegExp[];
  /** Seconds between two events of any lane: not before, not after. */
  readonly between?: readonly [from: RegExp, to: RegExp, atLeast: number, atMost: number];
}

/** Seconds. Whatever a timeout does takes 29 at least; how fast the machine is does not decide. */
const AT_ONCE = 10;
/** Seconds within which a client has to be back. */
const IN_TIME = 30;
const STARTED = [/^start\(\)$/, /^started$/];
const SAME_ID = /^onreconnected, same id$/;
const SCENES: Readonly<Record<string, Expected>> = {
  "Connection architecture": {
    client: [...STARTED, /^invoke 1$/, /^invoke 1 answered$/, /^message “1”$/, /^stop\(\)$/, /^onclose$/],
    server: [/^onConnected$/, /^sends “1”$/, /^onDisconnected: stopCalled$/],
    between: [/^stop/, /^onDisconnected/, 0, AT_ONCE],
  },
  "Transport disconnections": {
    client: [...STARTED, /^invoke 1$/, /^invoke 1 answered$/, /^onreconnecting$/, SAME_ID],
    server: [/^onConnected$/, /^onReconnected$/],
    between: [/^cut$/, /^onReconnected$/, 0, AT_ONCE],
  },
  "Server timeout": {
    client: [...STARTED, /^onreconnecting$/, SAME_ID],
    server: [/^onConnected$/, /^onReconnected$/],
    between: [/^started$/, /^onreconnecting$/, 29, 30 + AT_ONCE],
  },
  "Client computer failure": {
    client: STARTED,
    server: [/^onConnected$/, /^onDisconnected: /],
    between: [/^onConnected$/, /^onDisconnected/, 60, 85],
  },
  "Server failure and reconnection": {
    client: [...STARTED, /^onreconnecting$/, SAME_ID, /^message “1”$/],
    server: [/^onConnected$/, /^sends “1”$/, /^onReconnected$/],
    between: [/^onreconnecting$/, SAME_ID, 1.9, IN_TIME],
  },
  "Server failure and timeout": {
    client: [
      ...[...STARTED, /^onreconnecting$/, /^onclose$/],
      ...[/^start\(\)$/, /^start\(\) failed$/, /^start\(\)$/, /^start\(\) failed$/, /^start\(\)$/, /^started, new id$/],
    ],
    server: [/^onConnected$/, /^onDisconnected: /, /^onConnected$/],
    between: [/^onreconnecting$/, /^onDisconnected/, 29, 42],
  },
  "Long polling": {
    client: [
      ...[...STARTED, /^invoke 1$/, /^invoke 1 answered$/, /^message “1”$/],
      ...[/^onreconnecting$/, SAME_ID, /^stop\(\)$/, /^onclose$/],
    ],
    server: [/^onConnected$/, /^sends “1”$/, /^onReconnected$/, /^onDisconnected: stopCalled$/],
    between: [/^onreconnecting$/, SAME_ID, 1.9, IN_TIME],
  },
};

/** What is different with stateful reconnect: a socket that breaks while the server is there is not noticed. */
const STATEFUL_SCENES: Readonly<Record<string, Expected>> = {
  ...SCENES,
  "Transport disconnections": {
    client: [...STARTED, /^invoke 1$/, /^invoke 1 answered$/],
    server: [/^onConnected$/, /^onReconnected$/],
    between: [/^cut$/, /^onReconnected$/, 0, AT_ONCE],
  },
};

const given = process.argv[2];
const server = given === undefined ? await startServer() : undefined;
const url = given ?? server?.url ?? "";
// A page that the test has touched up counts as one of another network, from which no socket leads here.
const browser = await chromium.launch({
  ...CHROMIUM,
  args: [...CHROMIUM.args, "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"],
});
try {
  const thrown: string[] = [];
  await Promise.all([
    ...Object.entries(SCENES).map(([title, expected]) => playsScene(title, false, expected, thrown)),
    ...Object.entries(STATEFUL_SCENES).map(([title, expected]) => playsScene(title, true, expected, thrown)),
    byHand(thrown),
  ]);
  await check("throws nothing", async () => assert.deepEqual(thrown, []));
} finally {
  await browser.close();
  server?.kill();
}
summarize();

async function playsScene(title: string, isStateful: boolean, expected: Expected, thrown: string[]): Promise<void> {
  await check(`plays “${title}” to its end${isStateful ? ", with stateful reconnect" : ""}`, async () => {
    const page = await openLab(browser, thrown);
    await page.getByLabel("stateful reconnect").setChecked(isStateful);
    await page.getByRole("button", { name: title }).click();
    await page.getByRole("status").getByText("finished").waitFor({ timeout: LONGEST_SCENE });
    const lines = await readLog(page);
    for (const lane of ["client", "server"] as const) {
      const texts = lines.filter((line) => line.lane === lane).map(({ text }) => text);
      const asExpected =
        texts.length === expected[lane].length && texts.every((text, n) => expected[lane][n]?.test(text));
      assert.ok(asExpected, `The ${lane}’s events are ${JSON.stringify(texts)}.`);
    }
    if (expected.between === undefined) return;
    const [from, to, atLeast, atMost] = expected.between;
    const at = (event: RegExp) => lines.find(({ text }) => event.test(text))?.at ?? Number.NaN;
    const seconds = at(to) - at(from);
    assert.ok(seconds >= atLeast && seconds <= atMost, `${seconds} s lie between ${from} and ${to}.`);
    assert.ok((await page.locator("#timeline text").count()) > 10);
  });
}

async function byHand(thrown: string[]): Promise<void> {
  const page = await openLab(browser, thrown, 400);
  const press = (name: string) => page.getByRole("button", { name, exact: true }).click();

  await check("fits a phone", async () => {
    assert.equal(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
  });
  await check("without a key: a new id, and the old connection is disconnected at once", async () => {
    for (const name of ["a resume key", "stateful reconnect"]) await page.getByLabel(name).uncheck();
    await press("Start a client");
    await happens(page, "server", "onConnected");
    await press("Cut the socket");
    await happens(page, "client", "onreconnected, new id");
    await happens(page, "server", "onDisconnected: transport_lost");
  });
  await check("closes a connection from the server, which comes back only if it may", async () => {
    await press("Close it, may come back");
    await happens(page, "client", "onreconnected, new id", 2);
    await page.getByLabel("a resume key").check();
    await press("Start a client");
    await happens(page, "client", "started", 2);
    await press("Close it");
    await happens(page, "client", "onclose");
    assert.equal(await page.getByRole("radio").count(), 2);
  });
  await check("says what cannot go wrong any more", async () => {
    await press("Cut the socket");
    await page.getByRole("alert").getByText("no open transport").waitFor();
  });
  await check("stops a client that is asked to", async () => {
    await press("start()");
    await happens(page, "client", "started, new id");
    await press("Ask it to stop");
    await happens(page, "client", "stopClient");
    await happens(page, "server", "onDisconnected: stopCalled");
  });
  await check("comes back from the gateway’s two hours with its id", async () => {
    await press("start()");
    await happens(page, "client", "started, new id", 2);
    await press("Reach 2 h");
    await happens(page, "transport", "socket closed 1001");
    await happens(page, "client", "onreconnected, same id");
  });
  await check("rejects an invoke whose transport is cut", async () => {
    await press("Invoke, 3 s");
    await press("Cut the socket");
    await happens(page, "client", "invoke 1 rejected");
  });
  await check("has clients by every transport, which come back when it breaks", async () => {
    for (const [index, transport] of ["ServerSentEvents", "LongPolling"].entries()) {
      await page.reload();
      await page.locator("#add:enabled").waitFor();
      await page.getByLabel("transport").selectOption(transport);
      await press("Start a client");
      await happens(page, "client", "started");
      await happens(page, "server", "onConnected");
      await press("Restart the server");
      await happens(page, "client", "onreconnected, same id");
      await happens(page, "transport", index === 0 ? "event stream closed" : "poll 503");
    }
  });
  await check("says so where there are no fault switches", async () => {
    const page = await browser.newPage();
    await page.route("**/_gateway/faults", (route) => route.fulfill({ status: 404 }));
    await page.goto(`${url}/lifetime/`);
    await page.getByRole("alert").getByText("There are no fault switches here.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Start a client" }).isDisabled(), true);
  });
  await check("leads to the chat and back", async () => {
    await page.getByRole("link", { name: "Chat" }).click();
    await page.getByRole("heading", { name: "Chat" }).waitFor();
    await page.getByRole("link", { name: "Lifetime lab" }).click();
    await page.getByRole("heading", { name: "Lifetime lab" }).waitFor();
  });
}

/** Under a strict policy: the page needs nothing from elsewhere and nothing inline. */
async function openLab(browser: Browser, thrown: string[], width = 1200): Promise<Page> {
  const page = await browser.newPage({ viewport: { width, height: 900 } });
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => thrown.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) thrown.push(message.text());
  });
  await page.route("**/lifetime/", async (route) => {
    const response = await route.fetch();
    const policy = "default-src 'self'; img-src data:; connect-src 'self'";
    await route.fulfill({ response, headers: { ...response.headers(), "content-security-policy": policy } });
  });
  await page.goto(`${url}/lifetime/`);
  await page.locator("#add:enabled").waitFor();
  return page;
}

interface Line {
  /** Seconds since the beginning. */
  readonly at: number;
  readonly lane: string;
  readonly text: string;
}

/** As much of the browser's elements as is used. */
interface Shown {
  readonly children: ArrayLike<{ readonly textContent: string }>;
}

async function readLog(page: Page): Promise<readonly Line[]> {
  const rows = await page
    .getByRole("log")
    .locator("p")
    .evaluateAll((lines: readonly Shown[]) =>
      lines.map(({ children }) => Array.from(children, (cell) => cell.textContent)),
    );
  return rows.map(([at = "", , lane = "", text = ""]) => ({ at: Number.parseFloat(at), lane, text }));
}

/** Waits until an event stands in the log, so many times. */
async function happens(page: Page, lane: string, text: string, times = 1): Promise<void> {
  const end = Date.now() + 20_000;
  for (;;) {
    const lines = await readLog(page);
    if (lines.filter((line) => line.lane === lane && line.text === text).length >= times) return;
    assert.ok(Date.now() < end, `The log has no “${text}” of the ${lane}: ${JSON.stringify(lines)}`);
    await page.waitForTimeout(100);
  }
}
