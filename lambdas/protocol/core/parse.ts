// JSON hub protocol, client to server, as strict as the reference and with its texts.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/common/Protocols.Json/src/Protocol/JsonHubProtocol.cs

import { type ClientMessage, type ParsedFrame, ProtocolError } from "../messages.ts";
import { RECORD_SEPARATOR, splitRecords } from "./framing.ts";
import { type Fields, findProblem, readObject, tokenOf, wrongType } from "./json.ts";

export function parse(text: string, maximumMessageSize?: number): ParsedFrame {
  const { records, tail } = splitRecords(text);
  const messages: ClientMessage[] = [];
  try {
    for (const record of records) {
      checkSize(record + RECORD_SEPARATOR, maximumMessageSize);
      const message = parseRecord(record);
      if (message !== undefined) messages.push(message);
    }
    // The reference waits for the rest of a record. A gateway's message is whole, so no rest will come.
    checkSize(tail, maximumMessageSize);
    if (tail !== "") throw new ProtocolError("Connection terminated while reading a message.");
    return { messages, error: undefined };
  } catch (error) {
    if (error instanceof ProtocolError) return { messages, error };
    throw error;
  }
}

const encoder = new TextEncoder();

function checkSize(message: string, maximum = Number.POSITIVE_INFINITY): void {
  // A character has at most three bytes.
  if (message.length * 3 <= maximum || encoder.encode(message).length <= maximum) return;
  throw new ProtocolError(
    `The maximum message size of ${maximum}B was exceeded. The message size can be configured by maximumReceiveMessageSize.`,
  );
}

/** Undefined for a message type of the future, which is to be ignored. */
function parseRecord(record: string): ClientMessage | undefined {
  const read = readObject(record);
  if ("problem" in read) throw new ProtocolError(read.problem);
  const { fields } = read;
  const problem = findProblem(fields, checkField);
  if (problem !== undefined) throw new ProtocolError(problem);
  switch (fields.type) {
    case undefined:
      throw missing("type");
    case 1:
      return parseInvocation(fields);
    case 2:
      return { kind: "streamItem", id: parseId(fields), item: required(fields, "item") };
    case 3:
      return parseCompletion(fields);
    case 4:
      return parseStreamInvocation(fields);
    case 5:
      return { kind: "cancelInvocation", id: parseId(fields) };
    case 6:
      return { kind: "ping" };
    case 7:
      return { kind: "close", error: fields.error as string | undefined };
    case 8:
      return { kind: "ack", sequenceId: parseSequenceId(fields) };
    case 9:
      return { kind: "sequence", sequenceId: parseSequenceId(fields) };
    default:
      return undefined;
  }
}

/** Known properties are checked in every message, whether its type has them or not, in the order in which they come. */
function checkField(name: string, value: unknown): string | undefined {
  switch (name) {
    case "type":
      return wrongType(name, value, "Number");
    case "sequenceId":
      return value === null ? undefined : wrongType(name, value, "Number");
    case "invocationId":
    case "target":
    case "error":
      return wrongType(name, value, "String");
    case "arguments":
      return wrongType(name, value, "Array");
    case "streamIds":
      return wrongType(name, value, "Array") ?? wrongStreamId(value as readonly unknown[]);
    case "headers":
      return wrongHeader(value);
    case "allowReconnect":
      return typeof value === "boolean" ? undefined : "Expected 'allowReconnect' to be true or false.";
    default:
      return undefined;
  }
}

function wrongStreamId(streamIds: readonly unknown[]): string | undefined {
  const wrong = streamIds.find((id) => typeof id !== "string");
  if (wrong === null) return "Null value for 'streamIds' is not valid.";
  return wrong === undefined ? undefined : "Expected 'streamIds' to be of type String Array.";
}

function wrongHeader(headers: unknown): string | undefined {
  if (tokenOf(headers) !== "Object") return "Expected 'headers' to be of type StartObject.";
  const wrong = Object.entries(headers as Fields).find(([, value]) => typeof value !== "string");
  return wrong && `Expected header '${wrong[0]}' to be of type String.`;
}

function parseInvocation(fields: Fields): ClientMessage {
  const target = required(fields, "target") as string;
  const args = required(fields, "arguments") as readonly unknown[];
  // An empty id counts as none.
  return {
    kind: "invocation",
    id: (fields.invocationId as string) || undefined,
    target,
    args,
    ...streamIds(fields),
    ...headers(fields),
  };
}

function parseStreamInvocation(fields: Fields): ClientMessage {
  if (fields.target === undefined) throw missing("target");
  const id = parseId(fields);
  const args = required(fields, "arguments") as readonly unknown[];
  const target = required(fields, "target") as string;
  return { kind: "streamInvocation", id, target, args, ...streamIds(fields), ...headers(fields) };
}

function streamIds(fields: Fields): { readonly streamIds: readonly string[] } {
  return { streamIds: (fields.streamIds ?? []) as readonly string[] };
}

function headers(fields: Fields): { readonly headers?: Readonly<Record<string, string>> } {
  return fields.headers === undefined ? {} : { headers: fields.headers as Readonly<Record<string, string>> };
}

function parseCompletion(fields: Fields): ClientMessage {
  const id = parseId(fields);
  const { error, result } = fields as { error?: string; result?: unknown };
  if (error === undefined) return { kind: "completion", id, result };
  if (result !== undefined) throw new ProtocolError("The 'error' and 'result' properties are mutually exclusive.");
  return { kind: "completion", id, error };
}

function parseId(fields: Fields): string {
  return required(fields, "invocationId") as string;
}

function parseSequenceId(fields: Fields): number {
  const { sequenceId } = fields;
  if (sequenceId === undefined || sequenceId === null) throw missing("sequenceId");
  return sequenceId as number;
}

/** Empty strings are as good as absent, wherever an id or a name is meant; items and results may be anything. */
function required(fields: Fields, name: "invocationId" | "target" | "arguments" | "item"): unknown {
  const value = fields[name];
  if (value === undefined || (value === "" && name !== "item")) throw missing(name);
  return value;
}

function missing(name: string): ProtocolError {
  return new ProtocolError(`Missing required property '${name}'.`);
}
