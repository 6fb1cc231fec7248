// Where the words stand: each in the lowest row in which it covers no other.

import { text } from "./svg.ts";

/** Height of a row. Pixels. */
export const ROW = 14;
/** Of a letter in timeline.css, on average. Pixels. */
const LETTER = 6.1;
const SPACE = 6;
/** From a moment's line to its words. Pixels. */
const BESIDE = 3;

export function textWidth(words: string): number {
  return words.length * LETTER;
}

export class Labels {
  readonly #rows: { readonly from: number; readonly to: number }[][];
  readonly #left: number;
  readonly #right: number;

  constructor(left: number, right: number, rows: number) {
    this.#left = left;
    this.#right = right;
    this.#rows = Array.from({ length: rows }, () => []);
  }

  /**
   * Writes words beside a moment, to its right if there is room.
   *
   * @returns from where a line leads down to the moment; undefined without room: the log has the words too.
   */
  write(group: SVGElement, x: number, top: number, words: string, kind: string): number | undefined {
    for (const anchor of ["start", "end"] as const) {
      const at = anchor === "start" ? x + BESIDE : x - BESIDE;
      const from = anchor === "start" ? at : at - textWidth(words);
      const row = this.#take(from, from + textWidth(words));
      if (row === undefined) continue;
      const y = top + row * ROW;
      group.append(text(words, { class: kind, x: at, y: y + 11, "text-anchor": anchor }));
      return y + 3;
    }
    return undefined;
  }

  #take(from: number, to: number): number | undefined {
    if (from < this.#left || to > this.#right) return undefined;
    const isFree = (row: readonly { readonly from: number; readonly to: number }[]) =>
      row.every((other) => from >= other.to + SPACE || to + SPACE <= other.from);
    const row = this.#rows.findLastIndex(isFree);
    this.#rows[row]?.push({ from, to });
    return row < 0 ? undefined : row;
  }
}
