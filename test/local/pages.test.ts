import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pages } from "../../lambdas/local/pages.ts";

let home: string;
let directory: string;
const get = async (path: string) => pages(directory)(path);
const write = async (path: string, text: string) => {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), text);
};

beforeAll(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), "pages-")));
  directory = join(home, "site");
  await write("index.html", "<h1>home</h1>");
  await write("about us.html", "about");
  await write("ünïcode.txt", "text");
  await write("sub/index.html", "sub");
  await write("sub/data.json", "{}");
  await write("sub/data.sqlite", "SECRET");
  await write("logo.svg", "<svg/>");
  await write(".env", "SECRET");
  await write(".git/config.txt", "SECRET");
  await write("sub/.hidden.html", "SECRET");
  await write("script.js", "script()");
  await write("both.js", "written()");
  await write("both.ts", "source()");
  await write("lib.ts", "export const greet = (name: string): string => 'hello ' + name;");
  await write("main.ts", 'import { greet } from "./lib.ts"; globalThis.greeting = greet("page" as string);');
  await write(
    "client.ts",
    'import { HubConnectionBuilder } from "@microsoft/signalr"; console.log(HubConnectionBuilder);',
  );
  await write("broken.ts", "const x = ;\n</script>");
  await writeFile(join(home, "outside.html"), "SECRET");
  await writeFile(join(home, "outside.ts"), "SECRET");
  await mkdir(join(home, "site-2"));
  await writeFile(join(home, "site-2", "index.html"), "SECRET");
  const link = (target: string, name: string) => symlink(target, join(directory, name));
  await link("index.html", "linked.html");
  await link("../outside.html", "link-out.html");
  await link("../outside.ts", "link-out.ts");
  await link("..", "parent");
  await link(".env", "env.txt");
  await link("lib.ts", "source.js");
  await link("loop.html", "loop.html");
  // Where a page's packages come from.
  await symlink(join(process.cwd(), "node_modules"), join(home, "node_modules"));
});
afterAll(() => rm(home, { recursive: true }));

describe("pages", () => {
  it.each([
    ["/", "text/html; charset=utf-8", "<h1>home</h1>"],
    ["/index.html", "text/html; charset=utf-8", "<h1>home</h1>"],
    ["/sub/", "text/html; charset=utf-8", "sub"],
    ["/about%20us.html", "text/html; charset=utf-8", "about"],
    ["/%C3%BCn%C3%AFcode.txt", "text/plain; charset=utf-8", "text"],
    ["/sub/data.json", "application/json", "{}"],
    ["/logo.svg", "image/svg+xml", "<svg/>"],
    ["/script.js", "text/javascript; charset=utf-8", "script()"],
    ["/both.js", "text/javascript; charset=utf-8", "written()"],
    ["/linked.html", "text/html; charset=utf-8", "<h1>home</h1>"],
  ])("serves %s as %s", async (path, contentType, body) => {
    const page = await get(path);
    expect(page?.contentType).toBe(contentType);
    expect(page?.body.toString()).toBe(body);
  });

  it.each([
    ["a file that is not there", "/missing.html"],
    ["a script that is not there in any language", "/missing.js"],
    ["a directory", "/sub"],
    ["a directory without index.html", "/.git/"],
    ["a file as a directory", "/index.html/x.html"],
    ["TypeScript source", "/lib.ts"],
    ["TypeScript source by another name", "/source.js"],
    ["a kind of file that pages are not made of", "/sub/data.sqlite"],
    ["a dotfile", "/.env"],
    ["a file in a dot directory", "/.git/config.txt"],
    ["a dotfile in a directory", "/sub/.hidden.html"],
    ["a link to a dotfile", "/env.txt"],
    ["a link out", "/link-out.html"],
    ["a link to source outside", "/link-out.js"],
    ["a link to the directory above", "/parent/outside.html"],
    ["a link to itself", "/loop.html"],
    ["the directory above", "/../outside.html"],
    ["the directory above and back", "/../site/index.html"],
    ["the directory above, encoded", "/%2e%2e/outside.html"],
    ["the directory above, encoded with its slash", "/..%2foutside.html"],
    ["the directory above, encoded twice", "/%252e%252e/outside.html"],
    ["the directory above, as Windows writes it", "/..\\outside.html"],
    ["a script above", "/../outside.js"],
    ["a sibling whose name begins alike", "/../site-2/index.html"],
    ["an absolute path", `/${join(tmpdir(), "outside.html")}`],
    ["a NUL", "/index.html%00.html"],
    ["an encoding that is none", "/%E0%A4%A.html"],
    ["a name longer than any", `/${"x".repeat(5000)}.html`],
  ])("does not serve %s", async (_title, path) => {
    expect(await get(path)).toBeUndefined();
  });

  it("serves no path that shows what lies outside or hidden (property)", async () => {
    const segment = fc.constantFrom(
      "..",
      ".",
      "",
      "%2e%2e",
      "sub",
      "parent",
      "site",
      ".git",
      "%5c",
      "outside.html",
      "link-out.html",
      ".env",
      "env.txt",
      "outside.js",
      "config.txt",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(segment, { maxLength: 6 }),
        fc.constantFrom("/", "%2f", "\\"),
        async (segments, slash) => {
          const page = await get(`/${segments.join(slash)}`);
          expect(page?.body.toString() ?? "").not.toContain("SECRET");
        },
      ),
    );
  });

  it("says so when there is no directory", () => {
    expect(() => pages(join(home, "nowhere"))).toThrow(/nowhere/);
  });
});

