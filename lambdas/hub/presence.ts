// Who is connected: read from the memberships, which begin before `onConnected` and end after `onDisconnected`.

import type { Audience } from "./connection-state.ts";
import { checkName } from "./names.ts";
import type { Track } from "./operations.ts";
import type { Store } from "./store.ts";
import { fingerprint } from "./tally.ts";

/** Of whom: the connections of the hub, or of one of its groups or users. */
export type PresenceSelector =
  | { readonly group?: string; readonly user?: never }
  | { readonly user?: string; readonly group?: never };

export interface PageOptions {
  /** Connection ids at most, 1 to 1000. @default 100 */
  readonly limit?: number;
  /** `next` of the page before. @default the first page */
  readonly after?: string;
}

export interface ConnectionPage {
  readonly connectionIds: readonly string[];
  /** For `after`; undefined on the last page. */
  readonly next: string | undefined;
}

/**
 * Who is connected to this hub. A connection counts from its handshake to the end of its `onDisconnected`, also while
 * its transport is lost and its client may come back; in its own `onDisconnected` it is left out. Every read is
 * strongly consistent. Pages are read one by one: who comes or goes meanwhile may be in the list or not, all others are
 * in it once.
 */
export interface HubPresence {
  /**
   * A page of connection ids, in an order that says nothing and stays the same.
   *
   * @example
   * const { connectionIds, next } = await hub.presence.connections({ group: "red", limit: 50, after });
   */
  connections(options?: PresenceSelector & PageOptions): Promise<ConnectionPage>;
  /** All of them, read in pages as they are asked for. */
  eachConnection(selector?: PresenceSelector): AsyncIterable<string>;
  /** How many there are. Reads as much as listing them does, and sends none of it. */
  count(selector?: PresenceSelector): Promise<number>;
  /** The groups of any connection of this hub; none when it is not there. */
  groups(connectionId: string): Promise<readonly string[]>;
  /** Whether a user has a connection. */
  isOnline(userIdentifier: string): Promise<boolean>;
}

/** `after` was not handed out as `next` for this list. A client that passes one on may have made it up. */
export class CursorError extends TypeError {
  override readonly name = "CursorError";
  readonly code = "invalid_cursor";
}

export interface PresencePorts {
  readonly store: Pick<Store, "connectionIds" | "countMembers" | "groups" | "member">;
}

export interface PresenceOptions {
  /** @default operations run as they are asked for */
  readonly track?: Track;
  /** A connection that has ended, and is a member still. */
  readonly left?: string | undefined;
}

const PAGE = 100;
const LARGEST_PAGE = 1_000;

/** @param hub its path, as its state is kept under. */
export function createPresence(
  { store }: PresencePorts,
  hub: string,
  { track = (operation) => operation(), left }: PresenceOptions = {},
): HubPresence {
  /** One more than the page holds tells whether there is another. */
  async function page(audience: Audience, after: string | undefined, limit: number) {
    const found = await store.connectionIds(audience, after, limit + 1);
    const ids = found.slice(0, limit);
    const last = found.length > limit ? ids.at(-1) : undefined;
    return { connectionIds: ids.filter((id) => id !== left), last };
  }

  return {
    connections: (options = {}) =>
      track(async () => {
        const audience = toAudience(hub, options, ["limit", "after"]);
        const after = options.after === undefined ? undefined : fromCursor(audience, options.after);
        const { connectionIds, last } = await page(audience, after, checkLimit(options.limit ?? PAGE));
        return { connectionIds, next: last === undefined ? undefined : toCursor(audience, last) };
      }),
    async *eachConnection(selector = {}) {
      const audience = toAudience(hub, selector);
      let after: string | undefined;
      do {
        const next = await track(() => page(audience, after, LARGEST_PAGE));
        yield* next.connectionIds;
        after = next.last;
      } while (after !== undefined);
    },
    count: (selector = {}) => track(async () => store.countMembers(toAudience(hub, selector), left)),
    groups: (connectionId) =>
      track(async () => {
        checkName(connectionId, "A connection needs an id.");
        const [member, groups] = await Promise.all([store.member(connectionId, hub), store.groups(connectionId)]);
        return member === undefined ? [] : groups;
      }),
    isOnline: (user) =>
      track(async () => {
        const audience = toAudience(hub, { user });
        const { connectionIds, last } = await page(audience, undefined, 1);
        return connectionIds.length > 0 || last !== undefined;
      }),
  };
}

/** A misspelt or missing name must not ask for the whole hub. */
function toAudience(hub: string, selector: PresenceSelector, known: readonly string[] = []): Audience {
  const names = ["group", "user", ...known];
  const unknown = Object.keys(selector).find((key) => !names.includes(key));
  if (unknown !== undefined) {
    throw new TypeError(`hub.presence does not know '${unknown}'. It takes ${names.join(", ")}.`);
  }
  const [byGroup, byUser] = [Object.hasOwn(selector, "group"), Object.hasOwn(selector, "user")];
  if (byGroup && byUser) throw new TypeError("hub.presence takes a group or a user, not both.");
  if (byGroup) return { kind: "group", hub, group: checkName(selector.group ?? "", "A group needs a name.") };
  if (byUser) return { kind: "user", hub, user: checkName(selector.user ?? "", "A user needs a name.") };
  return { kind: "hub", hub };
}

function checkLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LARGEST_PAGE) return limit;
  throw new TypeError(`\`limit\` is ${limit}; it is a number of connections, 1 to ${LARGEST_PAGE}.`);
}

/** An id as `Random` makes them, with room for longer ones. */
const ID = /^[\w-]{1,64}$/;
/** Characters. */
const LONGEST_CURSOR = 120;

/** The last connection before the next page: it needs not be there any more. */
function toCursor(audience: Audience, connectionId: string): string {
  return Buffer.from(`${listOf(audience)} ${connectionId}`).toString("base64url");
}

/** A made-up one that passes reads no other list, and no other rows, than asked for. */
function fromCursor(audience: Audience, cursor: unknown): string {
  const text = typeof cursor === "string" && cursor.length <= LONGEST_CURSOR ? decode(cursor) : undefined;
  const [list, connectionId = "", ...rest] = (text ?? "").split(" ");
  if (list === listOf(audience) && ID.test(connectionId) && rest.length === 0) return connectionId;
  throw new CursorError(
    "`after` is not a `next` of this list. Pass what the page before returned, with the same group or user.",
  );
}

function decode(cursor: string): string | undefined {
  const text = Buffer.from(cursor, "base64url").toString();
  return Buffer.from(text).toString("base64url") === cursor ? text : undefined;
}

function listOf(audience: Audience): string {
  return fingerprint(JSON.stringify(Object.values(audience)));
}
