// The connection token: a JWS whose header is left out, `payload.signature`. The header is the same for every token,
// so sending it would only lengthen each URL, and nobody can ask for another algorithm.

import { createHmac, hkdfSync } from "node:crypto";
import { CompactSign, compactVerify, errors } from "jose";
import type { ConnectionTokenClaims, ConnectionTokens } from "../hub/index.ts";

const HEADER = { alg: "HS256", typ: "signalr-connection" };
const ENCODED_HEADER = Buffer.from(JSON.stringify(HEADER)).toString("base64url");

/** As long as the gateway's URLs at most. The last character carries four bits of the signature; its other two are zero, or one token had four spellings. */
const SHAPE = /^[\w-]{1,4096}\.[\w-]{42}[AEIMQUYcgkosw048]$/;

/**
 * Signs connection tokens with a key derived from `secret`: a JWT that a user holds, made with the same secret, is no
 * connection token, and the other way round.
 *
 * @throws TypeError for a secret of less than 16 characters.
 */
export function connectionTokens(secret: string): ConnectionTokens {
  if (secret.length < 16) {
    throw new TypeError(
      "The secret of connection tokens must have at least 16 characters: shorter ones can be guessed.",
    );
  }
  const key = new Uint8Array(hkdfSync("sha256", secret, "", "signalr-lambda connection token", 32));
  return {
    async issue(claims) {
      const jws = await new CompactSign(encode(claims)).setProtectedHeader(HEADER).sign(key);
      return jws.slice(ENCODED_HEADER.length + 1);
    },
    async verify(token) {
      if (!SHAPE.test(token)) return undefined;
      try {
        const { payload } = await compactVerify(`${ENCODED_HEADER}.${token}`, key, { algorithms: [HEADER.alg] });
        return decode(payload);
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
    async nameOfKey(hub, userIdentifier, resumeKey) {
      const text = JSON.stringify([hub, userIdentifier ?? null, resumeKey]);
      return createHmac("sha256", key).update(text).digest("base64url");
    },
  };
}

/** An array, because names would lengthen every URL. */
function encode({ hub, connectionId, issuedAt, stateful, userIdentifier }: ConnectionTokenClaims): Uint8Array {
  const user = userIdentifier === undefined ? [] : [userIdentifier];
  return Buffer.from(JSON.stringify([hub, connectionId, issuedAt, stateful ? 1 : 0, ...user]));
}

/** Checked in spite of the signature: another version of this package may have made the token with the same secret. */
function decode(payload: Uint8Array): ConnectionTokenClaims | undefined {
  const fields: unknown = JSON.parse(Buffer.from(payload).toString());
  if (!Array.isArray(fields)) return undefined;
  const [hub, connectionId, issuedAt, stateful, userIdentifier] = fields as unknown[];
  if (typeof hub !== "string" || typeof connectionId !== "string" || !Number.isSafeInteger(issuedAt)) return undefined;
  if (stateful !== 0 && stateful !== 1) return undefined;
  if (userIdentifier !== undefined && typeof userIdentifier !== "string") return undefined;
  return {
    hub,
    connectionId,
    issuedAt: issuedAt as number,
    stateful: stateful === 1,
    ...(userIdentifier !== undefined && { userIdentifier }),
  };
}
