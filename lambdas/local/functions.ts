import type {
  ConnectEvent,
  DisconnectEvent,
  FunctionContext,
  HttpEvent,
  HttpResult,
  MessageEvent,
  ScheduledEvent,
  SocketResult,
  StreamedResponse,
} from "../apigateway/index.ts";

import type { Errand, Work } from "../hub/index.ts";

/** The deployed functions. Members may be replaced while the gateway runs: each invocation looks its function up. */
export interface Functions {
  connect(event: ConnectEvent, context: FunctionContext): Promise<SocketResult>;
  message(event: MessageEvent | Errand, context: FunctionContext): Promise<SocketResult>;
  disconnect(event: DisconnectEvent, context: FunctionContext): Promise<SocketResult>;
  negotiate(event: HttpEvent, context: FunctionContext): Promise<HttpResult>;
  poll(event: HttpEvent, context: FunctionContext): Promise<HttpResult>;
  stream(event: HttpEvent, context: FunctionContext, response: StreamedResponse): Promise<void>;
  work(event: Work, context: FunctionContext): Promise<void>;
  sweep(event: ScheduledEvent, context: FunctionContext): Promise<void>;
}

export type FunctionName = keyof Functions;
