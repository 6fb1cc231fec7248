// The edge function: who runs it, CloudFront or the local gateway, gets its text here.

import { readFileSync } from "node:fs";

/** The origins among which the edge function chooses, by the ids under which a distribution has them. */
export const ORIGINS = { socket: "socket", http: "http", stream: "stream" } as const;

export type OriginId = keyof typeof ORIGINS;

/** The path at which the HTTP origin has long polling and sending. */
export const POLL_PATH = "/poll";

/** @param socketStage the stage of the WebSocket API. */
export function edgeFunction(socketStage: string): string {
  const text = readFileSync(new URL("./viewer-request.js", import.meta.url), "utf8");
  return text.replace("{{SOCKET_STAGE}}", socketStage);
}
