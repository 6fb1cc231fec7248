// The name that clients call a method by.

/** @throws TypeError for a `name` that is no name. */
export function publishedName(key: string, method: unknown): string {
  // A function has a name of its own, which means nothing here.
  if (typeof method !== "object" || method === null || !Object.hasOwn(method, "name")) return key;
  const { name } = method as { name?: unknown };
  if (name === undefined) return key;
  if (typeof name === "string" && name !== "") return name;
  throw new TypeError(`The \`name\` of hub method '${key}' must be a string that is not empty.`);
}
