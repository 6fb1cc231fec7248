import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { Service } from "../../lambdas/hub/index.ts";
import { ServiceFileError } from "../../lambdas/local/service-bundle.ts";
import { watchServiceFile } from "../../lambdas/local/service-file.ts";

const SERVICE = `
import { defineHub, defineService } from "signalr-lambda";
export default defineService({ hubs: { chat: defineHub()({ methods: { ping: (): string => "pong" } }) } });
`;

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "service-file-")));
  file = join(directory, "realtime.ts");
});
afterEach(() => rm(directory, { recursive: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), text);
}

/** What is reported first: the service, or why there is none. */
async function load(path: string): Promise<Service> {
  const outcomes: (Service | ServiceFileError)[] = [];
  const report = (outcome: Service | ServiceFileError) => void outcomes.push(outcome);
  const watcher = await watchServiceFile(path, report, report);
  await watcher.close();
  const [outcome] = outcomes;
  if (outcome === undefined || outcome instanceof ServiceFileError) throw outcome;
  return outcome;
}

const paths = (service: Service | undefined) => [...(service?.hubs.keys() ?? [])];

describe("a service file", () => {
  it("loads the service that the file exports as default", async () => {
    await write("realtime.ts", SERVICE);
    const service = await load(file);
    expect(paths(service)).toStrictEqual(["chat"]);
    expect(service.hubs.get("chat")?.definition.methods).toStrictEqual({ ping: expect.any(Function) });
  });

  it("loads what the file imports, and packages from beside the file", async () => {
    await write("realtime.ts", `${SERVICE}import "./hubs/loaded.ts";`);
    await write(
      "hubs/loaded.ts",
      'import { value } from "a-package"; (globalThis as { loaded?: string }).loaded = value;',
    );
    await write("node_modules/a-package/package.json", '{ "type": "module", "exports": "./index.js" }');
    await write(
      "node_modules/a-package/index.js",
      'export const value: string = "from a package";'.replace(": string", ""),
    );
    await load(file);
    expect(globalThis).toHaveProperty("loaded", "from a package");
  });

  it("gives the file this copy of the package, whatever lies in its node_modules", async () => {
    await write("node_modules/signalr-lambda/package.json", '{ "exports": "./index.js" }');
    await write("node_modules/signalr-lambda/index.js", 'throw new Error("another copy");');
    await write("realtime.ts", `${SERVICE}import * as hub from "signalr-lambda"; Object.assign(globalThis, { hub });`);
    await load(file);
    const { HubException } = await import("../../lambdas/index.ts");
    expect(globalThis).toHaveProperty("hub.HubException", HubException);
  });

  it("takes the path relative to the working directory", async () => {
    await expect(load("nowhere/realtime.ts")).rejects.toThrow("There is no file nowhere/realtime.ts.");
  });

  it.each([
    ["in the cache of the nearest node_modules", "node_modules/.cache/signalr-lambda", true],
    ["beside the file without one", ".", false],
  ])("leaves nothing behind %s", async (_title, output, withModules) => {
    if (withModules) await mkdir(join(directory, "node_modules"));
    await write("realtime.ts", SERVICE);
    await load(file);
    await write("realtime.ts", 'throw new Error("no");');
    await expect(load(file)).rejects.toThrow();
    expect(existsSync(join(directory, output))).toBe(true);
    expect(readdirSync(join(directory, output)).filter((name) => /\.m[jt]s$/.test(name))).toStrictEqual([]);
  });

  it.each<[string, string, string, RegExp[]]>([
    [
      "a syntax error",
      "const a = 1;\nconst b = ;",
      "service_file_does_not_compile",
      [/realtime\.ts does not compile/, /realtime\.ts:2:10/, /Unexpected ";"/],
    ],
    [
      "an import that is not there",
      'import "./chat.ts";',
      "service_file_does_not_compile",
      [/realtime\.ts:1:7/, /Could not resolve ".\/chat.ts"/],
    ],
    [
      "an unknown part of this package",
      'import { x } from "signalr-lambda/clients"; x();',
      "service_file_does_not_compile",
      [/signalr-lambda has no "signalr-lambda\/clients"/],
    ],
    [
      "a package that is not installed",
      'import { x } from "no-such-package"; x();',
      "service_file_threw",
      [/no-such-package/],
    ],
    [
      "a throw",
      "throw new TypeError(\"Hub path '' is wrong.\");",
      "service_file_threw",
      [/realtime\.ts threw while it was loaded/, /TypeError: Hub path '' is wrong\./],
    ],
    ["a throw of no error", 'throw "text";', "service_file_threw", [/text/]],
    [
      "no export",
      "const a = 1;",
      "service_file_has_no_service",
      [/realtime\.ts has no default export/, /export default defineService\(\{ hubs: \{ … \} \}\)/],
    ],
    [
      "a service under a name",
      `${SERVICE.replace("export default", "export const realtime =")}`,
      "service_file_has_no_service",
      [/exports its service as 'realtime'/, /export default realtime;/],
    ],
    [
      "a hub as default",
      'import { defineHub } from "signalr-lambda"; export default defineHub()({ methods: {} });',
      "service_file_has_no_service",
      [/exports a hub, but no service/, /defineService\(\{ hubs: \{ chat: … \} \}\)/],
    ],
    [
      "a hub under a name",
      'import { defineHub } from "signalr-lambda"; export const news = defineHub()({ methods: {} });',
      "service_file_has_no_service",
      [/exports a hub, but no service/, /defineService\(\{ hubs: \{ news \} \}\)/],
    ],
    [
      "null as default",
      "export default null;",
      "service_file_has_no_service",
      [/does not export a service as default/],
    ],
    [
      "something else as default",
      "export default () => 1;",
      "service_file_has_no_service",
      [/does not export a service as default/],
    ],
  ])("explains %s", async (_title, text, code, messages) => {
    await write("realtime.ts", text);
    const error = await load(file).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ServiceFileError);
    expect(error).toMatchObject({ code });
    for (const message of messages) expect((error as Error).message).toMatch(message);
    expect((error as Error).message, "the bundle is none of the user's business").not.toMatch(/\.m[jt]s/);
  });

  it("explains a file that is missing", async () => {
    await expect(load(file)).rejects.toMatchObject({
      name: "ServiceFileError",
      code: "service_file_missing",
      message: `There is no file ${file}. Is the path right?`,
    });
  });
});

