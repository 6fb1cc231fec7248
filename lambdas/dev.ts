// The development server: a service file behind the local gateway, swapped on every change.

import { runCommands } from "./commands.ts";
import { jsonLog } from "./json-log.ts";
import { type ServiceFileError, watchServiceFile } from "./local/index.ts";
import { type ServiceSource, threadedFunctions } from "./local-functions.ts";
import type { LocalServerOptions } from "./local-server.ts";
import { type RunningServer, runServer } from "./run-server.ts";
import { logUnhandledRejections } from "./unhandled-rejections.ts";

export interface DevOptions extends LocalServerOptions {
  /** Whether each function runs in threads of its own, one event at a time, as on Lambda. @default false */
  readonly isolate?: boolean;
  /** Commands of a shell to run beside the server, with its `environment`. @default none */
  readonly commands?: readonly string[];
}

/** Whoever tries something out is not to wait a minute for it. Milliseconds. */
const SWEEP_INTERVAL = 5_000;

/**
 * Starts the server, then prints its URL and what it serves. A later change that does not load leaves the running
 * service as it is. Pages may switch faults, if the server listens on a loopback address.
 *
 * @throws ServiceFileError if the file does not load now; what `startLocalServer` throws.
 */
export async function dev(
  file: string,
  { isolate = false, commands = [], ...options }: DevOptions,
): Promise<{ close(): Promise<void> }> {
  const log = options.log ?? jsonLog(console.error, "info");
  logUnhandledRejections(log);
  let server: RunningServer | undefined;
  let first: ServiceSource | ServiceFileError | undefined;
  const watching = await watchServiceFile(
    file,
    (service, code) => {
      const source = { service, bundle: { file, code } };
      first ??= source;
      if (server === undefined) return;
      server.replace(source);
      console.log(`Reloaded ${file}.`);
    },
    (error) => {
      first ??= error;
      if (server !== undefined) console.error(`${error.message}\nThe service goes on as it was.`);
    },
  );
  try {
    if (first === undefined || first instanceof Error) throw first;
    server = await runServer(
      first,
      { faultApi: true, tableApi: true, sweepInterval: SWEEP_INTERVAL, ...options, log },
      isolate ? threadedFunctions : undefined,
    );
  } catch (error) {
    await watching.close();
    throw error;
  }
  console.log(server.url);
  for (const { path } of first.service.hubs.values()) console.log(`  hub ${server.url}/${path}`);
  for (const path of pagePaths(options.pages)) console.log(`  page ${server.url}/${path}`);
  printEnvironment(server.environment);
  console.log(`Watching ${file}. Stop with Ctrl+C.`);

  const running = server;
  const beside = runCommands(commands, running.environment);
  return {
    async close() {
      await beside.end();
      await watching.close();
      await running.close();
    },
  };
}

/** On one line, to be put before a command: none of it is to stay in somebody's shell. */
function printEnvironment(environment: Readonly<Record<string, string>>): void {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  if (variables.length === 0) return;
  console.log(
    "Before a command, this lets it send to clients here (createHubContext), and answer for them (createNegotiator):",
  );
  console.log(variables.join(" "));
}

function pagePaths(pages: LocalServerOptions["pages"]): readonly string[] {
  if (typeof pages !== "object") return pages === undefined ? [] : [""];
  return Object.keys(pages).map((segment) => (segment === "" ? "" : `${segment}/`));
}
