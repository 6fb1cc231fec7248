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
} from "./events.ts";
export { API_GATEWAY, HUB_PARAMETER, LAMBDA } from "./limits.ts";
