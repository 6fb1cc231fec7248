// The functions, built by the CDK from the construct itself; the bare ones beside them by the same options.

import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { App, Stack } from "aws-cdk-lib";
import { type CfnFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import { bundleOf, type FunctionName } from "../../infra/bundling.ts";
import { SignalRService } from "../../infra/index.ts";

const SERVICE = fileURLToPath(new URL("./service.ts", import.meta.url));

/** Functions that do nothing, by what they depend on. */
const BARE = {
  "dynamodb-jose": new URL("./bare/dynamodb-jose.ts", import.meta.url),
  "dynamodb-connections-jose": new URL("./bare/dynamodb-connections-jose.ts", import.meta.url),
  "dynamodb-connections": new URL("./bare/dynamodb-connections.ts", import.meta.url),
} as const;

type Bare = keyof typeof BARE;

/** Each function, and the bare one to compare it with. */
export const FUNCTIONS: Readonly<Record<FunctionName, Bare>> = {
  negotiate: "dynamodb-jose",
  connect: "dynamodb-connections-jose",
  message: "dynamodb-connections",
  poll: "dynamodb-connections-jose",
  stream: "dynamodb-connections-jose",
  disconnect: "dynamodb-connections",
  work: "dynamodb-connections",
  sweep: "dynamodb-connections",
};

/** Builds everything into a new folder; the bundles by name. */
export async function buildBundles(): Promise<{ folder: string; files: ReadonlyMap<FunctionName | Bare, string> }> {
  const folder = await mkdtemp(join(tmpdir(), "signalr-lambda-bench-"));
  const app = new App({ outdir: folder });
  const stack = new Stack(app, "Bench");
  const { functions } = new SignalRService(stack, "Realtime", { entry: SERVICE });
  const built = new Map<FunctionName | Bare, NodejsFunction>();
  for (const name of Object.keys(FUNCTIONS) as FunctionName[]) built.set(name, functions[name]);
  for (const [name, url] of Object.entries(BARE) as [Bare, URL][]) {
    const entry = fileURLToPath(url);
    const runtime = Runtime.NODEJS_24_X;
    built.set(name, new NodejsFunction(stack, name, { ...bundleOf("message", SERVICE), entry, runtime }));
  }
  const { template } = app.synth().getStackByName("Bench");
  const files = [...built].map(([name, { node }]) => {
    const { S3Key } = template.Resources[stack.getLogicalId(node.defaultChild as CfnFunction)].Properties.Code;
    return [name, join(folder, `asset.${S3Key.replace(/\.zip$/, "")}`, "index.mjs")] as const;
  });
  return { folder, files: new Map(files) };
}
