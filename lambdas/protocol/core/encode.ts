// JSON hub protocol, server to client. One record per message; a record is never split over two posts.

import type { ServerMessage } from "../messages.ts";
import { RECORD_SEPARATOR } from "./framing.ts";

export function encode(message: ServerMessage): string {
  return toJson(message) + RECORD_SEPARATOR;
}

function toJson(message: ServerMessage): string {
  switch (message.kind) {
    case "invocation":
      return JSON.stringify({ type: 1, invocationId: message.id, target: message.target, arguments: message.args });
    case "completion":
      return "error" in message
        ? JSON.stringify({ type: 3, invocationId: message.id, error: message.error })
        : `{"type":3,"invocationId":${JSON.stringify(message.id)},"result":${valueToJson(message.result)}}`;
    case "streamItem":
      return `{"type":2,"invocationId":${JSON.stringify(message.id)},"item":${valueToJson(message.item)}}`;
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

/** JSON.stringify leaves out what is no JSON, a function for one: the caller would take that for a result of nothing. */
function valueToJson(value: unknown): string {
  const json: string | undefined = JSON.stringify(value ?? null);
  if (json === undefined) throw new TypeError("The result cannot be serialised as JSON.");
  return json;
}
