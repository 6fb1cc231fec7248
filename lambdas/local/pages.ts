// The pages beside a service: directories of static files, whose scripts may be written in TypeScript.

import { realpathSync, statSync } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { extname, join, relative } from "node:path";
import type { BuildFailure } from "esbuild";

interface Page {
  readonly contentType: string;
  readonly body: Buffer | string;
}

/** A page by the path of its URL, unescaped; undefined if there is none. */
export type Pages = (path: string) => Promise<Page | undefined>;

/** What pages are made of. Whatever else lies in the directory, TypeScript too, is not served. */
const CONTENT_TYPES: ReadonlyMap<string, string> = new Map([
  [".css", "text/css; charset=utf-8"],
  [".gif", "image/gif"],
  [".html", "text/html; charset=utf-8"],
  [".ico", "image/x-icon"],
  [".jpg", "image/jpeg"],
  [".js", "text/javascript; charset=utf-8"],
  [".json", "application/json"],
  [".png", "image/png"],
  [".svg", "image/svg+xml"],
  [".txt", "text/plain; charset=utf-8"],
  [".webp", "image/webp"],
  [".woff2", "font/woff2"],
]);

/**
 * Finds the page for the path of a URL: `/` is index.html, and `/x.js` is bundled from x.ts if there is no x.js.
 * Undefined for anything outside of `directory`, for names with a leading dot, and for links to either.
 * Several directories are given by the first segment of the paths they serve: `{ "": "site", lab: "lab/page" }`.
 *
 * @throws TypeError if there is no such directory.
 */
export function pages(directory: string | Readonly<Record<string, string>>): Pages {
  if (typeof directory === "string") return pagesOf(directory);
  const bySegment = new Map(Object.entries(directory).map(([segment, each]) => [segment, pagesOf(each)]));
  return async (path) => {
    const [, segment = "", rest = ""] = /^\/([^/]+)(\/.*)$/s.exec(path) ?? [];
    const inSegment = segment === "" ? undefined : bySegment.get(segment);
    return inSegment === undefined ? bySegment.get("")?.(path) : inSegment(rest);
  };
}

function pagesOf(directory: string): Pages {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new TypeError(`There is no directory '${directory}' to serve pages from.`);
  }
  const root = realpathSync(directory);
  return async (path) => {
    const name = fileName(path);
    const contentType = CONTENT_TYPES.get(extname(name));
    if (contentType === undefined) return undefined;
    const file = await find(root, name);
    if (file !== undefined) return { contentType, body: await readFile(file) };
    const source = extname(name) === ".js" ? await find(root, name.replace(/js$/, "ts")) : undefined;
    return source === undefined ? undefined : { contentType, body: await bundle(source) };
  };
}

function fileName(path: string): string {
  const name = decode(path);
  return name.endsWith("/") ? `${name}index.html` : name;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return ""; // No file has an undecodable name.
  }
}

/** The real path of a file in `root`, if it may be seen there. */
async function find(root: string, name: string): Promise<string | undefined> {
  if (!isVisible(name)) return undefined;
  try {
    const file = await realpath(join(root, name));
    // A link must neither lead out, nor to a hidden file, nor make a page of what is none.
    if (!isVisible(relative(root, file)) || extname(file) !== extname(name)) return undefined;
    return (await stat(file)).isFile() ? file : undefined;
  } catch {
    return undefined; // What the file system does not show is not there.
  }
}

function isVisible(path: string): boolean {
  return !path.split(/[/\\]/).some((segment) => segment.startsWith("."));
}

async function bundle(file: string): Promise<string> {
  const { build, formatMessages } = await import("esbuild");
  try {
    const { outputFiles } = await build({
      entryPoints: [file],
      write: false,
      bundle: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      sourcemap: "inline",
      logLevel: "silent",
    });
    return outputFiles.map(({ text }) => text).join("");
  } catch (error) {
    const { errors } = error as BuildFailure;
    if (errors === undefined) throw error;
    return scriptThatShows((await formatMessages(errors, { kind: "error" })).join("").trim());
  }
}

/** Where somebody who edits a page looks: in the page, and in the browser's console. */
function scriptThatShows(message: string): string {
  return `const message = ${JSON.stringify(message)};
console.error(message);
const shown = document.createElement("pre");
shown.setAttribute("role", "alert");
shown.style.cssText = "margin: 0; padding: 1rem; white-space: pre-wrap; color: #fff; background: #a00";
shown.textContent = message;
(document.body ?? document.documentElement).prepend(shown);
`;
}
