// A service file after bundling: imported under a name of its own each time, and checked.

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, extname, join, parse, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isService, type Service } from "../hub/index.ts";

/** Under tsx and vitest. What they import has to be called TypeScript too, or they leave it to Node. */
export const FROM_SOURCE = extname(import.meta.url) === ".ts";

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

/** A service file as one module of JavaScript. Plain data, so it can be loaded by any thread. */
export interface ServiceBundle {
  /** The service file, for what is said about it. */
  readonly file: string;
  readonly code: string;
}

/**
 * Imports a service file anew: nothing of an earlier time is shared, but what it imports from packages.
 *
 * @throws ServiceFileError
 */
export async function loadService({ file, code }: ServiceBundle): Promise<Service> {
  return serviceOf(file, await importBundle(file, code));
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
export function outputDirectory(file: string): string {
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
