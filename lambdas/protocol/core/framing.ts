// The records of text, and what frames of either protocol may suffer from.

import { ProtocolError } from "../messages.ts";

/** Ends every record of the text protocols, handshake included: ASCII record separator. */
export const RECORD_SEPARATOR = "\u001e";

/** Splits a frame into records; `tail` is what follows the last separator, empty in a complete frame. */
export function splitRecords(text: string): { readonly records: readonly string[]; readonly tail: string } {
  const records = text.split(RECORD_SEPARATOR);
  const tail = records.pop() ?? "";
  return { records, tail };
}

/** Each record with its separator, and what follows the last one. */
export function split(text: string): readonly string[] {
  const { records, tail } = splitRecords(text);
  const whole = records.map((record) => record + RECORD_SEPARATOR);
  return tail === "" ? whole : [...whole, tail];
}

/** A message that is larger than it may be. Bytes. */
export function tooLarge(maximum: number): ProtocolError {
  return new ProtocolError(
    `The maximum message size of ${maximum}B was exceeded. The message size can be configured by maximumReceiveMessageSize.`,
  );
}

/** A frame that ends within a message. */
export function cutShort(): ProtocolError {
  return new ProtocolError("Connection terminated while reading a message.");
}
