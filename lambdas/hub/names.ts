// Names that become keys of rows: groups and users.

import { byteLength } from "./channel.ts";

/** A key has its limit, and a name is a part of it. UTF-8 bytes. */
export const NAME_BYTES = 900;

export function isTooLong(name: string): boolean {
  return name.length > NAME_BYTES / 4 && byteLength(name) > NAME_BYTES;
}

/** @throws TypeError for a name that is empty or too long. */
export function checkName(name: string, whenEmpty: string): string {
  if (typeof name !== "string" || name === "") throw new TypeError(whenEmpty);
  if (isTooLong(name)) throw new TypeError(`The name of a group or user has at most ${NAME_BYTES} bytes.`);
  return name;
}
