/** Ends every record of the text protocols, handshake included: ASCII record separator. */
export const RECORD_SEPARATOR = "\u001e";

/** Splits a frame into records; `tail` is what follows the last separator, empty in a complete frame. */
export function splitRecords(text: string): { readonly records: readonly string[]; readonly tail: string } {
  const records = text.split(RECORD_SEPARATOR);
  const tail = records.pop() ?? "";
  return { records, tail };
}
