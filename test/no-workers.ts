import type { Runners, Workers } from "../lambdas/hub/index.ts";

/** For what never streams. */
export const NO_WORKERS: Workers = { start: () => Promise.reject(new Error("There are no workers here.")) };

/** For what never sends over HTTP. */
export const NO_RUNNERS: Runners = {
  start: () => Promise.reject(new Error("There are no runners here.")),
};
