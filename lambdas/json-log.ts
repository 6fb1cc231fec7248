// One JSON object per line, as CloudWatch Logs Insights reads it.

import type { Log, LogFields } from "./hub/index.ts";

type Level = "debug" | "info" | "warn" | "error";
const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];

/** @param write takes one line without its line break. @param level the least level that is written. */
export function jsonLog(
  write: (line: string) => void = console.log,
  level: Level = "info",
  bound: LogFields = {},
): Log {
  const at = (own: Level) => (message: string, fields?: LogFields) => {
    if (LEVELS.indexOf(own) < LEVELS.indexOf(level)) return;
    write(JSON.stringify({ level: own, message, ...bound, ...fields }, errorsToo));
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => jsonLog(write, level, { ...bound, ...fields }),
  };
}

function errorsToo(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { name, message, code: (value as { code?: unknown }).code, stack, cause };
}
