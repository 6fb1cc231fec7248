#!/usr/bin/env node
// `signalr-lambda dev FILE`: a service on this machine, reloaded on change. `signalr-lambda token`: an access token.

import { parseArgs } from "node:util";
import { dev } from "./dev.ts";
import { token } from "./token.ts";

const USAGE = `Usage: signalr-lambda dev FILE [options]

Serves the service that FILE exports as default, and reloads it on change without dropping a connection.

  --port N      where to listen (8080; 0 takes any free port)
  --host NAME   on which address (127.0.0.1)
  --data-dir D  keep connections on disk, so that they survive a restart
  --isolate     run each function in threads of its own, one event at a time, as
                Lambda does: variables of the file are not shared
  --pages D     serve the files of a directory to browsers; TypeScript is compiled
  --pages P=D   the same below /P/; both may be given several times
  --run COMMAND runs a command beside the server, in the environment by which
                createHubContext and createNegotiator find it; may be given
                several times

       signalr-lambda token --secret S --sub USER [options]

Prints an access token for trying things out; --help says more.
`;

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      port: { type: "string", default: "8080" },
      host: { type: "string" },
      "data-dir": { type: "string" },
      isolate: { type: "boolean", default: false },
      pages: { type: "string", multiple: true, default: [] },
      run: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", short: "h" },
    },
  });
}

/** `lab=site/lab` is served below /lab/, `site` at the root. */
function pathAndDirectory(given: string): [path: string, directory: string] {
  const [, path = "", directory = given] = /^([\w.~-]+)=(.*)$/.exec(given) ?? [];
  return [path, directory];
}

async function main(args: readonly string[]): Promise<void> {
  // Errors name the user's lines, not the bundle's.
  process.setSourceMapsEnabled(true);
  if (args[0] === "token") return console.log(await token(args.slice(1)));
  const { values, positionals } = parse(args);
  if (values.help) return console.log(USAGE);
  const [command, file, ...others] = positionals;
  if (command !== "dev" || file === undefined || others.length > 0) throw new TypeError(USAGE);
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new TypeError(`--port is '${values.port}'; it is a number from 0 to 65535.`);
  }
  const server = await dev(file, {
    port,
    isolate: values.isolate,
    commands: values.run,
    ...(values.host !== undefined && { host: values.host }),
    ...(values["data-dir"] !== undefined && { dataDir: values["data-dir"] }),
    ...(values.pages.length > 0 && { pages: Object.fromEntries(values.pages.map(pathAndDirectory)) }),
  });
  const stop = (): void => void server.close().then(() => process.exit(0));
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  // Errors with a code say what to do, and a stack would only hide it.
  const expected = error instanceof TypeError || (error instanceof Error && "code" in error);
  console.error(expected ? (error as Error).message : error);
  process.exit(1);
});
