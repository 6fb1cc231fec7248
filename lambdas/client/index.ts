// `signalr-lambda/client`: for pages and Node programs around the stock client, @microsoft/signalr. It imports nothing.
export type { ObservedConnection, TransportEvents } from "./observer.ts";
export type { Timers } from "./timers.ts";
export { type StreamResult, type TypedConnection, typed, type UntypedConnection } from "./typed.ts";
export { type Logger, type TransportWatch, type WatchOptions, watchTransport } from "./watch-transport.ts";
