import type { Log, LogFields } from "../lambdas/hub/index.ts";

export interface Line extends LogFields {
  readonly level: string;
  readonly message: string;
}

/** A log whose lines can be looked at: the fields of each, with its level and message among them. */
export function recordingLog(lines: { push(line: Line): unknown }, bound: LogFields = {}): Log {
  const write = (level: string) => (message: string, fields?: LogFields) => {
    lines.push({ ...bound, ...fields, level, message });
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    with: (fields) => recordingLog(lines, { ...bound, ...fields }),
  };
}
