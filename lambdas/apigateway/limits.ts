/**
 * The platform's own numbers. Bytes and milliseconds; none of them can be raised.
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
 */
export const API_GATEWAY = {
  /** Largest WebSocket frame; a larger one closes the socket with 1009. */
  frameBytes: 32 * 1024,
  /** Largest WebSocket message, and largest post to `@connections` (413 beyond it). */
  messageBytes: 128 * 1024,
  /** A socket without a frame in either direction for this long is closed with 1001. */
  idleTimeout: 10 * 60_000,
  /** No socket lives longer; it is closed with 1001. */
  connectionDuration: 2 * 60 * 60_000,
  /** Longest integration of a route or an HTTP request. */
  integrationTimeout: 29_000,
  /** Longest URL of a WebSocket upgrade, in characters. */
  urlLength: 4096,
} as const;

/** Lambda's. Bytes and milliseconds. @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const LAMBDA = {
  /** Largest event of an asynchronous invocation. */
  asynchronousPayloadBytes: 1024 * 1024,
  /** Longest run of a function. */
  timeout: 15 * 60_000,
} as const;

/**
 * Query parameter that carries the hub's path to the socket: a WebSocket API has no paths after its stage.
 * A repeated parameter counts with its last value, so what a host in front appends wins over what a client wrote.
 */
export const HUB_PARAMETER = "hub";
