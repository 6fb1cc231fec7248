// What both of API Gateway's faces, sockets and HTTP, make of a client's request.

import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** The one stage of the one API. */
export const STAGE = "prod";
export const API_ID = "local";

/** An id as API Gateway makes them: base64 with a `=` at its end, which a URL must escape. */
export function gatewayId(): string {
  return `${randomBytes(11).toString("base64url")}=`;
}

/** `09/Feb/2024:18:11:43 +0000`, the common log format. */
export function commonLogTime(milliseconds: number): string {
  const [, day, month, year, time] = new Date(milliseconds).toUTCString().split(" ");
  return `${day}/${month}/${year}:${time} +0000`;
}

export function sourceIpOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
}

/**
 * The client's headers and what API Gateway adds to them, names as the client wrote them. `Upgrade` and `Connection`
 * are missing: CloudFront hides them.
 */
export function headersOf(request: IncomingMessage): [name: string, value: string][] {
  const { rawHeaders } = request;
  const sent: [string, string][] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name, value] = rawHeaders.slice(index, index + 2) as [string, string];
    if (!HIDDEN.has(name.toLowerCase())) sent.push([name, value]);
  }
  const forwardedFor = request.headers["x-forwarded-for"];
  return [
    ...sent,
    ["X-Amzn-Trace-Id", `Root=1-${randomBytes(4).toString("hex")}-${randomBytes(12).toString("hex")}`],
    ["X-Forwarded-For", [...(forwardedFor ? [forwardedFor] : []), sourceIpOf(request)].join(", ")],
    ["X-Forwarded-Port", String(request.socket.localPort)],
    ["X-Forwarded-Proto", "http"],
  ];
}

/** The gateway's own, which replace what a client sent under the same names; and CloudFront's. */
const HIDDEN = new Set([
  "connection",
  "upgrade",
  "x-amzn-trace-id",
  "x-forwarded-for",
  "x-forwarded-port",
  "x-forwarded-proto",
]);

/** Groups values by name in the order they came. A Map: clients choose the names, `__proto__` among them. */
export function grouped(pairs: Iterable<readonly [name: string, value: string]>): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const sameName = values.get(name);
    if (sameName) sameName.push(value);
    else values.set(name, [value]);
  }
  return values;
}

/** The whole body, or undefined if it is larger than `limit` bytes. The rest is read too, so that an answer arrives. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
  }
  return size <= limit ? Buffer.concat(chunks) : undefined;
}

/** The path without escapes, or undefined if they are malformed. */
export function decodePath(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
