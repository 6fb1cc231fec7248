/** Ends every record: ASCII record separator. */
export const RS = "\u001e";

/** Records as one frame. */
export function frame(...records: readonly string[]): string {
  return records.map((record) => record + RS).join("");
}
