import { execFileSync } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { App, Stack } from "aws-cdk-lib";
import { beforeAll, describe, expect, it } from "vitest";
import { SignalRService } from "../../infra/index.ts";
import { writeServiceFile } from "./deployed.ts";

/** Synthesizes with esbuild at work; the folders of the functions' code, by description of the function. */
function build(entry: string): Record<string, string> {
  const app = new App();
  const stack = new Stack(app, "Test");
  new SignalRService(stack, "Realtime", { entry });
  const assembly = app.synth();
  const { Resources } = assembly.getStackByName("Test").template;
  const functions = Object.entries<{ Type: string; Properties: { Code: { S3Key: string } } }>(Resources)
    .filter(([, { Type }]) => Type === "AWS::Lambda::Function")
    .map(([id, { Properties }]) => [
      id.replace(/^Realtime|[0-9A-F]{8}$/g, "").toLowerCase(),
      join(assembly.directory, `asset.${Properties.Code.S3Key.replace(/\.zip$/, "")}`),
    ]);
  return Object.fromEntries(functions);
}

describe("the functions, really bundled", () => {
  const entry = writeServiceFile();
  let first: Record<string, string>;
  let second: Record<string, string>;

  beforeAll(() => {
    // A CommonJS package that asks for one of Node's modules, and a service that makes a `require` of its own.
    writeFileSync(join(dirname(entry), "legacy.cjs"), 'module.exports = require("fs").existsSync("/");');
    const use = [
      'import { createRequire } from "node:module";',
      'import legacy from "./legacy.cjs";',
      "const require = createRequire(import.meta.url);",
      'if (legacy !== true || !require("node:os").EOL) throw new Error("CommonJS does not work.");',
    ];
    appendFileSync(entry, use.join("\n"));
    first = build(entry);
    second = build(entry);
  });

  const names = ["connect", "message", "disconnect", "negotiate", "poll", "stream", "sweep", "work"];

  it.each(names)("%s is one ES module with its source map", (name) => {
    const folder = first[name] ?? "";
    expect(readdirSync(folder).sort()).toEqual(["index.mjs", "index.mjs.map"]);
    const code = readFileSync(join(folder, "index.mjs"), "utf8");
    expect(code).toMatch(/export\{[\w$]+ as handler\}/);
    expect(code).toContain("//# sourceMappingURL=index.mjs.map");
    const map = JSON.parse(readFileSync(join(folder, "index.mjs.map"), "utf8"));
    expect(map.sources).toContainEqual(expect.stringMatching(/realtime\.ts$/));
    expect(map).not.toHaveProperty("sourcesContent");
  });

  it.each(names)("%s holds the user's service in the place of none", (name) => {
    const code = readFileSync(join(first[name] ?? "", "index.mjs"), "utf8");
    expect(code).toContain("hubs/of-the-test");
    expect(code).not.toContain("bundled without a service");
  });

  it.each(names)("%s needs nothing beside it to load, and has a handler", (name) => {
    const url = pathToFileURL(join(first[name] ?? "", "index.mjs")).href;
    // What the runtime gives a function that streams.
    const runtime = "globalThis.awslambda = { streamifyResponse: (handler) => handler };";
    const script = `${runtime} const { handler } = await import(${JSON.stringify(url)}); console.log(typeof handler); process.exit(0);`;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
      encoding: "utf8",
      env: {
        AWS_REGION: "eu-central-1",
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
        SIGNALR_TABLE: "table",
        SIGNALR_CALLBACK_URL: "https://example.execute-api.eu-central-1.amazonaws.com/prod",
        SIGNALR_TOKEN_SECRET: "s".repeat(64),
        SIGNALR_WORKER: "work",
        SIGNALR_MESSAGE: "message",
      },
    });
    expect(output.trim()).toBe("function");
  });

  it("are the same again when built again", () => {
    const hashes = (folders: Record<string, string>) =>
      Object.fromEntries(Object.entries(folders).map(([name, folder]) => [name, folder.replace(/^.*asset\./, "")]));
    expect(hashes(second)).toEqual(hashes(first));
  });
});
