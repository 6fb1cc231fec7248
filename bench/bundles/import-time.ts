// How long a fresh process takes to import a bundle: the part of a cold start that is ours to shorten.

import { execFile } from "node:child_process";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What the functions find in Lambda; `NODE_OPTIONS` as the construct sets it. */
const ENVIRONMENT = {
  NODE_OPTIONS: "--enable-source-maps",
  AWS_REGION: "eu-central-1",
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  SIGNALR_TABLE: "table",
  SIGNALR_CALLBACK_URL: "https://bench.execute-api.eu-central-1.amazonaws.com/prod",
  SIGNALR_TOKEN_SECRET: "s".repeat(64),
  SIGNALR_WORKER: "work",
  SIGNALR_MESSAGE: "message",
};

/** Milliseconds. */
export async function importTime(file: string): Promise<number> {
  const script = `
    globalThis.awslambda = { streamifyResponse: (handler) => handler };
    const started = performance.now();
    await import(${JSON.stringify(pathToFileURL(file).href)});
    console.log(performance.now() - started);
    process.exit();`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script], { env: ENVIRONMENT });
  return Number(stdout);
}
