// JSON hub protocol, server to client. One record per message; a record is never split over two posts.

import type { ServerMessage } from "../messages.ts";
import { RECORD_SEPARATOR } from "./framing.ts";

export function encode(message: ServerMessage): string {
  return JSON.stringify(toJson(message)) + RECORD_SEPARATOR;
}

function toJson(message: ServerMessage): object {
  switch (message.kind) {
    case "invocation":
      return { type: 1, target: message.target, arguments: message.args };
    case "completion":
      return "error" in message
        ? { type: 3, invocationId: message.id, error: message.error }
        : { type: 3, invocationId: message.id, result: message.result ?? null };
    case "ping":
      return { type: 6 };
    case "close":
      return {
        type: 7,
        ...(message.error !== undefined && { error: message.error }),
        ...(message.allowReconnect && { allowReconnect: true }),
      };
  }
}
