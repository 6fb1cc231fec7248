// How an entry point of lambdas/ and the user's service become one file for Lambda.
import { existsSync } from "node:fs";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type BundlingOptions, LogLevel, OutputFormat } from "aws-cdk-lib/aws-lambda-nodejs";

/** The functions of a service; each has the entry point of its name in lambdas/. */
export type FunctionName = "connect" | "message" | "disconnect" | "negotiate" | "poll" | "stream" | "sweep" | "work";

/** What `NodejsFunction` needs to build one function. */
export interface Bundle {
  readonly entry: string;
  readonly projectRoot: string;
  readonly depsLockFilePath: string;
  readonly bundling: BundlingOptions;
}

// This module runs as infra/bundling.ts in this repository and as dist/infra/bundling.js in an installed package; the
// entry points lie beside it either way, with the same extension.
const EXTENSION = extname(fileURLToPath(import.meta.url));
const lambdas = (module: string) => fileURLToPath(new URL(`../lambdas/${module}${EXTENSION}`, import.meta.url));

/** What a service file may import of this package; `./local` and `./cdk` have no place in a function. */
const PACKAGE_EXPORTS = {
  "signalr-lambda": lambdas("index"),
  "signalr-lambda/aws": lambdas("functions"),
  "signalr-lambda/protocol": lambdas("protocol/index"),
};

/** The build of one function for the service file at `servicePath` (absolute). */
export function bundleOf(name: FunctionName, servicePath: string): Bundle {
  const entry = lambdas(name);
  const depsLockFilePath = findLockFile(entry, servicePath);
  return { entry, projectRoot: dirname(depsLockFilePath), depsLockFilePath, bundling: bundlingOf(servicePath) };
}

function bundlingOf(servicePath: string): BundlingOptions {
  // The service is given its place, and imports the very copy of the package that it is deployed with.
  const aliases = { "#service": servicePath, ...PACKAGE_EXPORTS };
  return {
    format: OutputFormat.ESM,
    minify: true,
    sourceMap: true,
    sourcesContent: false, // Stack traces need names and lines; the sources themselves would only be unpacked.
    externalModules: [], // The runtime's own SDK is slower to load than a bundled one: 25 ms of a cold start.
    mainFields: ["module", "main"], // The SDK's ES modules can be tree-shaken, its CommonJS cannot.
    banner: REQUIRE_BANNER,
    esbuildArgs: { "--alias": Object.entries(aliases).map(([name, path]) => `${name}=${path}`) },
    logLevel: LogLevel.WARNING,
  };
}

/** An ES module has no `require`, but CommonJS packages in it still ask for Node's modules that way. */
const REQUIRE_BANNER = `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`;

/** In the order in which CDK looks for them. */
const LOCK_FILES = ["pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb", "package-lock.json"];

/**
 * CDK builds in the folder of a lock file, which must lie above the entry point: the service's project if it does,
 * else (a linked package, a service outside any project) the one this package is installed in.
 */
function findLockFile(entry: string, servicePath: string): string {
  for (const start of [servicePath, entry]) {
    for (const folder of parents(start)) {
      if (relative(folder, entry).startsWith("..")) continue;
      const lockFile = LOCK_FILES.map((name) => join(folder, name)).find((path) => existsSync(path));
      if (lockFile !== undefined) return lockFile;
    }
  }
  throw new TypeError(
    `There is no lock file above '${servicePath}'. Run npm install there first: functions are built from what it installs.`,
  );
}

function* parents(path: string): Generator<string> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    yield folder;
    if (folder === dirname(folder)) return;
  }
}
