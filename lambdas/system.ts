// Time and randomness of the machine.

import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Clock, Random } from "./hub/index.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    // An abort ends the wait, which is all the caller wants to know.
    await setTimeout(Math.max(0, milliseconds), undefined, signal && { signal }).catch(() => undefined);
  },
};

export const systemRandom: Random = {
  id: () => randomBytes(16).toString("base64url"),
};
