// MessagePack hub protocol, client to server, as strict as the reference and with its texts.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/common/Protocols.MessagePack/src/Protocol/MessagePackHubProtocolWorker.cs

import { type ClientMessage, type ParsedFrame, ProtocolError } from "../messages.ts";
import { splitMessages } from "./messagepack-framing.ts";
import { MessageReader } from "./messagepack-reader.ts";

export function parseMessagePack(text: string, maximumMessageSize?: number): ParsedFrame {
  const messages: ClientMessage[] = [];
  try {
    for (const bytes of splitMessages(Buffer.from(text, "latin1"), maximumMessageSize)) {
      const message = parseMessage(new MessageReader(bytes));
      if (message !== undefined) messages.push(message);
    }
    return { messages, error: undefined };
  } catch (error) {
    if (error instanceof ProtocolError) return { messages, error };
    throw error;
  }
}

/** Undefined for a message type of the future, which is to be ignored. What a message has at its end too much is, too. */
function parseMessage(reader: MessageReader): ClientMessage | undefined {
  const elements = reader.arrayLength("message");
  switch (reader.int32("messageType")) {
    case 1:
      return parseInvocation(reader, elements);
    case 2:
      return { kind: "streamItem", id: readId(reader, "StreamItem"), item: reader.value("item") };
    case 3:
      return parseCompletion(reader);
    case 4:
      return parseStreamInvocation(reader, elements);
    case 5:
      return { kind: "cancelInvocation", id: readId(reader, "CancelInvocation") };
    case 6:
      return { kind: "ping" };
    case 7:
      return parseClose(reader, elements);
    case 8:
      return { kind: "ack", sequenceId: reader.int64("sequenceId") };
    case 9:
      return { kind: "sequence", sequenceId: reader.int64("sequenceId") };
    default:
      return undefined;
  }
}

function parseInvocation(reader: MessageReader, elements: number): ClientMessage {
  const headers = readHeaders(reader);
  // An empty id counts as none.
  const id = reader.string("invocationId") || undefined;
  const target = notEmpty(reader.string("target"), "target for Invocation message");
  return { kind: "invocation", id, target, ...readArguments(reader, elements), ...headers };
}

function parseStreamInvocation(reader: MessageReader, elements: number): ClientMessage {
  const headers = readHeaders(reader);
  const id = notEmpty(reader.string("invocationId"), "invocation ID for StreamInvocation message");
  const target = notEmpty(reader.string("target"), "target for StreamInvocation message");
  return { kind: "streamInvocation", id, target, ...readArguments(reader, elements), ...headers };
}

function readArguments(
  reader: MessageReader,
  elements: number,
): { readonly args: readonly unknown[]; readonly streamIds: readonly string[] } {
  const args = reader.array("arguments", "argument");
  // The stock client leaves the last element out when it has no streams.
  const streamIds = elements > 5 ? times(reader.arrayLength("streamIds"), () => readStreamId(reader)) : [];
  return { args, streamIds };
}

function readStreamId(reader: MessageReader): string {
  return notEmpty(reader.string("streamIds"), "value in streamIds received");
}

function parseCompletion(reader: MessageReader): ClientMessage {
  const id = readId(reader, "Completion");
  switch (reader.int32("resultKind")) {
    case 1: {
      const error = reader.string("error");
      return error === null ? { kind: "completion", id, result: undefined } : { kind: "completion", id, error };
    }
    case 2:
      return { kind: "completion", id, result: undefined };
    case 3:
      return { kind: "completion", id, result: reader.value("argument") };
    default:
      throw new ProtocolError("Invalid invocation result kind.");
  }
}

function parseClose(reader: MessageReader, elements: number): ClientMessage {
  const error = reader.string("error") ?? undefined;
  if (elements > 2) reader.boolean("allowReconnect");
  return { kind: "close", error };
}

/** The id of a message that must have one, behind its headers. */
function readId(reader: MessageReader, message: "StreamItem" | "Completion" | "CancelInvocation"): string {
  readHeaders(reader);
  return notEmpty(reader.string("invocationId"), `invocation ID for ${message} message`);
}

function readHeaders(reader: MessageReader): { readonly headers?: Readonly<Record<string, string>> } {
  const entries = times(reader.mapLength("headers"), (index) => {
    const key = notEmpty(reader.string(`headers[${index}].Key`), "key in header");
    return [key, notEmpty(reader.string(`headers[${index}].Value`), "value in header")] as const;
  });
  // It defines what it is given, `__proto__` too.
  return entries.length === 0 ? {} : { headers: Object.fromEntries(entries) };
}

/** A count is only what the client says: room is made for what has been read. */
function times<T>(count: number, read: (index: number) => T): readonly T[] {
  const all: T[] = [];
  for (let index = 0; index < count; index++) all.push(read(index));
  return all;
}

function notEmpty(value: string | null, what: string): string {
  if (value === null || value === "") throw new ProtocolError(`Null or empty ${what}.`);
  return value;
}
