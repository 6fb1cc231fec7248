// `signalr-lambda token`: an access token for trying things out, as `jwtBearer({ secret })` accepts it.

import { parseArgs } from "node:util";
import { SignJWT } from "jose";

export const TOKEN_USAGE = `Usage: signalr-lambda token --secret S --sub USER [options]

Prints an access token (a JWT, HS256) that jwtBearer({ secret: S }) accepts.

  --secret S       what it is signed with: the service's own, 32 characters or more
  --sub USER       who it is for
  --role R         a role; may be given several times
  --claim NAME=V   any other claim, as text; may be given several times
  --minutes N      how long it is good (60)
`;

/** Claims that have an option of their own. */
const TAKEN: ReadonlyMap<string, string> = new Map([
  ["sub", "--sub"],
  ["role", "--role"],
  ["exp", "--minutes"],
]);

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      secret: { type: "string", default: "" },
      sub: { type: "string", default: "" },
      role: { type: "string", multiple: true, default: [] },
      claim: { type: "string", multiple: true, default: [] },
      minutes: { type: "string", default: "60" },
      help: { type: "boolean", short: "h" },
    },
  }).values;
}

/**
 * The token, or the usage if that is asked for.
 *
 * @throws TypeError for a wrong option, saying which and what it should be.
 */
export async function token(args: readonly string[]): Promise<string> {
  const { secret, sub, role, claim, minutes, help } = parse(args);
  if (help) return TOKEN_USAGE;
  if (secret === "" || sub === "") throw new TypeError(`--secret and --sub are needed.\n\n${TOKEN_USAGE}`);
  if (secret.length < 32) {
    throw new TypeError("--secret must have at least 32 characters: shorter ones can be guessed.");
  }
  const time = Number(minutes) * 60;
  if (!(time > 0) || !Number.isSafeInteger(Math.ceil(time))) {
    throw new TypeError(`--minutes is '${minutes}'; it is a number above 0.`);
  }
  const issuedAt = Math.floor(Date.now() / 1000);
  const claims = [...claimsOf(claim), ["sub", sub], ["iat", issuedAt], ["exp", issuedAt + Math.ceil(time)]];
  if (role.length > 0) claims.push(["role", role.length === 1 ? role[0] : role]);
  return new SignJWT(Object.fromEntries(claims))
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .sign(new TextEncoder().encode(secret));
}

function claimsOf(given: readonly string[]): unknown[][] {
  const names = new Set<string>();
  return given.map((text) => {
    const [, name = "", value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (value === undefined) throw new TypeError(`--claim is '${text}'; it is NAME=VALUE, such as tier=premium.`);
    const option = TAKEN.get(name);
    if (option !== undefined) throw new TypeError(`--claim cannot set '${name}'. Use ${option}.`);
    if (names.has(name)) throw new TypeError(`--claim sets '${name}' twice.`);
    names.add(name);
    return [name, value];
  });
}
