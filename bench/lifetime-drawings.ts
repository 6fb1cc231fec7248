// The drawings of docs/lifetime.md: `npm run drawings` plays the scenes of the lifetime lab in headless Chromium, all at
// once, and keeps what the page has drawn: of all scenes, or of those that are named. About 80 seconds. Needs /usr/bin/chromium.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { type Browser, chromium } from "playwright-core";
import { CHROMIUM, startServer } from "../test/clients/browser.ts";

const DRAWINGS = new URL("../docs/drawings/", import.meta.url);
const STYLE = new URL("../examples/lifetime/page/timeline.css", import.meta.url);
/** Of the page; the drawing is what it leaves to the timeline. Pixels. */
const WIDTH = 1080;
const MARGIN = 12;
/** Milliseconds. */
const LONGEST_SCENE = 120_000;

const server = await startServer();
const browser = await chromium.launch(CHROMIUM);
try {
  await mkdir(DRAWINGS, { recursive: true });
  const style = await readFile(STYLE, "utf8");
  const named = process.argv.slice(2);
  const titles = named.length > 0 ? named : await sceneTitles(browser);
  await Promise.all(titles.map((title) => drawScene(browser, title, style)));
} finally {
  await browser.close();
  server.kill();
}

async function openLab(browser: Browser) {
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 900 } });
  await page.goto(`${server.url}/lifetime/`);
  await page.locator("#add:enabled").waitFor();
  return page;
}

async function sceneTitles(browser: Browser): Promise<readonly string[]> {
  const page = await openLab(browser);
  const titles = await page.locator("#scenes button:enabled .title").allTextContents();
  await page.close();
  return titles;
}

async function drawScene(browser: Browser, title: string, style: string): Promise<void> {
  const page = await openLab(browser);
  // The drawings show what a client sees that has only its key: with stateful reconnect it sees less.
  await page.getByLabel("stateful reconnect").uncheck();
  await page.getByRole("button", { name: title }).click();
  await page.getByRole("status").getByText("finished").waitFor({ timeout: LONGEST_SCENE });
  const drawn = await page.locator("#timeline").evaluate((svg: { readonly innerHTML: string }) => svg.innerHTML);
  const viewBox = await page.locator("#timeline").getAttribute("viewBox");
  const file = `${title.toLowerCase().replaceAll(" ", "-")}.svg`;
  await writeFile(new URL(file, DRAWINGS), svgFile(title, viewBox ?? "", style, drawn));
  console.log(`docs/drawings/${file}`);
  await page.close();
}

/** A file that needs no other, one element a line: a drawing made again differs where it is different. */
function svgFile(title: string, viewBox: string, style: string, drawn: string): string {
  const [, , width = 0, height = 0] = viewBox.split(" ").map(Number);
  const [wide, high] = [width + 2 * MARGIN, height + 2 * MARGIN];
  const head = `<svg xmlns="http://www.w3.org/2000/svg" class="timeline" viewBox="${-MARGIN} ${-MARGIN} ${wide} ${high}" width="${wide}" height="${high}">`;
  const paper = `<rect class="paper" x="${-MARGIN}" y="${-MARGIN}" width="${wide}" height="${high}"/>`;
  const minified = style.replaceAll(/\/\*.*?\*\/|\s+/gs, " ").trim();
  const lines = drawn.replaceAll(/><\/(rect|line|polygon)>/g, "/>").replaceAll("><", ">\n<");
  return `${head}\n<title>${title}</title>\n<style>${minified}</style>\n${paper}\n${lines}\n</svg>\n`;
}
