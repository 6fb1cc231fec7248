// The user's service file, checked before anything is built from it.
import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";

/** The `entry` of a service cannot be used. The message names the file and says what it should export. */
export class ServiceFileError extends TypeError {
  override readonly name = "ServiceFileError";
  readonly code = "service_file_invalid";
}

/**
 * The absolute path of the service file `entry`; a relative one counts from the working directory, which under the
 * CDK's command line is the folder of `cdk.json`.
 *
 * @throws ServiceFileError when there is no such file, or it is no JavaScript or TypeScript.
 */
export function resolveServiceFile(entry: string): string {
  if (typeof entry !== "string" || entry === "") {
    throw new ServiceFileError(`SignalRService needs \`entry\`: the path of a service file. ${EXPECTED}`);
  }
  const path = resolve(entry);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new ServiceFileError(
      `The service file '${path}' does not exist. Create it, or correct \`entry\`. ${EXPECTED}`,
    );
  }
  if (!stats.isFile()) {
    throw new ServiceFileError(`\`entry\` is '${path}', which is not a file. Name the service file in it. ${EXPECTED}`);
  }
  if (!/\.[cm]?[jt]sx?$/.test(path)) {
    throw new ServiceFileError(`The service file '${path}' must be TypeScript or JavaScript. ${EXPECTED}`);
  }
  return realpathSync(path);
}

const EXPECTED = "A service file has `export default defineService({ hubs: { … } })`.";
