export { EDGE_HEADERS } from "./edge-headers.ts";
export type {
  ConnectEvent,
  DisconnectEvent,
  FunctionContext,
  HttpEvent,
  HttpResult,
  MessageEvent,
  ScheduledEvent,
  SocketRequestContext,
  SocketResult,
  StreamedResponse,
} from "./events.ts";
export { API_GATEWAY, HUB_PARAMETER, LAMBDA } from "./limits.ts";
