// JSON hub protocol, server to client. One record per message; a record is never split over two posts.

import type { ServerMessage } from "../messages.ts";
import { RECORD_SEPARATOR } from "./framing.ts";
import { valueToJson } from "./json-value.ts";

export function encode(message: ServerMessage): string {
  return toJson(message) + RECORD_SEPARATOR;
}

function toJson(message: ServerMessage): string {
  switch (message.kind) {
    case "invocation": {
      const id = message.id === undefined ? "" : `"invocationId":${JSON.stringify(message.id)},`;
      return `{"type":1,${id}"target":${JSON.stringify(message.target)},"arguments":${valueToJson(message.args)}}`;
    }
    case "completion":
      return "error" in message
        ? JSON.stringify({ type: 3, invocationId: message.id, error: message.error })
        : `{"type":3,"invocationId":${JSON.stringify(message.id)},"result":${valueToJson(message.result ?? null)}}`;
    case "streamItem":
      return `{"type":2,"invocationId":${JSON.stringify(message.id)},"item":${valueToJson(message.item ?? null)}}`;
    case "streamEnd":
      return JSON.stringify({ type: 3, invocationId: message.id });
    case "ping":
      return '{"type":6}';
    case "ack":
      return JSON.stringify({ type: 8, sequenceId: message.sequenceId });
    case "sequence":
      return JSON.stringify({ type: 9, sequenceId: message.sequenceId });
    case "filler":
      // Clients ignore the completion of an invocation they do not know, and count it.
      return '{"type":3,"invocationId":"-","result":null}';
    case "close":
      return JSON.stringify({
        type: 7,
        ...(message.error !== undefined && { error: message.error }),
        ...(message.allowReconnect && { allowReconnect: true }),
      });
  }
}
