// The secret of connection tokens, beside the database: whoever finds connections on disk again also finds what their
// tokens and the names of their resume keys were made with.

import { randomBytes, randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The secret of a data directory is there and cannot be used, or cannot be put there. */
export class TokenSecretError extends Error {
  override readonly name = "TokenSecretError";
  readonly code = "token_secret_unusable";

  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(
      `The token secret in ${file} ${problem}. Let this user read and write it; or delete it, and a new one is made, with which nobody finds the connections kept in the directory again.`,
      options,
    );
  }
}

const BYTES = 32;
/** As it is written: base64url, and perhaps the line break of an editor. */
const SHAPE = /^([\w-]{43})\n?$/;

/**
 * The secret of a data directory, made the first time and the same ever after. Only this user may read it. Made under
 * another name and then linked, so it is there as a whole or not at all, and of two who make it at once both get the
 * first one.
 *
 * @throws TokenSecretError
 */
export async function tokenSecret(dataDir: string): Promise<string> {
  const file = join(dataDir, "token-secret");
  const found = await read(file);
  if (found !== undefined) return found;
  const draft = `${file}.${randomUUID()}`;
  try {
    await mkdir(dataDir, { recursive: true });
    await writeFile(draft, randomBytes(BYTES).toString("base64url"), { mode: 0o600, flag: "wx" });
    await link(draft, file);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw new TokenSecretError(file, "cannot be written", { cause: error });
  } finally {
    await rm(draft, { force: true });
  }
  const made = await read(file);
  if (made === undefined) throw new TokenSecretError(file, "was deleted while it was made");
  return made;
}

async function read(file: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new TokenSecretError(file, "cannot be read", { cause: error });
  }
  const [, secret] = SHAPE.exec(text) ?? [];
  if (secret === undefined) throw new TokenSecretError(file, "is not one that was made here");
  return secret;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
