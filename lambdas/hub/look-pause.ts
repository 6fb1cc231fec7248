// Waiting for what another function writes into the table.

/** Between two looks: soon at first, because most answers are quick. Milliseconds. */
const PAUSES = [20, 40, 80, 160];
const LONGEST_PAUSE = 250;

/** How long to wait behind a look, the first of which is 0. Milliseconds. */
export function pauseBehind(look: number): number {
  return PAUSES[look] ?? LONGEST_PAUSE;
}
