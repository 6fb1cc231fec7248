// How the SDK's clients make requests in functions: one that hangs must not take its function with it.

/** Milliseconds; sockets for a broadcast's posts at once. */
export const REQUESTS = {
  connectionTimeout: 1_000,
  requestTimeout: 3_000,
  // Without it the SDK only warns that the time is over, and goes on waiting.
  throwOnRequestTimeout: true,
  httpsAgent: { maxSockets: 128 },
};
