// `connections.close` and `hub.abort()`.

import { type Closing, type ClosingPorts, closeMarked } from "./closing.ts";
import { forEachLimit } from "./for-each-limit.ts";
import type { CloseOptions, ConnectionSelector } from "./hub-caller.ts";
import type { Member, Store } from "./store.ts";

const CLOSES_AT_ONCE = 32;

/** Closes connections of one hub. Those that are gone or ending already are left alone. */
export async function closeConnections(
  ports: ClosingPorts,
  hub: string,
  selector: ConnectionSelector,
  options: CloseOptions = {},
): Promise<void> {
  for await (const members of select(ports.store, hub, selector)) {
    await forEachLimit(members, CLOSES_AT_ONCE, (member) => closeMember(ports, member.transportId, options));
  }
}

/** The same for one transport. What says the goodbye may be a channel, so that it keeps its place in the order. */
export function closeMember(
  ports: ClosingPorts,
  transportId: string,
  { reason, allowReconnect }: CloseOptions,
  post?: Closing["post"],
): Promise<void> {
  return closeMarked(ports, {
    transportId,
    reason: { stopCalled: false, code: "aborted", ...(reason !== undefined && { message: reason }) },
    message: {
      kind: "close",
      ...(reason !== undefined && { error: reason }),
      ...(allowReconnect !== undefined && { allowReconnect }),
    },
    ...(post !== undefined && { post }),
  });
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
