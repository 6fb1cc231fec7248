import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // Tests run the source; the built package is tested as a package by the tests of the command line.
    alias: [
      { find: /^signalr-lambda$/, replacement: source("./lambdas/index.ts") },
      { find: "signalr-lambda/aws", replacement: source("./lambdas/functions.ts") },
      { find: "signalr-lambda/local", replacement: source("./lambdas/local-server.ts") },
      { find: "signalr-lambda/negotiate", replacement: source("./lambdas/negotiator.ts") },
      { find: "signalr-lambda/protocol", replacement: source("./lambdas/protocol/index.ts") },
      { find: "signalr-lambda/client", replacement: source("./lambdas/client/index.ts") },
      { find: "signalr-lambda/cdk", replacement: source("./infra/index.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
    // For what hangs; how fast anything is does not decide a test.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: "100%",
    // Files share what they import, which takes as long as a third of the tests: whoever changes something puts it back.
    isolate: false,
  },
});
