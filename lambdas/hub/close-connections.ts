// `connections.close` and `hub.abort()`: the row is marked, the client is told why, and its transport is closed.
// Whoever sees the mark next, the disconnect event or the sweeper, runs the ending: a sender may hold no hub code.

import type { Dialect, ServerMessage } from "../protocol/index.ts";
import { forEachLimit } from "./for-each-limit.ts";
import type { CloseOptions, ConnectionSelector } from "./hub-caller.ts";
import type { PostOutcome, Transports } from "./ports.ts";
import type { Member, Store } from "./store.ts";

export interface ClosePorts {
  readonly store: Store;
  readonly transports: Transports;
  readonly dialect: Dialect;
}

const CLOSES_AT_ONCE = 32;

/** Closes connections of one hub. Those that are gone or ending already are left alone. */
export async function closeConnections(
  ports: ClosePorts,
  hub: string,
  selector: ConnectionSelector,
  options: CloseOptions = {},
): Promise<void> {
  for await (const members of select(ports.store, hub, selector)) {
    await forEachLimit(members, CLOSES_AT_ONCE, (member) => closeMember(ports, member.transportId, options));
  }
}

/** The same for one transport. What says the goodbye may be a channel, so that it keeps its place in the order. */
export async function closeMember(
  ports: ClosePorts,
  transportId: string,
  { reason, allowReconnect }: CloseOptions,
  post: (record: string) => Promise<PostOutcome> = (record) => ports.transports.post(transportId, record),
): Promise<void> {
  const message: ServerMessage = {
    kind: "close",
    ...(reason !== undefined && { error: reason }),
    ...(allowReconnect !== undefined && { allowReconnect }),
  };
  const record = ports.dialect.encode(message);
  const end = {
    stopCalled: false,
    code: "aborted",
    ...(reason !== undefined && { message: reason.slice(0, 100) }),
  } as const;
  if ((await ports.store.markEnd(transportId, end)) === undefined) return;
  await post(record);
  await ports.transports.close(transportId);
}

async function* select(store: Store, hub: string, selector: ConnectionSelector): AsyncIterable<readonly Member[]> {
  if (typeof selector !== "string") {
    const audience =
      "user" in selector
        ? ({ kind: "user", hub, user: selector.user } as const)
        : ({ kind: "group", hub, group: selector.group } as const);
    yield* store.members(audience);
    return;
  }
  const member = await store.member(selector, hub);
  if (member !== undefined) yield [member];
}
