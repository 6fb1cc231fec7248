// Access tokens of the service's own as `auth`, in front of the user's.

import { errors, type JWTPayload } from "jose";
import type { Authenticate, Claims, Clock, Log, Service } from "../hub/index.ts";
import { accessTokens, isAccessToken } from "./access-tokens.ts";

export interface AccessTokenBearerOptions {
  /** What connection tokens are signed with, too. */
  readonly secret: string;
  readonly service: Pick<Service, "claimTypes" | "closeOnAuthenticationExpiration" | "enableAuthenticationRefresh">;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Answers with the claims of a token that `signalr-lambda/negotiate` issued, and asks `next` about every other request.
 *
 * A token that has expired since still counts for the connection that was negotiated with it: clients that were
 * redirected have no other until they negotiate anew. Not so where expiry ends connections, or tokens are refreshed.
 */
export function accessTokenBearer(
  { secret, service, clock, log }: AccessTokenBearerOptions,
  next: Authenticate | undefined,
): Authenticate {
  const tokens = accessTokens(secret);
  const isStrict = service.closeOnAuthenticationExpiration || service.enableAuthenticationRefresh;
  return async (request) => {
    const { token, hubPath, negotiatedAt } = request;
    if (token !== undefined && isAccessToken(token)) {
      let outcome = await tokens.verify(token, hubPath, clock.now());
      if (outcome instanceof errors.JWTExpired && negotiatedAt !== undefined && !isStrict) {
        outcome = await tokens.verify(token, hubPath, negotiatedAt);
      }
      if (!(outcome instanceof errors.JOSEError)) return identified(outcome, service);
      // Why, and never the token.
      log.info("An access token was refused.", { code: outcome.code, reason: outcome.message });
    }
    return (await next?.(request)) ?? null;
  };
}

/** `sub` is the user identifier, whatever the service reads it from. */
function identified(payload: JWTPayload, { claimTypes }: AccessTokenBearerOptions["service"]): Claims {
  const [first = "sub"] = claimTypes.userIdentifier;
  const found = claimTypes.userIdentifier.find((type) => Object.hasOwn(payload, type));
  return payload.sub === undefined || found === "sub" ? payload : { ...payload, [first]: payload.sub };
}
