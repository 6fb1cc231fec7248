// What a process is told by its environment.

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment lacks something, an option of `createHubContext` is wrong, or a bundle holds no service. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly code = "configuration";
}

/** @throws ConfigurationError for a variable that is not set or empty, with `advice`. */
export function readVariable(environment: Environment, name: string, advice: string): string {
  const value = environment[name];
  if (value !== undefined && value !== "") return value;
  throw new ConfigurationError(`The environment variable ${name} is missing. ${advice}`);
}
