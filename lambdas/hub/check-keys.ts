// Options are checked by name: a misspelt `authorize` would open what it is meant to close.

/** @throws TypeError for a key that is not known. */
export function checkKeys(what: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new TypeError(`${what} does not know '${unknown}'. It takes ${known.join(", ")}.`);
}
