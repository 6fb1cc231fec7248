// A request as one of the origins gets it: straight from its client, or as CloudFront passes it on.

import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

export type Header = readonly [name: string, value: string];

export interface OriginRequest {
  readonly method: string;
  /** Escaped as it came. */
  readonly path: string;
  /** What stands behind the question mark. */
  readonly query: string;
  /** Names as the last who sent them spells them. */
  readonly headers: readonly Header[];
  readonly httpVersion: string;
  /** Whom the origin talks to. */
  readonly sourceIp: string;
  readonly port: number | undefined;
}

export function directRequest(request: IncomingMessage): OriginRequest {
  const { method = "GET", url = "/", rawHeaders, httpVersion, socket } = request;
  const { path, query } = splitUrl(url);
  const headers: Header[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    headers.push(rawHeaders.slice(index, index + 2) as unknown as Header);
  }
  return { method, path, query, headers, httpVersion, sourceIp: sourceIpOf(request), port: socket.localPort };
}

export function splitUrl(url: string): { readonly path: string; readonly query: string } {
  const mark = url.indexOf("?");
  return mark < 0 ? { path: url, query: "" } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

function sourceIpOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
}

/** A header's value, the first one; undefined if it was not sent. */
export function headerOf({ headers }: OriginRequest, name: string): string | undefined {
  return headers.find((header) => header[0].toLowerCase() === name)?.[1];
}

/** The headers that an event has: those of the request, and what API Gateway adds to them. */
export function eventHeaders(request: OriginRequest): Header[] {
  const forwardedFor = headerOf(request, "x-forwarded-for");
  return [
    ...request.headers.filter(([name]) => !HIDDEN.has(name.toLowerCase())),
    ["X-Amzn-Trace-Id", `Root=1-${randomBytes(4).toString("hex")}-${randomBytes(12).toString("hex")}`],
    ["X-Forwarded-For", [...(forwardedFor ? [forwardedFor] : []), request.sourceIp].join(", ")],
    ["X-Forwarded-Port", String(request.port)],
    ["X-Forwarded-Proto", "http"],
  ];
}

/** The gateway's own, which replace what a client sent under the same names; and those of one hop. */
const HIDDEN = new Set([
  "connection",
  "upgrade",
  "x-amzn-trace-id",
  "x-forwarded-for",
  "x-forwarded-port",
  "x-forwarded-proto",
]);
