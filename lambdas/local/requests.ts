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
