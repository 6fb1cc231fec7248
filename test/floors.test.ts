// The house's rules, tried on code that breaks them: a rule that has fallen silent holds nothing.

import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "floors-"));
  for (const file of ["biome.json", ".gitignore"]) await copyFile(join(ROOT, file), join(directory, file));
});

afterAll(() => rm(directory, { recursive: true }));

/** The rules that fire for `code` in `file`. */
async function broken(file: string, code: string): Promise<readonly string[]> {
  const path = join(directory, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, code);
  const output = await new Promise<string>((resolve) => {
    const biome = join(ROOT, "node_modules/.bin/biome");
    execFile(biome, ["lint", "--reporter=json", file], { cwd: directory }, (_error, stdout) => resolve(stdout));
  });
  await rm(path);
  const { diagnostics } = JSON.parse(output) as { diagnostics: readonly { category: string }[] };
  return diagnostics.map(({ category }) => category);
}

const imports = (specifier: string) => `export * from "${specifier}";\n`;
const RESTRICTED = "lint/style/noRestrictedImports";

describe("the floors", () => {
  it.each([
    ["lambdas/protocol/x.ts", "node:fs"],
    ["lambdas/protocol/x.ts", "jose"],
    ["lambdas/protocol/x.ts", "../hub/index.ts"],
    ["lambdas/protocol/core/x.ts", "../../hub/index.ts"],
    ["lambdas/apigateway/x.ts", "../hub/index.ts"],
    ["lambdas/apigateway/x.ts", "@msgpack/msgpack"],
    ["lambdas/edge/x.ts", "../apigateway/index.ts"],
    ["lambdas/edge/x.ts", "node:path"],
    ["lambdas/edge/x.js", "node:fs/promises"],
    ["lambdas/hub/x.ts", "../edge/index.ts"],
    ["lambdas/aws/x.ts", "../edge/index.ts"],
    ["lambdas/local/x.ts", "../edge/viewer-request.js"],
    ["infra/x.ts", "../lambdas/edge/viewer-request.js"],
    ["lambdas/client/x.ts", "@microsoft/signalr"],
    ["lambdas/client/x.ts", "node:timers"],
    ["lambdas/client/x.ts", "../protocol/index.ts"],
    ["lambdas/x.ts", "./client/index.ts"],
    ["lambdas/local/x.ts", "../client/index.ts"],
    ["lambdas/hub/x.ts", "node:crypto"],
    ["lambdas/hub/x.ts", "@aws-sdk/client-dynamodb"],
    ["lambdas/hub/x.ts", "../aws/index.ts"],
    ["lambdas/hub/x.ts", "../apigateway/index.ts"],
    ["lambdas/hub/x.ts", "../protocol/core/index.ts"],
    ["lambdas/aws/x.ts", "../local/index.ts"],
    ["lambdas/aws/x.ts", "../hub/store.ts"],
    ["lambdas/local/x.ts", "../aws/index.ts"],
    ["lambdas/auth/x.ts", "../functions.ts"],
    ["infra/x.ts", "../lambdas/hub/index.ts"],
  ])("keep %s from importing %s", async (file, specifier) => {
    expect(await broken(file, imports(specifier))).toContain(RESTRICTED);
  });

  it.each([
    ["lambdas/protocol/core/x.ts", "../messages.ts"],
    ["lambdas/protocol/core/x.ts", "@msgpack/msgpack"],
    ["lambdas/client/x.ts", "./timers.ts"],
    ["lambdas/x.ts", "./local/index.ts"],
    ["lambdas/hub/x.ts", "../protocol/index.ts"],
    ["lambdas/hub/x.ts", "./store.ts"],
    ["lambdas/aws/x.ts", "../hub/index.ts"],
    ["lambdas/local/x.ts", "../apigateway/index.ts"],
    ["lambdas/local/x.ts", "../edge/index.ts"],
    ["lambdas/edge/x.ts", "node:fs"],
    ["lambdas/edge/x.js", "cloudfront"],
    ["infra/x.ts", "../lambdas/apigateway/index.ts"],
    ["infra/x.ts", "../lambdas/edge/index.ts"],
  ])("let %s import %s", async (file, specifier) => {
    expect(await broken(file, imports(specifier))).not.toContain(RESTRICTED);
  });

  it.each(["Date.now()", "setTimeout(() => 0, 1)", "process.env.HOME", "crypto.randomUUID()", "console"])(
    "keep %s out of hub/",
    async (expression) => {
      const rules = await broken("lambdas/hub/x.ts", `export const value = ${expression};\n`);
      expect(rules).toContain("lint/style/noRestrictedGlobals");
    },
  );
});

/** What is filled as it runs; a WeakMap only keeps what was derived from its keys. */
it("find no memory in a module: two functions of a deployment share none", async () => {
  const rooms = ["hub", "aws", "auth", "protocol"].map((room) => join(ROOT, "lambdas", room));
  const listed = await Promise.all(rooms.map((room) => readdir(room, { recursive: true, withFileTypes: true })));
  const files = listed.flat().filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(40);
  for (const { parentPath, name } of files) {
    const text = await readFile(join(parentPath, name), "utf8");
    const variables = text.match(/^(export )?(let |const \w+(: [^=]+)? = (new (Map|Set)(<.*>)?\(\)|\[\]|\{\})).*/gm);
    expect(variables, name).toBeNull();
  }
});

it("notices a promise that nobody waits for", async () => {
  const code = "async function send(): Promise<void> {}\nexport function forget(): void {\n  send();\n}\n";
  expect(await broken("lambdas/hub/x.ts", code)).toContain("lint/nursery/noFloatingPromises");
});
