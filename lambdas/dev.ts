// The development server: a service file behind the local gateway, swapped on every change.

import type { Service } from "./hub/index.ts";
import { jsonLog } from "./json-log.ts";
import { type ServiceFileError, watchServiceFile } from "./local/index.ts";
import { type LocalServer, type LocalServerOptions, startLocalServer } from "./local-server.ts";
import { logUnhandledRejections } from "./unhandled-rejections.ts";

/**
 * Starts the server, then prints its URL and what it serves. A later change that does not load leaves the running
 * service as it is.
 *
 * @throws ServiceFileError if the file does not load now; what {@link startLocalServer} throws.
 */
export async function dev(file: string, options: LocalServerOptions): Promise<{ close(): Promise<void> }> {
  const log = options.log ?? jsonLog(console.error, "info");
  logUnhandledRejections(log);
  let server: LocalServer | undefined;
  let first: Service | ServiceFileError | undefined;
  const watching = await watchServiceFile(
    file,
    (service) => {
      first ??= service;
      if (server === undefined) return;
      server.replaceService(service);
      console.log(`Reloaded ${file}.`);
    },
    (error) => {
      first ??= error;
      if (server !== undefined) console.error(`${error.message}\nThe service goes on as it was.`);
    },
  );
  try {
    if (first === undefined || first instanceof Error) throw first;
    server = await startLocalServer(first, { ...options, log });
  } catch (error) {
    await watching.close();
    throw error;
  }
  console.log(server.url);
  for (const { path } of first.hubs.values()) console.log(`  hub ${server.url}/${path}`);
  console.log(`Watching ${file}. Stop with Ctrl+C.`);

  const running = server;
  return {
    async close() {
      await watching.close();
      await running.close();
    },
  };
}