describe("pages of several directories", () => {
  const several = (path: string) => pages({ "": directory, lab: join(directory, "sub") })(path);

  it.each([
    ["/", "<h1>home</h1>"],
    ["/sub/", "sub"],
    ["/lab/", "sub"],
    ["/lab/data.json", "{}"],
  ])("serve %s", async (path, body) => {
    expect((await several(path))?.body.toString()).toBe(body);
  });

  it.each([
    "/lab",
    "/lab/logo.svg",
    "/lab/../index.html",
    "/lab/.hidden.html",
    "/lab/%2e%2e/index.html",
    "/__proto__/index.html",
    "/constructor/",
    "//lab/",
  ])("do not serve %s", async (path) => {
    expect(await several(path)).toBeUndefined();
  });

  it("serve nothing at the root when none is given for it", async () => {
    expect(await pages({ lab: directory })("/index.html")).toBeUndefined();
  });
});

describe("a script written in TypeScript", () => {
  it("is bundled with what it imports, and a source map", async () => {
    const page = await get("/main.js");
    expect(page?.contentType).toBe("text/javascript; charset=utf-8");
    const context: { greeting?: string } = {};
    runInNewContext(String(page?.body), context);
    expect(context.greeting).toBe("hello page");
    expect(page?.body).toContain("sourceMappingURL=data:");
  });

  it("is bundled with packages, in their form for browsers", async () => {
    const script = String((await get("/client.js"))?.body);
    // Not the script itself: a failure would print it all.
    expect(script.includes("withAutomaticReconnect(")).toBe(true);
    expect(/^import /m.test(script)).toBe(false);
  });

  it("is bundled anew after a change", async () => {
    await write("changing.ts", "globalThis.version = 1;");
    expect((await get("/changing.js"))?.body).toContain("version = 1");
    await write("changing.ts", "globalThis.version = 2;");
    expect((await get("/changing.js"))?.body).toContain("version = 2");
  });

  it("that does not compile shows why, as text, in the page and in the console", async () => {
    const page = await get("/broken.js");
    const shown: { textContent?: string; style: object; setAttribute(): void } = { style: {}, setAttribute() {} };
    const prepended: unknown[] = [];
    const logged: string[] = [];
    runInNewContext(String(page?.body), {
      console: { error: (message: string) => logged.push(message) },
      document: { createElement: () => shown, body: { prepend: (node: unknown) => prepended.push(node) } },
    });
    expect(shown.textContent).toContain("broken.ts:1:10");
    expect(prepended).toStrictEqual([shown]);
    expect(logged).toStrictEqual([shown.textContent]);
  });
});
