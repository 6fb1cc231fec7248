// One JSON object per line, as CloudWatch Logs Insights reads it.

import { inspect } from "node:util";
import type { Log, LogFields } from "./hub/index.ts";

type Level = "debug" | "info" | "warn" | "error";
const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];

/**
 * Never throws for what it is given.
 *
 * @param write takes one line without its line break. @param level the least level that is written.
 * @param bound the fields of every line; of two with the same name the later one is written.
 */
export function jsonLog(
  write: (line: string) => void = console.log,
  level: Level = "info",
  bound: readonly LogFields[] = [],
): Log {
  const at = (own: Level) => (message: string, fields?: LogFields) => {
    if (LEVELS.indexOf(own) < LEVELS.indexOf(level)) return;
    write(toLine(own, message, [...bound, fields ?? {}]));
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => jsonLog(write, level, [...bound, fields]),
  };
}

function toLine(level: Level, message: string, given: readonly LogFields[]): string {
  const line = (fields: readonly LogFields[]) =>
    JSON.stringify(Object.fromEntries([{ level, message }, ...fields].flatMap(Object.entries)), errorsToo);
  try {
    return line(given);
  } catch {
    // Circular, a getter that throws, too large: only the fields that JSON refuses are written otherwise.
    return line(given.map(readable));
  }
}

function errorsToo(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { name, message, code: (value as { code?: unknown }).code, stack, cause };
}

function readable(fields: LogFields): LogFields {
  return Object.fromEntries(Object.keys(fields).map((name) => [name, readableField(fields, name)]));
}

/** The field itself if JSON takes it, else as Node prints it in a console. */
function readableField(fields: LogFields, name: string): unknown {
  try {
    const value = fields[name];
    return isJson(value) ? value : inspect(value);
  } catch {
    return "(unreadable)";
  }
}

function isJson(value: unknown): boolean {
  try {
    JSON.stringify(value, errorsToo);
    return true;
  } catch {
    return false;
  }
}
