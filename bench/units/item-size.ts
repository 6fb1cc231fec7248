// How large DynamoDB takes an item to be. Documented, but for numbers, of which the documentation says "approximately":
// theirs is the rule that dynalite's authors found by asking the real one.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html

import type { AttributeValue } from "@aws-sdk/client-dynamodb";

export type Item = Readonly<Record<string, AttributeValue>>;

/** Bytes; 0 for an item that is not there. */
export function itemSize(item: Item | undefined): number {
  return sum(Object.entries(item ?? {}), ([name, value]) => textSize(name) + valueSize(value));
}

/** What a list or a map takes beside its contents, and again for each element. */
const CONTAINER = 3;
const ELEMENT = 1;

function valueSize(value: AttributeValue): number {
  if (value.S !== undefined) return textSize(value.S);
  if (value.N !== undefined) return numberSize(value.N);
  if (value.B !== undefined) return value.B.length;
  if (value.SS !== undefined) return sum(value.SS, textSize);
  if (value.NS !== undefined) return sum(value.NS, numberSize);
  if (value.BS !== undefined) return sum(value.BS, (bytes) => bytes.length);
  if (value.L !== undefined) return CONTAINER + sum(value.L, (element) => ELEMENT + valueSize(element));
  if (value.M !== undefined) {
    const { M: map } = value;
    return CONTAINER + ELEMENT * Object.keys(map).length + itemSize(map);
  }
  return 1; // BOOL and NULL
}

/** UTF-8. */
function textSize(text: string): number {
  return Buffer.byteLength(text);
}

/**
 * A byte for the exponent, one for each pair of significant digits (pairs begin at the decimal point: 1.2 has two), one
 * for a minus sign. Zero is one byte.
 */
function numberSize(number: string): number {
  const [mantissa = "", exponent = "0"] = number.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.replace(/^[+-]/, "").split(".");
  const digits = `${whole}${fraction}`;
  const significant = digits.replace(/^0+|0+$/g, "");
  if (significant === "") return 1;
  const digitsBeforePoint = whole.length + Number(exponent) - digits.search(/[1-9]/);
  const unpaired = digitsBeforePoint % 2 === 0 ? 0 : 1;
  return 1 + Math.ceil((significant.length + unpaired) / 2) + (number.startsWith("-") ? 1 : 0);
}

function sum<Value>(values: readonly Value[], size: (value: Value) => number): number {
  return values.reduce((total, value) => total + size(value), 0);
}
