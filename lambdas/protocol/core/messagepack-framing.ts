// Binary messages, each behind its length: a VarInt of seven bits a byte, the lowest first, at most 2 GB.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/common/Shared/BinaryMessageParser.cs

import { ProtocolError } from "../messages.ts";
import { cutShort, tooLarge } from "./framing.ts";

const LONGEST_PREFIX = 5;
const LONGEST_MESSAGE = 0x7fffffff;

/** The messages of a frame without their lengths, one after the other. @throws ProtocolError behind the last good one */
export function* splitMessages(
  frame: Buffer,
  maximumMessageSize = Number.POSITIVE_INFINITY,
): Generator<Buffer, void, void> {
  let start = 0;
  while (start < frame.length) {
    const { prefix, length } = readLength(frame, start);
    // A length is only what the client says. Nothing is made of that size.
    if (prefix + length > maximumMessageSize) throw tooLarge(maximumMessageSize);
    const end = start + prefix + length;
    if (end > frame.length) throw cutShort();
    yield frame.subarray(start + prefix, end);
    start = end;
  }
}

/** A message as a frame: a binary string. */
export function frameMessage({ buffer, byteOffset, byteLength }: Uint8Array): string {
  let prefix = "";
  let rest = byteLength;
  for (; rest > 0x7f; rest >>>= 7) prefix += String.fromCharCode((rest & 0x7f) | 0x80);
  return prefix + String.fromCharCode(rest) + Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

function readLength(frame: Buffer, start: number): { readonly prefix: number; readonly length: number } {
  let length = 0;
  for (let prefix = 1; prefix <= LONGEST_PREFIX; prefix++) {
    const byte = frame[start + prefix - 1];
    if (byte === undefined) throw cutShort();
    length += (byte & 0x7f) * 2 ** (7 * (prefix - 1));
    if (byte < 0x80 && length <= LONGEST_MESSAGE) return { prefix, length };
  }
  throw new ProtocolError("Messages over 2GB in size are not supported.");
}

/** Each message with its length, and what is no whole message. */
export function splitFrames(text: string): readonly string[] {
  const frame = Buffer.from(text, "latin1");
  const parts: string[] = [];
  let start = 0;
  try {
    for (const message of splitMessages(frame)) {
      const end = message.byteOffset - frame.byteOffset + message.length;
      parts.push(text.slice(start, end));
      start = end;
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  return start < text.length ? [...parts, text.slice(start)] : parts;
}
