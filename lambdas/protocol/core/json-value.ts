// A value as JSON, with bytes as base64, as the reference spells `byte[]`, and bigints as numbers.

import { plain } from "./plain.ts";

/** @throws TypeError for what is no data, or contains itself. */
export function valueToJson(value: unknown): string {
  // JSON.stringify is several times faster than a walk in JavaScript that builds text, so it has all it spells right.
  const json = isSpelledRight(value) ? JSON.stringify(value) : write(plain(value));
  // It leaves out what is no JSON, a function for one: the caller would take that for a result of nothing.
  if (json === undefined) throw new TypeError("The result cannot be serialised as JSON.");
  return json;
}

/** Deeper values are rare, or contain themselves. Levels. */
const USUAL_DEPTH = 50;

/** Whether JSON.stringify can have the value: it spells bytes as an object of indices, and bigints not at all. */
function isSpelledRight(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null) return typeof value !== "bigint";
  if (value instanceof Uint8Array || depth > USUAL_DEPTH) return false;
  if (Array.isArray(value)) return value.every((item) => isSpelledRight(item, depth + 1));
  if ("toJSON" in value) return value instanceof Date;
  for (const key in value) {
    if (!isSpelledRight((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

/** What `plain` gives, as text. */
function write(value: unknown): string | undefined {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return `"${toBase64(value)}"`;
  if (Array.isArray(value)) return `[${value.map(write).join()}]`;
  if (typeof value !== "object" || value === null || value instanceof Date) return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`)}}`;
}

function toBase64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}
