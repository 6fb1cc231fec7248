export type { ClientInterface, ClientProxy } from "./client-proxy.ts";
export {
  type AnyHubDefinition,
  type Authorize,
  type CheckedMethod,
  DisconnectError,
  type DisconnectReason,
  defineHub,
  type HubDefinition,
  type HubEvents,
  type HubPresenceOptions,
  type ShortMethod,
  type UserChange,
} from "./define-hub.ts";
export {
  type ClaimTypes,
  defineService,
  isService,
  type JwtBearer,
  type JwtBearerOptions,
  jwtBearer,
  type LifetimeOptions,
  type Service,
  type ServiceOptions,
} from "./define-service.ts";
export { forEachLimit } from "./for-each-limit.ts";
export type {
  CloseOptions,
  ConnectionSelector,
  HubCaller,
  HubClients,
  HubConnections,
  HubGroups,
  JsonValue,
} from "./hub-caller.ts";
export { HubException } from "./hub-exception.ts";
export type { HubServer } from "./hub-server.ts";
export type * from "./ports.ts";
export {
  type ConnectionPage,
  CursorError,
  type HubPresence,
  type PageOptions,
  type PresenceSelector,
} from "./presence.ts";
export * from "./server.ts";
export * from "./store.ts";
