// `connections.close` and `hub.abort()`.

import { type Closing, type ClosingPorts, closeMarked } from "./closing.ts";
import { type Member, readHint } from "./connection-state.ts";
import { forEachLimit } from "./for-each-limit.ts";
import type { CloseOptions, ConnectionSelector } from "./hub-caller.ts";
import type { Store } from "./store.ts";

const CLOSES_AT_ONCE = 32;

/** Closes connections of one hub. Those that are gone or ending already are left alone. */
export async function closeConnections(
  ports: ClosingPorts,
  hub: string,
  selector: ConnectionSelector,
  options: CloseOptions = {},
): Promise<void> {
  for await (const members of select(ports.store, hub, selector)) {
    await forEachLimit(members, CLOSES_AT_ONCE, (member) => closeMember(ports, member, options));
  }
}

/** The same for one of them. What says the goodbye may be a channel, so that it keeps its place in the order. */
export async function closeMember(
  ports: ClosingPorts,
  { connectionId, transportId }: Member,
  options: CloseOptions,
  post?: Closing["post"],
): Promise<void> {
  const isClosed = readHint(transportId) === undefined && (await closeTransport(ports, transportId, options, post));
  if (isClosed) return;
  // It is gone, or somewhere else by now.
  const present = (await ports.store.transport(transportId))?.next;
  const moved = present ?? (await ports.store.connection(connectionId))?.transportId;
  if (moved !== undefined && moved !== transportId) await closeTransport(ports, moved, options);
}

function closeTransport(
  ports: ClosingPorts,
  transportId: string,
  { reason, allowReconnect }: CloseOptions,
  post?: Closing["post"],
): Promise<boolean> {
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
