// MessagePack hub protocol, server to client: every message an array, with all the elements that the reference writes.

import type { ServerMessage } from "../messages.ts";
import { frameMessage } from "./messagepack-framing.ts";
import { encodeValue } from "./messagepack-values.ts";
import { plain } from "./plain.ts";

const ERROR_RESULT = 1;
const VOID_RESULT = 2;
const NON_VOID_RESULT = 3;

export function encodeMessagePack(message: ServerMessage): string {
  return frameMessage(encodeValue(toElements(message)));
}

function toElements(message: ServerMessage): readonly unknown[] {
  switch (message.kind) {
    case "invocation":
      return [1, {}, message.id, message.target, plain(message.args), []];
    case "completion":
      return "error" in message
        ? [3, {}, message.id, ERROR_RESULT, message.error]
        : [3, {}, message.id, NON_VOID_RESULT, data(message.result)];
    case "streamItem":
      return [2, {}, message.id, data(message.item)];
    case "streamEnd":
      return [3, {}, message.id, VOID_RESULT];
    case "ping":
      return [6];
    case "ack":
      return [8, plain(message.sequenceId)];
    case "sequence":
      return [9, plain(message.sequenceId)];
    case "filler":
      // Clients ignore the completion of an invocation they do not know, and count it.
      return [3, {}, "-", VOID_RESULT];
    case "close":
      return [7, message.error || null, message.allowReconnect === true];
  }
}

/** A function is no data, for one: the caller would take it for a result of nothing. */
function data(value: unknown): unknown {
  const said = plain(value ?? null);
  if (said === undefined) throw new TypeError("The result cannot be serialised as MessagePack.");
  return said;
}
