// When the access token of a user expires.

import type { User } from "./connection-state.ts";

/** Epoch milliseconds, from `exp` in seconds; undefined when the claims do not say. */
export function expiryOf({ claims }: User): number | undefined {
  if (!Object.hasOwn(claims, "exp")) return undefined;
  const time = Math.round(Number(claims.exp) * 1000);
  return typeof claims.exp === "number" && Number.isSafeInteger(time) ? time : undefined;
}
