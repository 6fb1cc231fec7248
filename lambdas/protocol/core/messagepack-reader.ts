// Reads a message element by element, and says what it could not read in the reference's words.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/common/Protocols.MessagePack/src/Protocol/MessagePackHubProtocolWorker.cs

import { ProtocolError } from "../messages.ts";
import { endOf, headAt } from "./messagepack-heads.ts";
import { decodeValue, isMalformed } from "./messagepack-values.ts";

const LARGEST_INT32 = 0x7fffffff;

/** Everything it throws is a ProtocolError. What is not asked for is not looked at: trailing elements may be anything. */
export class MessageReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  arrayLength(field: string): number {
    return this.#read(`Reading array length for '${field}' failed.`, () => this.#length("array"));
  }

  mapLength(field: string): number {
    return this.#read(`Reading map length for '${field}' failed.`, () => this.#length("map"));
  }

  /** Null for nil. */
  string(field: string): string | null {
    return this.#read(`Reading '${field}' as String failed.`, () => {
      const { family, size, end } = headAt(this.#bytes, this.#position);
      this.#position = endOf(this.#bytes, this.#position);
      if (family === "nil") return null;
      if (family !== "string") throw new RangeError(`It is of the type ${family}.`);
      // What is no UTF-8 becomes U+FFFD, as in .NET.
      return this.#bytes.toString("utf8", end, end + size);
    });
  }

  int32(field: string): number {
    return this.#integer(field, "Int32", (value) => Math.abs(value) <= LARGEST_INT32);
  }

  /** As far as a number is exact. */
  int64(field: string): number {
    return this.#integer(field, "Int64", Number.isSafeInteger);
  }

  boolean(field: string): boolean {
    return this.#read(`Reading '${field}' as Boolean failed.`, () => {
      const value = this.#value();
      if (typeof value !== "boolean") throw new RangeError("It is neither true nor false.");
      return value;
    });
  }

  /** Any value. */
  value(field: string): unknown {
    return this.#read(`Deserializing object of the \`Object\` type for '${field}' failed.`, () => this.#value());
  }

  /** An array of any values. */
  array(field: string, element: string): readonly unknown[] {
    const start = this.#position;
    this.arrayLength(field);
    this.#position = start;
    return this.value(element) as readonly unknown[];
  }

  #integer(field: string, type: string, fits: (value: number) => boolean): number {
    return this.#read(`Reading '${field}' as ${type} failed.`, () => {
      const value = this.#value();
      if (typeof value !== "number" || !Number.isInteger(value) || !fits(value)) {
        throw new RangeError("It is no integer of this size.");
      }
      return value;
    });
  }

  #length(expected: "array" | "map"): number {
    const { family, size, end } = headAt(this.#bytes, this.#position);
    if (family !== expected) throw new RangeError(`It is of the type ${family}.`);
    this.#position = end;
    return size;
  }

  #value(): unknown {
    const start = this.#position;
    this.#position = endOf(this.#bytes, start);
    return decodeValue(this.#bytes.subarray(start, this.#position));
  }

  #read<T>(failure: string, read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (isMalformed(cause)) throw new ProtocolError(failure, { cause });
      throw cause;
    }
  }
}
