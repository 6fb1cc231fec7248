// The shape of MessagePack, from its type bytes alone. What a client sends is walked once before any of it is decoded:
// the library makes room for as many elements as an array says it has, at every level, and lets any depth pass.
// https://github.com/msgpack/msgpack/blob/master/spec.md

import { MAXIMUM_DEPTH } from "./plain.ts";

type Family = "nil" | "boolean" | "number" | "string" | "binary" | "extension" | "array" | "map";

/** What the first bytes of a value say. */
interface Head {
  readonly family: Family;
  /** What follows: elements of an array, entries of a map, bytes of anything else. */
  readonly size: number;
  /** Where it follows. */
  readonly end: number;
}

type Layout = readonly [Family, { readonly size: number } | { readonly sizeBytes: number }];

const fixed = (family: Family, ...sizes: readonly number[]) => sizes.map((size): Layout => [family, { size }]);

/** Of which the size comes next, in so many bytes. */
const sized = (family: Family, ...widths: readonly number[]) =>
  widths.map((sizeBytes): Layout => [family, { sizeBytes }]);

/** What the type bytes from 0xc0 to 0xdf begin. */
const LAYOUTS: readonly (Layout | undefined)[] = [
  ...fixed("nil", 0),
  undefined,
  ...fixed("boolean", 0, 0),
  ...sized("binary", 1, 2, 4),
  ...sized("extension", 1, 2, 4),
  // Floats, then unsigned integers, then signed ones.
  ...fixed("number", 4, 8),
  ...fixed("number", 1, 2, 4, 8),
  ...fixed("number", 1, 2, 4, 8),
  ...fixed("extension", 1, 2, 4, 8, 16),
  ...sized("string", 1, 2, 4),
  ...sized("array", 2, 4),
  ...sized("map", 2, 4),
];

/** @throws RangeError when there is none */
export function headAt(bytes: Buffer, start: number): Head {
  const code = bytes.readUInt8(start);
  const end = start + 1;
  if (code <= 0x7f || code >= 0xe0) return { family: "number", size: 0, end };
  if (code <= 0x8f) return { family: "map", size: code & 0x0f, end };
  if (code <= 0x9f) return { family: "array", size: code & 0x0f, end };
  if (code <= 0xbf) return { family: "string", size: code & 0x1f, end };
  const layout = LAYOUTS[code - 0xc0];
  if (layout === undefined) throw new RangeError(`0x${code.toString(16)} begins no value.`);
  const [family, said] = layout;
  if ("size" in said) return { family, size: said.size, end };
  return { family, size: bytes.readUIntBE(end, said.sizeBytes), end: end + said.sizeBytes };
}

/** Where a value ends that is whole, not too deep, and of known types. @throws RangeError when it is not */
export function endOf(bytes: Buffer, start: number, depth = 0): number {
  if (depth > MAXIMUM_DEPTH) throw new RangeError(`A value has more than ${MAXIMUM_DEPTH} levels.`);
  const { family, size, end } = headAt(bytes, start);
  if (family === "array") return endOfMany(bytes, end, size, depth + 1);
  if (family === "map") return endOfMany(bytes, end, size * 2, depth + 1);
  if (family === "extension") return endOfTimestamp(bytes, end, size);
  if (end + size > bytes.length) throw new RangeError("A value is longer than its message.");
  return end + size;
}

function endOfMany(bytes: Buffer, start: number, count: number, depth: number): number {
  let end = start;
  // However many are said to come, each has a byte at least.
  for (let passed = 0; passed < count; passed++) end = endOf(bytes, end, depth);
  return end;
}

const TIMESTAMP = -1;

/** The one extension there is: its type is a byte in front of what it holds. */
function endOfTimestamp(bytes: Buffer, start: number, size: number): number {
  const type = bytes.readInt8(start);
  if (type !== TIMESTAMP) throw new RangeError(`Extension type ${type} is not known.`);
  if (start + 1 + size > bytes.length) throw new RangeError("A value is longer than its message.");
  return start + 1 + size;
}
