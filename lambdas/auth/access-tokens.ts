// Access tokens of the service's own: JWTs that `signalr-lambda/negotiate` issues and the functions accept. Both sides
// are here, with nothing but jose and Web Crypto, so that a user's API can issue them wherever it runs.

import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify, SignJWT } from "jose";

const HEADER = { alg: "HS256", typ: "signalr-access+jwt" };
const PURPOSE = "signalr-lambda access token";

/** No token is good for longer, whoever issued it. Seconds. */
const MAXIMUM_AGE = 24 * 3600;
/** How far clocks may differ. Seconds. */
const CLOCK_TOLERANCE = 5;

/** What such a token is about. Times are epoch milliseconds, and kept in whole seconds. */
export interface AccessTokenScope {
  /** The hub's path. In any case: so paths match. */
  readonly hub: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

export interface AccessTokens {
  issue(claims: JWTPayload, scope: AccessTokenScope): Promise<string>;
  /** The claims, or why not: not of this secret, for another hub, not good at `now` (epoch milliseconds). Never throws. */
  verify(token: string, hub: string, now: number): Promise<JWTPayload | errors.JOSEError>;
}

/**
 * Signs access tokens with a key derived from `secret`, which is another than that of connection tokens: neither can be
 * used as the other, nor can a JWT that a user signs with the same secret.
 *
 * @throws TypeError for a secret of less than 16 characters.
 */
export function accessTokens(secret: string): AccessTokens {
  if (typeof secret !== "string" || secret.length < 16) {
    throw new TypeError("The secret of access tokens must have at least 16 characters: shorter ones can be guessed.");
  }
  let derived: Promise<Uint8Array> | undefined;
  const key = (): Promise<Uint8Array> => {
    derived ??= deriveKey(secret);
    return derived;
  };
  return {
    async issue(claims, { hub, issuedAt, expiresAt }) {
      const jwt = new SignJWT(claims).setProtectedHeader(HEADER).setAudience(audienceOf(hub));
      return jwt
        .setIssuedAt(seconds(issuedAt))
        .setExpirationTime(seconds(expiresAt))
        .sign(await key());
    },
    async verify(token, hub, now) {
      const checks = {
        algorithms: [HEADER.alg],
        typ: HEADER.typ,
        audience: audienceOf(hub),
        requiredClaims: ["exp"],
        maxTokenAge: MAXIMUM_AGE,
        clockTolerance: CLOCK_TOLERANCE,
        currentDate: new Date(now),
      };
      try {
        return (await jwtVerify(token, await key(), checks)).payload;
      } catch (error) {
        if (error instanceof errors.JOSEError) return error;
        throw error;
      }
    },
  };
}

/** Whether a token says of itself that it is one of these. It proves nothing. */
export function isAccessToken(token: string): boolean {
  try {
    return decodeProtectedHeader(token).typ === HEADER.typ;
  } catch {
    // No JWT at all: a token that the user's own `auth` knows.
    return false;
  }
}

function audienceOf(hub: string): string {
  return hub.toLowerCase();
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

async function deriveKey(secret: string): Promise<Uint8Array> {
  const encoder = new TextEncoder();
  const material = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveBits"]);
  const info = encoder.encode(PURPOSE);
  const algorithm = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, material, 256));
}
