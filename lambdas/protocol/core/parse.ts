// JSON hub protocol, client to server.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md#json-encoding

import { type ClientMessage, type ParsedFrame, ProtocolError } from "../messages.ts";
import { splitRecords } from "./framing.ts";

type Fields = Readonly<Record<string, unknown>>;

export function parse(text: string): ParsedFrame {
  const { records, tail } = splitRecords(text);
  const messages: ClientMessage[] = [];
  try {
    for (const record of records) {
      const message = parseRecord(record);
      if (message !== undefined) messages.push(message);
    }
    // The reference waits for the rest of a record. A gateway's message is whole, so no rest will come.
    if (tail !== "") throw new ProtocolError("Connection terminated while reading a message.");
    return { messages, error: undefined };
  } catch (error) {
    if (error instanceof ProtocolError) return { messages, error };
    throw error;
  }
}

/** Undefined for a message type of the future, which is to be ignored. */
function parseRecord(record: string): ClientMessage | undefined {
  const fields = parseObject(record);
  switch (required(fields, "type", "Number")) {
    case 1:
    case 4:
      return parseInvocation(fields);
    case 2:
      if (fields.item === undefined) throw new ProtocolError("Missing required property 'item'.");
      return { kind: "streamItem", id: parseId(fields), item: fields.item };
    case 3:
      return parseCompletion(fields);
    case 5:
      return { kind: "cancelInvocation", id: parseId(fields) };
    case 6:
      return { kind: "ping" };
    case 7:
      return { kind: "close", error: optional(fields, "error", "String") as string | undefined };
    case 8:
      return { kind: "ack", sequenceId: required(fields, "sequenceId", "Number") as number };
    case 9:
      return { kind: "sequence", sequenceId: required(fields, "sequenceId", "Number") as number };
    default:
      return undefined;
  }
}

function parseObject(record: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(record);
  } catch {
    throw new ProtocolError("Error reading JSON.");
  }
  if (typeOf(value) !== "Object") {
    throw new ProtocolError(`Unexpected JSON Token Type '${typeOf(value)}'. Expected a JSON Object.`);
  }
  return value as Fields;
}

function parseInvocation(fields: Fields): ClientMessage {
  const streaming = fields.type === 4;
  // An empty id counts as none, as in the reference.
  const id = (optional(fields, "invocationId", "String") as string | undefined) || undefined;
  if (streaming && id === undefined) throw new ProtocolError("Missing required property 'invocationId'.");
  const target = required(fields, "target", "String") as string;
  const args = required(fields, "arguments", "Array") as readonly unknown[];
  const streamIds = (optional(fields, "streamIds", "Array") ?? []) as readonly unknown[];
  if (!streamIds.every((streamId) => typeof streamId === "string")) {
    throw new ProtocolError("Expected 'streamIds' to be of type String Array.");
  }
  optional(fields, "headers", "Object");
  return { kind: streaming ? "streamInvocation" : "invocation", id, target, args, streamIds };
}

function parseCompletion(fields: Fields): ClientMessage {
  const id = parseId(fields);
  const error = optional(fields, "error", "String") as string | undefined;
  if (error === undefined) return { kind: "completion", id, result: fields.result };
  if ("result" in fields) throw new ProtocolError("The 'error' and 'result' properties are mutually exclusive.");
  return { kind: "completion", id, error };
}

function parseId(fields: Fields): string {
  return required(fields, "invocationId", "String") as string;
}

type JsonType = "String" | "Number" | "Array" | "Object" | "Boolean" | "Null";

function required(fields: Fields, name: string, type: JsonType): unknown {
  const value = optional(fields, name, type);
  if (value === undefined || value === "") throw new ProtocolError(`Missing required property '${name}'.`);
  return value;
}

/** Undefined for an absent or null property: the reference reads null strings as absent. */
function optional(fields: Fields, name: string, type: JsonType): unknown {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || (value === null && type === "String")) return undefined;
  if (typeOf(value) !== type || (type === "Number" && !Number.isSafeInteger(value))) {
    throw new ProtocolError(`Expected '${name}' to be of type ${type}.`);
  }
  return value;
}

function typeOf(value: unknown): JsonType {
  if (value === null) return "Null";
  if (Array.isArray(value)) return "Array";
  if (typeof value === "string") return "String";
  if (typeof value === "number") return "Number";
  return typeof value === "boolean" ? "Boolean" : "Object";
}
