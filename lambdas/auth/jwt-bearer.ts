// JSON Web Tokens as `auth`: who sent a request, by its bearer token.

import {
  type CryptoKey,
  createRemoteJWKSet,
  errors,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import type { Authenticate, Claims, Clock, JwtBearerOptions, Log } from "../hub/index.ts";

const SHARED_SECRET_ALGORITHMS = ["HS256", "HS384", "HS512"];
// Never the two lists together: a public key must not be mistaken for a shared secret.
const KEY_SET_ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** More than the gateway lets through in all headers (10,240 bytes) is nobody's token. */
const MAXIMUM_TOKEN_LENGTH = 10_240;

/**
 * Answers with the token's claims, or null without a token that verifies.
 *
 * @throws JwksUnavailableError, `code` "jwks_unavailable", when it cannot tell: a broken identity provider must not turn
 * its users into anonymous ones.
 */
export function jwtAuthenticator(options: JwtBearerOptions, clock: Clock, log: Log): Authenticate {
  const { issuer, audience, clockTolerance = 5000 } = options;
  const checks: JWTVerifyOptions = {
    requiredClaims: ["exp"],
    clockTolerance: clockTolerance / 1000,
    algorithms: options.secret === undefined ? KEY_SET_ALGORITHMS : SHARED_SECRET_ALGORITHMS,
    ...(issuer !== undefined && { issuer: list(issuer) }),
    ...(audience !== undefined && { audience: list(audience) }),
  };
  const key = options.secret === undefined ? keySet(options.jwksUri) : sharedSecret(options.secret);
  return async ({ token }) => {
    if (token === undefined) return null;
    if (token.length > MAXIMUM_TOKEN_LENGTH) {
      log.info("An access token was refused.", { code: "too_long", length: token.length });
      return null;
    }
    return verify(token, key, { ...checks, currentDate: new Date(clock.now()) }, log);
  };
}

type Key = CryptoKey | Uint8Array | JWTVerifyGetKey;

async function verify(token: string, key: Key, checks: JWTVerifyOptions, log: Log): Promise<Claims | null> {
  try {
    const { payload } = await jwtVerify(token, key, checks);
    return payload;
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return verifyWithAny(token, error, checks, log);
    if (error instanceof errors.JOSEError) {
      // Why, and never the token.
      log.info("An access token was refused.", { code: error.code, reason: error.message });
      return null;
    }
    throw error;
  }
}

/** A token without `kid` may be signed by any key of its kind. */
async function verifyWithAny(token: string, keys: AsyncIterable<CryptoKey>, checks: JWTVerifyOptions, log: Log) {
  for await (const key of keys) {
    const claims = await verify(token, key, checks, log);
    if (claims !== null) return claims;
  }
  return null;
}

function sharedSecret(secret: string): Uint8Array {
  return new TextEncoder().encode(secret);
}

/** Keys are kept for 10 minutes; a `kid` that is not among them fetches anew, at most every 30 seconds. */
function keySet(jwksUri: string): JWTVerifyGetKey {
  const findKey = createRemoteJWKSet(new URL(jwksUri));
  return async (header, token) => {
    try {
      return await findKey(header, token);
    } catch (error) {
      const answered = error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
      throw answered ? error : new JwksUnavailableError(jwksUri, error);
    }
  };
}

function list(value: string | readonly string[]): string[] {
  return typeof value === "string" ? [value] : [...value];
}

/** The keys that verify tokens cannot be had, so nobody can say whether a token is good. */
class JwksUnavailableError extends Error {
  override readonly name = "JwksUnavailableError";
  readonly code = "jwks_unavailable";

  constructor(jwksUri: string, cause: unknown) {
    super(`Cannot get the keys that verify access tokens from ${jwksUri} (${reasons(cause)}). Check \`jwksUri\`.`, {
      cause,
    });
  }
}

/** fetch says "fetch failed" and keeps the reason in its cause. */
function reasons(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${reasons(error.cause)}`;
}
