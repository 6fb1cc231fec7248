// Builds the `hub` for one run of the author's code, and keeps track of what that run leaves to be done.

import type { Channel } from "./channel.ts";
import { type ClientProxy, clientProxy } from "./client-proxy.ts";
import { closeConnections, closeMember } from "./close-connections.ts";
import type { HubEntry } from "./define-service.ts";
import { createDelivery, type Delivery, type DeliveryPorts } from "./delivery.ts";
import { forEachLimit } from "./for-each-limit.ts";
import type { HubCaller, HubClients, HubGroups } from "./hub-caller.ts";
import { itemChanges, openItems } from "./items.ts";
import { checkName } from "./names.ts";
import { type Track, trackOperations } from "./operations.ts";
import { createPresence } from "./presence.ts";
import { type Audience, BUFFERED, type Session, type Store, type TransportState } from "./store.ts";

export type CallerPorts = DeliveryPorts;

export interface CallerContext {
  readonly hub: HubEntry;
  readonly state: Pick<TransportState, "connectionId" | "transportId" | "stateful">;
  readonly session: Session;
  /** Undefined once the connection has ended: then it is left out of whatever it sends. */
  readonly channel: Channel | undefined;
  readonly redelivered: boolean;
}

export interface Caller {
  // biome-ignore lint/suspicious/noExplicitAny: the definition's own type of client
  readonly hub: HubCaller<any>;
  /** Whether `hub.abort()` was called. */
  readonly abortRequested: boolean;
  /** Waits for what was started and not awaited, then writes changed items back. */
  finish(): Promise<void>;
  /** Fires `aborted` and makes every later use of `hub` throw `reason`. */
  expire(reason: Error): void;
  /** @throws what it expired with, if it has. */
  throwIfExpired(): void;
  /** Items as they are now, as JSON by key. */
  items(): Session["items"];
}

export function createCaller(ports: CallerPorts, context: CallerContext): Caller {
  const { hub, session, channel } = context;
  const { connectionId, transportId } = context.state;
  // Whoever sends to a group that it joins has to count.
  const self = { connectionId, transportId: context.state.stateful ? BUFFERED : transportId };
  const log = ports.log.with({ hub: hub.path, connectionId });
  const delivery = createDelivery(ports, hub.path, connectionId, channel);
  const aborted = new AbortController();
  const items = openItems(session.items);
  const operations = trackOperations();
  const { track } = operations;
  // An ended connection is still a member while its `onDisconnected` runs.
  const left = channel === undefined ? connectionId : undefined;
  let abortRequested = false;
  let saved = session.items;

  function abort(): void {
    if (abortRequested) return;
    abortRequested = true;
    aborted.abort(new Error("hub.abort() was called."));
    if (channel === undefined) return;
    track(() => closeMember(ports, { connectionId, transportId }, {}, channel.write)).catch(() => {
      // Reported when the run finishes, like everything that is not awaited.
    });
  }

  function reportUnawaited(error: unknown): void {
    log.error("Something a hub method started and did not await failed.", { error });
  }

  return {
    hub: {
      connectionId,
      userIdentifier: session.userIdentifier,
      user: session.user,
      request: session.request,
      items,
      aborted: aborted.signal,
      abort,
      clients: createClients(delivery, hub.path, self.connectionId, channel !== undefined, track),
      groups: createGroups(ports, hub.path, self, track),
      presence: createPresence(ports, hub.path, { track, left }),
      connections: { close: (selector, options) => track(() => closeConnections(ports, hub.path, selector, options)) },
      log,
      redelivered: context.redelivered,
    },
    get abortRequested() {
      return abortRequested;
    },
    async finish() {
      await operations.settled(reportUnawaited);
      if (channel === undefined) return;
      const changes = itemChanges(saved, items);
      if (changes === undefined || operations.expired) return;
      await saveItems(ports.store, transportId, changes.changed);
      saved = changes.items;
    },
    expire(reason) {
      operations.expire(reason);
      aborted.abort(reason);
    },
    throwIfExpired: operations.throwIfExpired,
    items: () => saved,
  };
}

