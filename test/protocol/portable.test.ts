// Values between functions: they come out as they went in, and clients cannot make any of them out of text.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromPortable, toPortable } from "../../lambdas/protocol/index.ts";

const pass = (value: unknown) => fromPortable(toPortable(value));

describe("a value on its way between functions", () => {
  it.each<[string, unknown]>([
    ["null", null],
    ["text", "hällo \u0000 🚀"],
    ["bytes", new Uint8Array([0, 128, 255])],
    ["no bytes", new Uint8Array()],
    ["a part of a buffer", new Uint8Array([1, 2, 3, 4]).subarray(1, 3)],
    ["a date", new Date(1_700_000_000_123)],
    ["a date that is none", new Date(Number.NaN)],
    ["large integers", [2n ** 63n - 1n, -(2n ** 63n), 0n]],
    ["nested values", { list: [{ at: new Date(0), data: [new Uint8Array([1])] }] }],
    ["a member of the tag's name", { $signalr: ["bytes", "AQID"] }],
    ["such a member among others", { a: 1, $signalr: ["date", 0], b: { $signalr: null } }],
    ["a member within it that has to be tagged", { $signalr: new Uint8Array([1]) }],
    ["a text that looks like one", '{"$signalr":["bytes","AQID"]}'],
    ["a key `__proto__`", JSON.parse('{"__proto__":{"a":1},"$signalr":{"__proto__":2}}')],
    ["names of the prototype", { constructor: 1, toString: { hasOwnProperty: 2 } }],
  ])("is what it was: %s", (_name, value) => {
    expect(pass(value)).toStrictEqual(value);
  });

  it.each<[string, unknown, unknown]>([
    ["undefined", undefined, null],
    ["a function", () => 1, null],
    ["undefined in a list", [undefined], [null]],
    ["undefined in an object", { a: undefined }, {}],
  ])("is what JSON makes of it: %s", (_name, value, back) => {
    expect(pass(value)).toStrictEqual(back);
  });

  it("is what it was, whatever it is", () => {
    const { value } = fc.letrec((tie) => ({
      leaf: fc.oneof(
        fc.string(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
        fc.date(),
        fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
      ),
      value: fc.oneof(
        { depthSize: "small" },
        tie("leaf"),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom("a", "b", "$signalr", "valueOf"), tie("value"), {
          maxKeys: 4,
          noNullPrototype: true,
        }),
      ),
    }));
    fc.assert(
      fc.property(value, (each) => {
        expect(pass(each)).toStrictEqual(each);
      }),
    );
  });
});
