export type { Authorize, Policy, PolicyContext } from "./authorization.ts";
export type { ClientInterface, ClientProxy, SingleClientProxy } from "./client-proxy.ts";
export { type Answers, InvocationCanceledError, type InvokeOptions } from "./client-results.ts";
export type { HubContextClients, HubContextGroups } from "./clients.ts";
export * from "./connection-state.ts";
export {
  defineConnection,
  type RawConnection,
  type RawConnectionContext,
  type RawConnectionEvents,
  type TextProxy,
} from "./define-connection.ts";
export {
  type AnyHubDefinition,
  type CheckedMethod,
  defineHub,
  type HubDefinition,
  type HubEvents,
  type HubPresenceOptions,
  type RawConnectionDefinition,
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
export { DisconnectError, type DisconnectReason } from "./disconnect-reason.ts";
export type { HubFilter, HubInvocationContext, HubLifetimeContext } from "./filters.ts";
export { forEachLimit } from "./for-each-limit.ts";
export { withHttpTransports } from "./http-transports.ts";
export type {
  CloseOptions,
  ConnectionSelector,
  HubCaller,
  HubClients,
  HubConnections,
  HubGroups,
  JsonValue,
} from "./hub-caller.ts";
export { type ClientOf, type HubContext, openHubContext } from "./hub-context.ts";
export { HubException } from "./hub-exception.ts";
export { asLocal, type HubOptions, hubsBeyondFrames } from "./hub-options.ts";
export type { HubServer } from "./hub-server.ts";
export type * from "./outbox-store.ts";
export type * from "./ports.ts";
export {
  type ConnectionPage,
  CursorError,
  type HubPresence,
  type PageOptions,
  type PresenceSelector,
} from "./presence.ts";
export * from "./question-store.ts";
export * from "./server.ts";
export type * from "./store.ts";
export type { TraceContext } from "./trace-context.ts";
export { isHttpTransport, type TransportName } from "./transport-names.ts";
export { type Upload, upload } from "./upload.ts";
export * from "./upload-store.ts";
export type * from "./user-store.ts";
export * from "./work-store.ts";
