// The user's service file: bundled, imported and checked, and again after every change.

import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { BuildOptions, Message, OutputFile, Plugin } from "esbuild";
import type { Service } from "../hub/index.ts";
import { FROM_SOURCE, loadService, outputDirectory, ServiceFileError } from "./service-bundle.ts";

/**
 * Loads the service now, before the promise resolves, and after every change of `file` or of what it imports. Each
 * time one of the callbacks is called; never two at once, and none after `close` has resolved. `code` is the file bundled.
 */
export async function watchServiceFile(
  file: string,
  onService: (service: Service, code: string) => void,
  onError: (error: ServiceFileError) => void,
): Promise<{ close(): Promise<void> }> {
  // Loaded here, because it is half of what this package takes to load, and most who load it never get here.
  const { context } = await import("esbuild");
  let closed = false;
  const report = async (result: Bundled): Promise<void> => {
    const outcome = await load(file, result).catch(serviceFileError);
    if (closed) return;
    if (outcome instanceof ServiceFileError) onError(outcome);
    else onService(outcome.service, outcome.code);
  };

  let ready = (): void => {};
  const reportedOnce = new Promise<void>((resolve) => {
    ready = resolve;
  });
  let reports = Promise.resolve();
  const reporter: Plugin = {
    name: "report",
    setup: ({ onEnd }) =>
      onEnd((result) => {
        // Beside the build, not in it: esbuild would swallow what a callback throws.
        reports = reports.then(() => report(result)).then(ready);
      }),
  };
  const { plugins, ...options } = bundling(file);
  const watcher = await context({ ...options, plugins: [...plugins, reporter] });
  await watcher.watch();
  await reportedOnce;
  return {
    async close() {
      closed = true;
      await watcher.dispose();
      await reports;
    },
  };
}

function bundling(file: string): BuildOptions & { readonly plugins: Plugin[] } {
  return {
    entryPoints: [resolve(file)],
    // Where the bundle is imported from, so that source maps lead back to the file.
    outdir: outputDirectory(file),
    write: false,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    logLevel: "silent",
    plugins: [ownPackage],
  };
}

/** What the file imports from this package comes from this very copy, wherever the file lies. */
const ownPackage: Plugin = {
  name: "own-package",
  setup: ({ onResolve }) =>
    onResolve({ filter: /^signalr-lambda(\/|$)/ }, ({ path }) => {
      const url = ownFile(path);
      return url === undefined
        ? { errors: [{ text: `This version of signalr-lambda has no "${path}".` }] }
        : { path: url, external: true };
    }),
};

/** The file behind one of the package's exports: of `dist/`, or the source when that is what runs. */
function ownFile(specifier: string): string | undefined {
  const root = new URL(FROM_SOURCE ? "../../" : "../../../", import.meta.url);
  const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
    exports: Readonly<Record<string, { readonly default: string }>>;
  };
  const built = exports[specifier.replace("signalr-lambda", ".")]?.default;
  const path = FROM_SOURCE ? built?.replace("/dist/", "/").replace(/\.js$/, ".ts") : built;
  return path && new URL(path, root).href;
}

/** Of a build, or of its failure, which has no files. */
interface Bundled {
  readonly errors: Message[];
  readonly outputFiles?: readonly OutputFile[] | undefined;
}

async function load(
  file: string,
  { errors, outputFiles = [] }: Bundled,
): Promise<{ readonly service: Service; readonly code: string }> {
  const [bundle] = outputFiles;
  if (errors.length === 0 && bundle !== undefined) {
    return { service: await loadService({ file, code: bundle.text }), code: bundle.text };
  }
  if (!existsSync(file)) {
    throw new ServiceFileError("service_file_missing", `There is no file ${file}. Is the path right?`);
  }
  const { formatMessages } = await import("esbuild");
  const messages = await formatMessages(errors, { kind: "error" });
  throw new ServiceFileError(
    "service_file_does_not_compile",
    `${file} does not compile.\n\n${messages.join("").trim()}`,
  );
}

function serviceFileError(error: unknown): ServiceFileError {
  if (error instanceof ServiceFileError) return error;
  throw error;
}
