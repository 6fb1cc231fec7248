// Whom a hub or a hub context can address, and the groups it can change.

import { type ClientProxy, clientProxy } from "./client-proxy.ts";
import type { Delivery } from "./delivery.ts";
import { forEachLimit } from "./for-each-limit.ts";
import type { HubClients, HubGroups } from "./hub-caller.ts";
import { checkName } from "./names.ts";
import type { Audience, Member, Store } from "./store.ts";

const RECIPIENTS_AT_ONCE = 64;
const AUDIENCES_AT_ONCE = 8;

/** SignalR's selectors but those that need a caller. Unknown connections, users and groups are no error. */
export type HubContextClients<Client> = Omit<HubClients<Client>, "caller" | "others" | "othersInGroup">;

/** Groups of a hub. Names are case-sensitive. Connections that are not there are no error. */
export type HubContextGroups = Pick<HubGroups, "addToGroup" | "removeFromGroup">;

/** Runs an operation, under whatever conditions its owner has. */
export type Track = <Result>(operation: () => Promise<Result>) => Promise<Result>;

const invocation = (target: string, args: readonly unknown[]) => ({ kind: "invocation", target, args }) as const;

/** The selectors that need no caller. Those `absent` are left out of all of them. */
export function createClients(
  delivery: Delivery,
  hub: string,
  track: Track,
  absent: readonly string[] = [],
): HubContextClients<unknown> {
  function toAll(audiences: readonly Audience[], except: readonly string[] = []): ClientProxy<unknown> {
    const left = new Set([...absent, ...except]);
    return clientProxy((target, args) =>
      track(async () => {
        const message = invocation(target, args);
        await forEachLimit(audiences, AUDIENCES_AT_ONCE, (audience) => delivery.toAudience(audience, message, left));
      }),
    );
  }

  function toConnections(connectionIds: readonly string[]): ClientProxy<unknown> {
    // Named twice is addressed once, as for users; only a group named twice gets two messages.
    const recipients = [...new Set(connectionIds)].filter((id) => !absent.includes(id));
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
    client: (id) => toConnections([id]),
    clients: (ids) => toConnections(ids),
    group: (name) => toAll([group(name)]),
    groups: (names) => toAll(names.map(group)),
    groupExcept: (name, ids) => toAll([group(name)], ids),
    user: (name) => toAll([user(name)]),
    users: (names) => toAll([...new Set(names)].map(user)),
  };
}

/** The same, and those that are about the caller. `connected` is false while its `onDisconnected` runs. */
export function createCallerClients(
  delivery: Delivery,
  hub: string,
  caller: string,
  connected: boolean,
  track: Track,
): HubClients<unknown> {
  // An ended connection is still a member while its `onDisconnected` runs.
  const clients = createClients(delivery, hub, track, connected ? [] : [caller]);
  return {
    ...clients,
    caller: clientProxy((target, args) => track(() => delivery.toCaller(invocation(target, args)))),
    others: clients.allExcept([caller]),
    othersInGroup: (name) => clients.groupExcept(name, [caller]),
  };
}

/** `self` is a connection that need not be looked up. */
export function createGroups(store: Store, hub: string, track: Track, self?: Member): HubContextGroups {
  return {
    addToGroup: (connectionId, group) =>
      track(async () => {
        checkName(group, "A group needs a name.");
        const member = connectionId === self?.connectionId ? self : await store.member(connectionId, hub);
        if (member !== undefined) await store.join(member, hub, group);
      }),
    removeFromGroup: (connectionId, group) =>
      track(async () => {
        checkName(group, "A group needs a name.");
        const known = connectionId === self?.connectionId || (await store.member(connectionId, hub)) !== undefined;
        if (known) await store.leave(connectionId, hub, group);
      }),
  };
}

/** The same, and the caller's own. */
export function createCallerGroups(store: Store, hub: string, self: Member, track: Track): HubGroups {
  return {
    add: (group) =>
      track(async () => {
        await store.join(self, hub, checkName(group, "A group needs a name."));
      }),
    remove: (group) => track(() => store.leave(self.connectionId, hub, checkName(group, "A group needs a name."))),
    list: () => track(() => store.groups(self.connectionId)),
    ...createGroups(store, hub, track, self),
  };
}