describe("watchServiceFile", () => {
  /** Collects what is reported; `next` waits for one more. */
  async function watch() {
    const reported: (Service | ServiceFileError)[] = [];
    let heard = () => {};
    const report = (outcome: Service | ServiceFileError) => {
      reported.push(outcome);
      heard();
    };
    const watcher = await watchServiceFile(file, report, report);
    onTestFinished(() => watcher.close());
    const next = async () => {
      const count = reported.length;
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
      expect(reported).toHaveLength(count + 1);
      return reported[count];
    };
    return { reported, next, close: () => watcher.close() };
  }

  const named = (hub: string) => SERVICE.replace("chat:", `${hub}:`);

  it("reports the service before it resolves, and again after every change", async () => {
    await write("realtime.ts", named("first"));
    const { reported, next } = await watch();
    expect(paths(reported[0] as Service)).toStrictEqual(["first"]);
    for (const hub of ["second", "third"]) {
      const reload = next();
      await write("realtime.ts", named(hub));
      expect(paths((await reload) as Service)).toStrictEqual([hub]);
    }
  });

  it("reloads after a change of what the file imports", async () => {
    await write("hubs.ts", "export const path = 'first';");
    await write("realtime.ts", `import { path } from "./hubs.ts";${named("[path]")}`);
    const { reported, next } = await watch();
    expect(paths(reported[0] as Service)).toStrictEqual(["first"]);
    const reload = next();
    await write("hubs.ts", "export const path = 'second';");
    expect(paths((await reload) as Service)).toStrictEqual(["second"]);
  });

  it("goes on after every kind of error", async () => {
    const { reported, next } = await watch();
    expect(reported).toMatchObject([{ code: "service_file_missing" }]);
    for (const [text, code] of [
      ["const a = ;", "service_file_does_not_compile"],
      ['throw new Error("no");', "service_file_threw"],
      ["export default 1;", "service_file_has_no_service"],
    ] as const) {
      const reload = next();
      await write("realtime.ts", text);
      expect(await reload).toMatchObject({ code });
    }
    const gone = next();
    await rm(file);
    expect(await gone).toMatchObject({ code: "service_file_missing" });
    const back = next();
    await write("realtime.ts", SERVICE);
    expect(paths((await back) as Service)).toStrictEqual(["chat"]);
  });

  it("reports nothing after it was closed", async () => {
    await write("realtime.ts", SERVICE);
    const closed = await watch();
    const open = await watch();
    await closed.close();
    // Who still watches says when the change could be seen.
    const seen = open.next();
    await write("realtime.ts", named("changed"));
    await seen;
    await open.close();
    expect(closed.reported).toHaveLength(1);
    expect(readdirSync(directory)).toStrictEqual(["realtime.ts"]);
  });
});
