// What the reference server's reader says of JSON it did not expect.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/common/Shared/SystemTextJsonExtensions.cs

export type Fields = Readonly<Record<string, unknown>>;

/** A JSON object's properties, or what is wrong with the text. */
export function readObject(text: string): { readonly fields: Fields } | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: "Error reading JSON." };
  }
  const token = tokenOf(value);
  if (token !== "Object") return { problem: `Unexpected JSON Token Type '${token}'. Expected a JSON Object.` };
  return { fields: value as Fields };
}

/** What is wrong with a property that must be of one type. */
export function wrongType(name: string, value: unknown, type: "String" | "Number" | "Array"): string | undefined {
  // Every number of the protocol is an integer.
  const fits = tokenOf(value) === type && (type !== "Number" || Number.isSafeInteger(value));
  return fits ? undefined : `Expected '${name}' to be of type ${type}.`;
}

/** The first problem that `check` has with a property, in the order in which they come. */
export function findProblem(
  fields: Fields,
  check: (name: string, value: unknown) => string | undefined,
): string | undefined {
  for (const [name, value] of Object.entries(fields)) {
    const problem = check(name, value);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

export function tokenOf(value: unknown): string {
  if (value === null) return "Null";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "string") return "String";
  if (typeof value === "number") return "Number";
  return Array.isArray(value) ? "Array" : "Object";
}
