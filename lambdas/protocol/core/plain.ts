// What JSON.stringify would make of a value, as values: `toJSON` is asked, what JSON leaves out is left out. But bytes,
// dates and bigints stay what they are, for each protocol to spell them. So one broadcast means the same in all of them.

/** Deeper values are refused, both ways: the limit of the reference's MessagePack. Levels. */
export const MAXIMUM_DEPTH = 500;

/**
 * `undefined` for what is no data, a function for one.
 * @throws TypeError for what contains itself, or is too deep, or too large a number.
 */
export function plain(value: unknown, key = "", depth = 0): unknown {
  if (depth > MAXIMUM_DEPTH) {
    throw new TypeError(
      `A value that contains itself, or has more than ${MAXIMUM_DEPTH} levels, cannot be serialised.`,
    );
  }
  if (value instanceof Uint8Array) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value;
  if (saysItself(value)) {
    const said = value.toJSON(key);
    if (said !== value) return plain(said, key, depth + 1);
  }
  switch (typeof value) {
    case "function":
    case "symbol":
      return undefined;
    case "number":
      return isLong(value) ? BigInt(value) : value;
    case "bigint":
      return checkBits(value);
    case "object":
      return value && plainMembers(value, depth + 1);
    default:
      return value;
  }
}

function plainMembers(value: object, depth: number): unknown {
  // Not `map`, which leaves holes.
  if (Array.isArray(value)) return Array.from(value, (item, index) => plain(item, String(index), depth) ?? null);
  const members = Object.entries(value).map(([key, member]) => [key, plain(member, key, depth)] as const);
  // It defines what it is given, `__proto__` too.
  return Object.fromEntries(members.filter(([, member]) => member !== undefined));
}

function saysItself(value: unknown): value is { toJSON(key: string): unknown } {
  if (typeof value !== "bigint" && (typeof value !== "object" || value === null)) return false;
  return typeof (value as { toJSON?: unknown }).toJSON === "function";
}

/** MessagePack's library spells only bigints as integers of 64 bits, and .NET refuses a float where it wants a `long`. */
function isLong(value: number): boolean {
  return Number.isSafeInteger(value) && (value > 0xffffffff || value < -0x80000000);
}

function checkBits(value: bigint): bigint {
  if (BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value) return value;
  throw new TypeError("A bigint of more than 64 bits cannot be serialised.");
}
