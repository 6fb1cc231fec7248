/**
 * What the distribution tells its origins, by header. All but `secret` are set by the edge function, over whatever a
 * client sent under the same name; they count only beside the right secret.
 */
export const EDGE_HEADERS = {
  /** The origin secret: it came through the distribution, and not around it. */
  secret: "x-origin-verify",
  /** The host that the client asked. An origin sees its own name as `Host`. */
  host: "x-forwarded-host",
  /** The client's address. An origin sees CloudFront's as the source. */
  address: "x-viewer-address",
  /** The client's `Authorization` where CloudFront puts its own signature. */
  authorization: "x-viewer-authorization",
} as const;
