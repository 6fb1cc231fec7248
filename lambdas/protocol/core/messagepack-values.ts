// JavaScript's values as MessagePack's, and back. Integers that a number holds exactly are numbers, larger ones bigints;
// `bin` is a Uint8Array, the timestamp a Date, a map an object: an integer as a key becomes text.

import { DecodeError, decode, encode } from "@msgpack/msgpack";

/** @throws RangeError or DecodeError when the bytes are not one value; `endOf` has found where they end. */
export function decodeValue(bytes: Uint8Array): unknown {
  // The library refuses `__proto__` as a key.
  return settle(decode(bytes, { useBigInt64: true, mapKeyConverter: toKey }));
}

/** Takes what `plain` gives. */
export function encodeValue(value: unknown): Uint8Array {
  return encode(value, { useBigInt64: true, maxDepth: Number.POSITIVE_INFINITY });
}

/** Whether reading went wrong because of what was read. */
export function isMalformed(error: unknown): boolean {
  return error instanceof RangeError || error instanceof DecodeError;
}

function toKey(key: unknown): string {
  if (typeof key === "string") return key;
  if (typeof key === "number" || typeof key === "bigint") return key.toString();
  throw new DecodeError("A key is neither text nor a number.");
}

/** What the library gives, as authors get it. */
function settle(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value !== "object" || value === null) return value;
  // The library's is a window on the whole frame.
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value instanceof Date) return checkDate(value);
  if (Array.isArray(value)) return value.map(settle);
  const members = value as Record<string, unknown>;
  for (const key of Object.keys(members)) members[key] = settle(members[key]);
  return members;
}

function checkDate(date: Date): Date {
  if (Number.isNaN(date.getTime())) throw new RangeError("A timestamp is further away than a Date can be.");
  return date;
}
