// A service file that tells strangers its errors, seen before it is deployed. Nothing of it is executed: its source and
// what it imports of the same project are put together, and read.
import { Annotations } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { buildSync } from "esbuild";

/**
 * Warns at `cdk synth` when the source says `enableDetailedErrors: true`, of the service or a hub. A value that is
 * computed is not seen here; the functions warn of it when they start.
 */
export function warnOfDetailedErrors(scope: Construct, servicePath: string): void {
  if (!saysTrue(sourceOf(servicePath))) return;
  Annotations.of(scope).addWarningV2(
    "signalr-lambda:enableDetailedErrors",
    'The service file says `enableDetailedErrors: true`: whoever connects reads the messages of all errors. `"local"` does so on your machine only.',
  );
}

/** Without comments. Empty for a file that does not build: its bundling says why. */
function sourceOf(servicePath: string): string {
  try {
    const { outputFiles } = buildSync({
      entryPoints: [servicePath],
      bundle: true,
      packages: "external",
      platform: "node",
      format: "esm",
      minifyWhitespace: true,
      treeShaking: true,
      legalComments: "none",
      write: false,
      logLevel: "silent",
    });
    return outputFiles.map(({ text }) => text).join("");
  } catch {
    return "";
  }
}

function saysTrue(source: string): boolean {
  return /\benableDetailedErrors["']?:(true|!0)(?![\w$])/.test(source);
}
