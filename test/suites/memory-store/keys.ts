// The keys of the rows, of which any part may be any text.

import type { Audience } from "../../../lambdas/hub/index.ts";

export const rowKeys = {
  transport: (transportId: string) => key("transport", transportId),
  session: (transportId: string) => key("session", transportId),
  connection: (connectionId: string) => key("connection", connectionId),
  groupOf: (connectionId: string, group: string) => key("groupOf", connectionId, group),
  frame: (connectionId: string, frame: string) => key("frame", connectionId, frame),
  work: (connectionId: string, work: string) => key("work", connectionId, work),
  message: (connectionId: string, number: number) => key("message", connectionId, String(number).padStart(15, "0")),
  upload: (connectionId: string, stream: string) => key("upload", connectionId, stream),
  uploadItem: (connectionId: string, stream: string, item: string) => key("uploadItem", connectionId, stream, item),
  question: (id: string, connectionId: string) => key("question", id, connectionId),
  resumeKey: (name: string) => key("resumeKey", name),
  membership: (audience: Audience, connectionId: string) => key("member", ...nameOf(audience), connectionId),
  user: (hub: string, user: string) => key("user", hub, user),
  sweeper: key("sweeper"),
} as const;

/** A JSON array without its end: what begins like a key belongs to it, and no name reaches into another row's key. */
export function key(...parts: readonly string[]): string {
  return `${JSON.stringify(parts).slice(0, -1)},`;
}

export function lastPart(name: string): string {
  return JSON.parse(`${name.slice(0, -1)}]`).at(-1);
}

export function nameOf(audience: Audience): readonly string[] {
  switch (audience.kind) {
    case "hub":
      return ["hub", audience.hub];
    case "user":
      return ["user", audience.hub, audience.user];
    case "group":
      return ["group", audience.hub, audience.group];
  }
}

/** As DynamoDB sorts: by UTF-8 bytes. */
export function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}
