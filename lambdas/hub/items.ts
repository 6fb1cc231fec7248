// `hub.items`: a map of JSON values that is kept with the connection. Only changed keys are written back.

import { byteLength } from "./channel.ts";
import type { Session } from "./connection-state.ts";
import type { JsonValue } from "./hub-caller.ts";

/** Keys and values together, as JSON. Bytes. */
const MAXIMUM_ITEMS_SIZE = 4 * 1024;

export function openItems(stored: Session["items"]): Map<string, JsonValue> {
  return new Map(Object.entries(stored).map(([key, json]) => [key, JSON.parse(json) as JsonValue]));
}

export interface ItemChanges {
  /** JSON by key; undefined for a key that is gone. */
  readonly changed: Readonly<Record<string, string | undefined>>;
  readonly items: Session["items"];
}

/**
 * Compares by value, so a change inside a stored object counts as well. Undefined when nothing changed.
 *
 * @throws TypeError for a value that is no JSON, RangeError beyond 4 KB: nothing is written then.
 */
export function itemChanges(stored: Session["items"], items: ReadonlyMap<string, JsonValue>): ItemChanges | undefined {
  const now: Record<string, string> = Object.create(null);
  for (const [key, value] of items) now[checkKey(key)] = toJson(key, value);
  const changed: Record<string, string | undefined> = Object.create(null);
  for (const key of Object.keys(stored)) if (!Object.hasOwn(now, key)) changed[key] = undefined;
  for (const [key, json] of Object.entries(now)) {
    if (!Object.hasOwn(stored, key) || stored[key] !== json) changed[key] = json;
  }
  if (Object.keys(changed).length === 0) return undefined;
  const size = byteLength(JSON.stringify(now));
  if (size > MAXIMUM_ITEMS_SIZE) {
    throw new RangeError(
      `hub.items holds at most ${MAXIMUM_ITEMS_SIZE} bytes of JSON, not ${size}. Keep more in a table of your own.`,
    );
  }
  return { changed, items: now };
}

/** Notes what one run made of the items that it began with. Others may have changed theirs meanwhile. */
export function keepItems(context: { session: Session }, { items: before }: Session, after: Session["items"]): void {
  const { session } = context;
  if (session.items === before) {
    context.session = { ...session, items: after };
    return;
  }
  const items: Record<string, string> = Object.assign(Object.create(null), session.items);
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) delete items[key];
  for (const [key, json] of Object.entries(after)) {
    if (!Object.hasOwn(before, key) || before[key] !== json) items[key] = json;
  }
  context.session = { ...session, items };
}

function checkKey(key: unknown): string {
  if (typeof key === "string" && key !== "") return key;
  throw new TypeError("The keys of hub.items are strings that are not empty.");
}

function toJson(key: string, value: JsonValue): string {
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`hub.items holds a value under '${key}' that is no JSON.`);
  return json;
}
