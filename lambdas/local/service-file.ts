// The user's service file: bundled, imported and checked, and again after every change.

import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, extname, join, parse, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, context, formatMessages, type Message, type OutputFile, type Plugin } from "esbuild";
import { isService, type Service } from "../hub/index.ts";

/** Under tsx and vitest. What they import has to be called TypeScript too, or they leave it to Node. */
const FROM_SOURCE = extname(import.meta.url) === ".ts";

export type ServiceFileErrorCode =
  | "service_file_missing"
  | "service_file_does_not_compile"
  | "service_file_threw"
  | "service_file_has_no_service";

/** What is wrong with a service file, and what to do about it. */
export class ServiceFileError extends Error {
  override readonly name = "ServiceFileError";
  readonly code: ServiceFileErrorCode;

  constructor(code: ServiceFileErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Loads the service now, before the promise resolves, and after every change of `file` or of what it imports. Each
 * time one of the callbacks is called; never two at once, and none after `close` has resolved.
 */
export async function watchServiceFile(
  file: string,
  onService: (service: Service) => void,
  onError: (error: ServiceFileError) => void,
): Promise<{ close(): Promise<void> }> {
  let closed = false;
  const report = async (result: Bundled): Promise<void> => {
    const outcome = await load(file, result).catch(serviceFileError);
    if (closed) return;
    if (outcome instanceof ServiceFileError) onError(outcome);
    else onService(outcome);
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

async function load(file: string, { errors, outputFiles = [] }: Bundled): Promise<Service> {
  const [bundle] = outputFiles;
  if (errors.length === 0 && bundle !== undefined) return serviceOf(file, await importBundle(file, bundle.text));
  if (!existsSync(file)) {
    throw new ServiceFileError("service_file_missing", `There is no file ${file}. Is the path right?`);
  }
  const messages = await formatMessages(errors, { kind: "error" });
  throw new ServiceFileError(
    "service_file_does_not_compile",
    `${file} does not compile.\n\n${messages.join("").trim()}`,
  );
}

async function importBundle(file: string, code: string): Promise<Readonly<Record<string, unknown>>> {
  // A new name each time, because Node keeps modules by name. Hidden, because it may lie among the user's files.
  const name = `.${parse(file).name}.${randomUUID()}.${FROM_SOURCE ? "mts" : "mjs"}`;
  const bundle = join(outputDirectory(file), name);
  await mkdir(dirname(bundle), { recursive: true });
  await writeFile(bundle, code);
  try {
    return await import(pathToFileURL(bundle).href);
  } catch (error) {
    const reason = String(error).replaceAll(bundle, resolve(file));
    throw new ServiceFileError("service_file_threw", `${file} threw while it was loaded: ${reason}`, { cause: error });
  } finally {
    await rm(bundle, { force: true });
  }
}

/** A place from which Node finds the packages that the file imports. */
function outputDirectory(file: string): string {
  const directory = dirname(resolve(file));
  for (let above = directory; ; above = dirname(above)) {
    const modules = join(above, "node_modules");
    if (existsSync(modules)) return join(modules, ".cache", "signalr-lambda");
    if (above === dirname(above)) return directory;
  }
}

function serviceOf(file: string, exports: Readonly<Record<string, unknown>>): Service {
  if (isService(exports.default)) return exports.default;
  throw new ServiceFileError("service_file_has_no_service", `${file} ${whatIsMissing(exports)}`);
}

function whatIsMissing(exports: Readonly<Record<string, unknown>>): string {
  const nameOf = (is: (value: unknown) => boolean) => Object.keys(exports).find((name) => is(exports[name]));
  const service = nameOf(isService);
  if (service !== undefined)
    return `exports its service as '${service}'. Make it the default: export default ${service};`;
  const hub = nameOf(isHub);
  if (hub !== undefined) {
    const path = hub === "default" ? "chat: …" : hub;
    return `exports a hub, but no service. Put it into one: export default defineService({ hubs: { ${path} } });`;
  }
  const found = "default" in exports ? "does not export a service as default" : "has no default export";
  return `${found}. Export a service: export default defineService({ hubs: { … } });`;
}

function isHub(value: unknown): boolean {
  return typeof value === "object" && value !== null && "methods" in value;
}

function serviceFileError(error: unknown): ServiceFileError {
  if (error instanceof ServiceFileError) return error;
  throw error;
}
