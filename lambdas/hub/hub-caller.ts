// The `hub` a handler is given: SignalR's own members for one caller.

import type { ClientProxy, SingleClientProxy } from "./client-proxy.ts";
import type { RequestInfo, User } from "./connection-state.ts";
import type { Log } from "./ports.ts";
import type { HubPresence } from "./presence.ts";
import type { TraceContext } from "./trace-context.ts";

/** A value that survives JSON. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What a hub method, `onConnected` and `onDisconnected` are given. Not to be kept after they return. */
export interface HubCaller<Client, Services extends object = object> {
  readonly connectionId: string;
  /** The id claim of a signed-in user. */
  readonly userIdentifier: string | undefined;
  readonly user: User;
  /** Query and chosen headers of the request that opened the connection, without ids and tokens. */
  readonly request: RequestInfo;
  /** Kept with the connection: JSON values, 4 KB in all. Changes are written back when the handler returns. */
  readonly items: Map<string, JsonValue>;
  /**
   * Aborts when the connection is closed from here, the invocation's time is up, or, in a method, within seconds when
   * the client is gone: `hub` goes on working then.
   */
  readonly aborted: AbortSignal;
  /** Closes the caller's connection; it does not come back by itself. */
  abort(): void;
  readonly clients: HubClients<Client>;
  readonly groups: HubGroups;
  readonly connections: HubConnections;
  /** Who is connected to this hub. */
  readonly presence: HubPresence;
  /** Structured, bound to hub and connection, and to the trace of the invocation. */
  readonly log: Log;
  /** The trace that the client says this invocation belongs to, in the message's `traceparent` and `tracestate`. */
  readonly traceContext: TraceContext | undefined;
  /** What `services` of `defineService` made for this instance of the function. */
  readonly services: Services;
  /** True when a function died while running this event and it is run again. */
  readonly redelivered: boolean;
}

/** SignalR's selectors. Unknown connections, users and groups are no error: nobody is addressed. */
export interface HubClients<Client> {
  readonly all: ClientProxy<Client>;
  allExcept(connectionIds: readonly string[]): ClientProxy<Client>;
  readonly caller: SingleClientProxy<Client>;
  readonly others: ClientProxy<Client>;
  client(connectionId: string): SingleClientProxy<Client>;
  clients(connectionIds: readonly string[]): ClientProxy<Client>;
  group(group: string): ClientProxy<Client>;
  /** Sends once per group, so twice to a member of two, as ASP.NET Core does. */
  groups(groups: readonly string[]): ClientProxy<Client>;
  groupExcept(group: string, connectionIds: readonly string[]): ClientProxy<Client>;
  othersInGroup(group: string): ClientProxy<Client>;
  user(userIdentifier: string): ClientProxy<Client>;
  users(userIdentifiers: readonly string[]): ClientProxy<Client>;
}

/** Groups of this hub. Names are case-sensitive. All verbs are idempotent. */
export interface HubGroups {
  /** The caller joins. */
  add(group: string): Promise<void>;
  /** The caller leaves. */
  remove(group: string): Promise<void>;
  /** The caller's groups. */
  list(): Promise<readonly string[]>;
  addToGroup(connectionId: string, group: string): Promise<void>;
  removeFromGroup(connectionId: string, group: string): Promise<void>;
}

export type ConnectionSelector = string | { readonly user: string } | { readonly group: string };

export interface CloseOptions {
  /** The client reads it as the error of its `onclose`. */
  readonly reason?: string;
  /** Whether a client with automatic reconnect may come back. @default false */
  readonly allowReconnect?: boolean;
}

export interface HubConnections {
  /** Closes connections of this hub; their `onDisconnected` runs within seconds. */
  close(selector: ConnectionSelector, options?: CloseOptions): Promise<void>;
}
