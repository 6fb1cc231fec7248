// Values on their way from one function to another. What MessagePack clients send is more than JSON: bytes, dates and
// large integers come out of it as they went in.

const TAG = "$signalr";

/** As JSON. What is no data, a function for one, is null. */
export function toPortable(value: unknown): string {
  const text = JSON.stringify(value, function (this: Record<string, unknown>, key: string) {
    return tagged(this[key]);
  }) as string | undefined;
  return text ?? "null";
}

export function fromPortable(text: string): unknown {
  // Most values have no tags, and JSON.parse is faster without a reviver.
  return text.includes(`"${TAG}"`) ? JSON.parse(text, (_key, value) => untagged(value)) : JSON.parse(text);
}

function tagged(value: unknown): unknown {
  if (typeof value === "bigint") return { [TAG]: ["integer", value.toString()] };
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return { [TAG]: ["date", Number.isNaN(value.getTime()) ? null : value.getTime()] };
  if (value instanceof Uint8Array) {
    const { buffer, byteOffset, byteLength } = value;
    return { [TAG]: ["bytes", Buffer.from(buffer, byteOffset, byteLength).toString("base64")] };
  }
  // A client's object may have a member of that name.
  return Object.hasOwn(value, TAG) ? { [TAG]: ["object", Object.entries(value)] } : value;
}

function untagged(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, TAG)) return value;
  const [kind, content] = (value as { readonly [TAG]: readonly [string, unknown] })[TAG];
  switch (kind) {
    case "integer":
      return BigInt(content as string);
    case "date":
      return new Date((content as number | null) ?? Number.NaN);
    case "bytes":
      return new Uint8Array(Buffer.from(content as string, "base64"));
    default:
      return Object.fromEntries(content as readonly (readonly [string, unknown])[]);
  }
}
