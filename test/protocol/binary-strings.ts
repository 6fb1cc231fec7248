// Binary strings: one character (0 to 255) per byte.

/** Bytes as a binary string. */
export function latin1(bytes: Uint8Array | ArrayBuffer): string {
  return Buffer.from(bytes as Uint8Array).toString("latin1");
}

/** The bytes of a text in UTF-8, as a binary string. */
export function utf8(text: string): string {
  return latin1(Buffer.from(text, "utf8"));
}

/** Bytes written down: in hexadecimal, and text in quotes. `93 05 80 a1 '1'` */
export function bytes(notation: string): string {
  const parts = notation.matchAll(/'([^']*)'|([0-9a-f]{2})/g);
  return [...parts].map(([, text, byte]) => (byte === undefined ? utf8(text ?? "") : hex(byte))).join("");
}

/** Messages as one binary frame, each behind its length. */
export function frameBytes(...messages: readonly string[]): string {
  return messages.map((message) => prefix(message.length) + message).join("");
}

function hex(byte: string): string {
  return String.fromCharCode(Number.parseInt(byte, 16));
}

function prefix(length: number): string {
  return length < 0x80
    ? String.fromCharCode(length)
    : String.fromCharCode(0x80 + (length % 0x80)) + prefix(length >> 7);
}
