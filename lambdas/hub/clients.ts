// Whom a hub or a hub context can address, and the groups it can change.

import { type ClientProxy, clientProxy, type SingleClientProxy, singleClientProxy } from "./client-proxy.ts";
import { askAll, askOne, type InvokeOptions, type ResultPorts } from "./client-results.ts";
import type { Audience, Member } from "./connection-state.ts";
import type { Delivery } from "./delivery.ts";
import { forEachLimit } from "./for-each-limit.ts";
import type { HubClients, HubGroups } from "./hub-caller.ts";
import { checkName } from "./names.ts";
import type { Track } from "./operations.ts";
import type { Store } from "./store.ts";

const RECIPIENTS_AT_ONCE = 64;
const AUDIENCES_AT_ONCE = 8;

/** SignalR's selectors but those that need a caller. Unknown connections, users and groups are no error. */
export type HubContextClients<Client> = Omit<HubClients<Client>, "caller" | "others" | "othersInGroup">;

/** Groups of a hub. Names are case-sensitive. Connections that are not there are no error. */
export type HubContextGroups = Pick<HubGroups, "addToGroup" | "removeFromGroup">;

/** What addressing somebody takes. */
export interface Addressing {
  readonly ports: ResultPorts;
  readonly delivery: Delivery;
  /** Its path. */
  readonly hub: string;
  readonly track: Track;
  /** Hears when somebody begins to wait for clients. @throws where they must not. */
  readonly onAsk?: (() => void) | undefined;
}

const invocation = (target: string, args: readonly unknown[], id?: string) =>
  ({ kind: "invocation", target, args, ...(id !== undefined && { id }) }) as const;

/** The selectors that need no caller. Those `absent` are left out of all of them. */
export function createClients(addressing: Addressing, absent: readonly string[] = []): HubContextClients<unknown> {
  const { ports, delivery, hub, track, onAsk } = addressing;

  const ask = <Result>(operation: () => Promise<Result>): Promise<Result> =>
    track(async () => {
      onAsk?.();
      return operation();
    });

  function toAll(audiences: readonly Audience[], except: readonly string[] = []): ClientProxy<unknown> {
    const left = new Set([...absent, ...except]);
    return clientProxy(
      (target, args) =>
        track(async () => {
          const message = invocation(target, args);
          await forEachLimit(audiences, AUDIENCES_AT_ONCE, (audience) => delivery.toAudience(audience, message, left));
        }),
      (target, args, options) =>
        ask(async () => {
          const ids = new Set<string>();
          for (const audience of audiences) {
            for await (const page of ports.store.members(audience)) {
              for (const { connectionId } of page) if (!left.has(connectionId)) ids.add(connectionId);
            }
          }
          return askMany([...ids], target, args, options);
        }),
    );
  }

  function toConnections(connectionIds: readonly string[]): ClientProxy<unknown> {
    // Named twice is addressed once, as for users; only a group named twice gets two messages.
    const recipients = [...new Set(connectionIds)].filter((id) => !absent.includes(id));
    return clientProxy(
      (target, args) =>
        track(async () => {
          const message = invocation(target, args);
          await forEachLimit(recipients, RECIPIENTS_AT_ONCE, (id) => delivery.toConnection(id, message));
        }),
      (target, args, options) => ask(() => askMany(recipients, target, args, options)),
    );
  }

  function askMany(ids: readonly string[], target: string, args: readonly unknown[], options?: InvokeOptions) {
    const send = (id: string) =>
      forEachLimit(ids, RECIPIENTS_AT_ONCE, (each) => delivery.toConnection(each, invocation(target, args, id)));
    return askAll(ports, ids, send, options);
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
    client: (id) =>
      toOne(addressing, id, async (message) => !absent.includes(id) && delivery.toConnection(id, message)),
    clients: (ids) => toConnections(ids),
    group: (name) => toAll([group(name)]),
    groups: (names) => toAll(names.map(group)),
    groupExcept: (name, ids) => toAll([group(name)], ids),
    user: (name) => toAll([user(name)]),
    users: (names) => toAll([...new Set(names)].map(user)),
  };
}

/** @param send false when there is no such connection. */
function toOne(
  { ports, track, onAsk }: Addressing,
  connectionId: string,
  send: (message: ReturnType<typeof invocation>) => Promise<boolean>,
): SingleClientProxy<unknown> {
  return singleClientProxy(
    (target, args) =>
      track(async () => {
        await send(invocation(target, args));
      }),
    (target, args, options) =>
      track(async () => {
        onAsk?.();
        return askOne(ports, connectionId, (id) => send(invocation(target, args, id)), options);
      }),
  );
}

/** The same, and those that are about the caller. `connected` is false while its `onDisconnected` runs. */
export function createCallerClients(addressing: Addressing, caller: string, connected: boolean): HubClients<unknown> {
  // An ended connection is still a member while its `onDisconnected` runs.
  const clients = createClients(addressing, connected ? [] : [caller]);
  const toCaller = toOne(addressing, caller, async (message) => {
    await addressing.delivery.toCaller(message);
    return connected;
  });
  return {
    ...clients,
    caller: toCaller,
    client: (id) => (id === caller && connected ? toCaller : clients.client(id)),
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
