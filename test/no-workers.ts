import type { Workers } from "../lambdas/hub/index.ts";

/** For what never streams. */
export const NO_WORKERS: Workers = { start: () => Promise.reject(new Error("There are no workers here.")) };
