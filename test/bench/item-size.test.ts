import { describe, expect, it } from "vitest";
import { type Item, itemSize } from "../../bench/units/item-size.ts";

describe("the size of an item", () => {
  const table: readonly (readonly [what: string, item: Item, bytes: number])[] = [
    ["nothing", {}, 0],
    ["text: the name and the value", { name: { S: "value" } }, 4 + 5],
    ["an empty text", { name: { S: "" } }, 4],
    ["text in UTF-8, names too", { é: { S: "€😀" } }, 2 + 3 + 4],
    ["bytes", { name: { B: Uint8Array.of(1, 2, 3) } }, 4 + 3],
    ["a boolean", { name: { BOOL: false } }, 4 + 1],
    ["null", { name: { NULL: true } }, 4 + 1],
    ["a list: three bytes, and one for each element", { name: { L: [{ S: "ab" }, { BOOL: true }] } }, 4 + 3 + 3 + 2],
    ["a map: the same, and the names in it", { name: { M: { ab: { S: "c" } } } }, 4 + 3 + 1 + 2 + 1],
    ["an empty map", { name: { M: {} } }, 4 + 3],
    ["a set of texts", { name: { SS: ["ab", "é"] } }, 4 + 2 + 2],
    ["a set of numbers", { name: { NS: ["1", "123"] } }, 4 + 2 + 3],
    ["a set of bytes", { name: { BS: [Uint8Array.of(1), Uint8Array.of(2, 3)] } }, 4 + 1 + 2],
    ["several attributes", { a: { S: "b" }, c: { N: "1" } }, 2 + 1 + 2],
  ];

  it.each(table)("counts %s", (_what, item, bytes) => {
    expect(itemSize(item)).toBe(bytes);
  });

  const numbers: readonly (readonly [number: string, bytes: number])[] = [
    ["0", 1],
    ["1", 2],
    ["-1", 3],
    ["12", 2],
    ["100", 2],
    ["123", 3],
    ["1234", 3],
    ["1230", 3],
    ["1.2", 3],
    ["0.12", 2],
    ["0.012", 3],
    ["1e2", 2],
    ["1.2E-1", 2],
    ["1767225607000", 7],
    ["99999999999999999999999999999999999999", 20],
  ];

  it.each(numbers)("counts the significant digits of %s in pairs", (number, bytes) => {
    expect(itemSize({ n: { N: number } })).toBe(1 + bytes);
  });
});
