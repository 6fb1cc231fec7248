// Promises that the author's code leaves rejected, with nobody waiting for them.

import type { Log } from "./hub/index.ts";

/**
 * Logs them and lets the process go on, as ASP.NET does. Takes the place of every listener there is: Lambda's own ends
 * the process, and with it whatever another connection has under way.
 */
export function logUnhandledRejections(log: Log): void {
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (error) => {
    log.error("A promise was rejected and nobody waited for it. Await it, or catch what it throws.", { error });
  });
}
