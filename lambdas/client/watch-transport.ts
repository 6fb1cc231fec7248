// The socket of a stock connection, watched through the logger that the client is given.

import { type ObservedConnection, type Observer, observer, type TransportEvents } from "./observer.ts";
import { systemTimers, type Timers } from "./timers.ts";

/** The stock client's `ILogger`. */
export interface Logger {
  log(level: number, message: string): void;
}

export interface WatchOptions {
  /** Time, for tests. @default the machine's */
  readonly timers?: Timers;
}

export interface TransportWatch {
  /**
   * The logger to build the connection with: `configureLogging(transport.logger())`, and no `logger` in the options of
   * `withUrl`, which would hide the transport from it.
   *
   * @param next takes every line, as a logger of your own would. @default nothing is logged
   */
  logger(next?: Logger): Logger;
  /** Tells what happens to the connection's transport, until what it returns is called. */
  observe(connection: ObservedConnection, events: TransportEvents): () => void;
}

/**
 * Watches the transport of one connection of the stock client.
 *
 * @example
 * const transport = watchTransport();
 * const connection = new HubConnectionBuilder()
 *   .withUrl("/chat")
 *   .withAutomaticReconnect()
 *   .configureLogging(transport.logger())
 *   .build();
 * const stop = transport.observe(connection, { onConnectionSlow: () => console.warn("The connection is slow.") });
 */
export function watchTransport({ timers = systemTimers }: WatchOptions = {}): TransportWatch {
  const observers = new Set<Observer>();

  return {
    logger: (next) => ({
      log(level, message) {
        next?.log(level, message);
        const event = transportEvent(message);
        if (event !== undefined) for (const each of observers) each[event]();
      },
    }),
    observe(connection, events) {
      const added = observer(connection, events, timers);
      observers.add(added);
      return () => {
        observers.delete(added);
        added.stop();
      };
    },
  };
}

/**
 * What a line of the client's log says about its socket. The lines are the same in every release since 1.0; a client
 * that words them otherwise is one of which nothing is known, not one that is slow.
 */
function transportEvent(message: string): "received" | "closed" | undefined {
  if (message.startsWith("(WebSockets transport) data received.")) return "received";
  if (message.startsWith("(WebSockets transport) socket closed.")) return "closed";
  return undefined;
}