const RECIPIENTS_AT_ONCE = 64;
const AUDIENCES_AT_ONCE = 8;

/** The session moves with its connection. */
async function saveItems(store: Store, transportId: string, changes: Parameters<Store["saveItems"]>[1]): Promise<void> {
  if (await store.saveItems(transportId, changes)) return;
  const next = (await store.transport(transportId))?.next;
  if (next !== undefined) await saveItems(store, next, changes);
}

export function createClients(
  delivery: Delivery,
  hub: string,
  caller: string,
  connected: boolean,
  track: Track,
): HubClients<unknown> {
  const invocation = (target: string, args: readonly unknown[]) => ({ kind: "invocation", target, args }) as const;
  // An ended connection is still a member while its `onDisconnected` runs.
  const always = connected ? [] : [caller];

  function toAll(audiences: readonly Audience[], except: readonly string[] = []): ClientProxy<unknown> {
    const left = new Set([...always, ...except]);
    return clientProxy((target, args) =>
      track(async () => {
        const message = invocation(target, args);
        await forEachLimit(audiences, AUDIENCES_AT_ONCE, (audience) => delivery.toAudience(audience, message, left));
      }),
    );
  }

  function toConnections(connectionIds: readonly string[]): ClientProxy<unknown> {
    // Named twice is addressed once, as for users; only a group named twice gets two messages.
    const recipients = [...new Set(connectionIds)].filter((id) => !always.includes(id));
    return clientProxy((target, args) =>
      track(async () => {
        const message = invocation(target, args);
        await forEachLimit(recipients, RECIPIENTS_AT_ONCE, (id) => delivery.toConnection(id, message));
      }),
    );
  }

  const everybody: Audience = { kind: "hub", hub };
  const group = (name: string): Audience => ({
    kind: "group",
    hub,
    group: checkName(name, "Cannot send to an empty group name."),
  });
  const user = (name: string): Audience => ({
    kind: "user",
    hub,
    user: checkName(name, "Cannot send to an empty user name."),
  });
  return {
    all: toAll([everybody]),
    allExcept: (ids) => toAll([everybody], ids),
    caller: clientProxy((target, args) => track(() => delivery.toCaller(invocation(target, args)))),
    others: toAll([everybody], [caller]),
    client: (id) => toConnections([id]),
    clients: (ids) => toConnections(ids),
    group: (name) => toAll([group(name)]),
    groups: (names) => toAll(names.map(group)),
    groupExcept: (name, ids) => toAll([group(name)], ids),
    othersInGroup: (name) => toAll([group(name)], [caller]),
    user: (name) => toAll([user(name)]),
    users: (names) => toAll([...new Set(names)].map(user)),
  };
}

export function createGroups(
  { store }: Pick<CallerPorts, "store">,
  hub: string,
  self: { connectionId: string; transportId: string },
  track: Track,
): HubGroups {
  return {
    add: (group) =>
      track(async () => {
        await store.join(self, hub, checkName(group, "A group needs a name."));
      }),
    remove: (group) => track(() => store.leave(self.connectionId, hub, checkName(group, "A group needs a name."))),
    list: () => track(() => store.groups(self.connectionId)),
    addToGroup: (connectionId, group) =>
      track(async () => {
        checkName(group, "A group needs a name.");
        const member = connectionId === self.connectionId ? self : await store.member(connectionId, hub);
        if (member !== undefined) await store.join(member, hub, group);
      }),
    removeFromGroup: (connectionId, group) =>
      track(async () => {
        checkName(group, "A group needs a name.");
        const known = connectionId === self.connectionId || (await store.member(connectionId, hub)) !== undefined;
        if (known) await store.leave(connectionId, hub, group);
      }),
  };
}
