// One observer of one connection: what it is told, and when.

import { watchSilence } from "./silence.ts";
import type { Timers } from "./timers.ts";

/** What happens to the transport of a connection that is, or was, connected. All are optional. */
export interface TransportEvents {
  /**
   * Nothing has arrived for two thirds of `serverTimeoutInMilliseconds`: the connection may be dead, or only slow. Told
   * once; what follows is `onConnectionRecovered`, `onTransportLost` or the client's own `onclose`.
   */
  onConnectionSlow?(): void;
  /** Something has arrived after `onConnectionSlow`. */
  onConnectionRecovered?(): void;
  /** The socket is gone. What follows is `onTransportRestored` or the client's own `onclose`. */
  onTransportLost?(): void;
  /** The connection has a socket again that carries messages: by stateful reconnect, or by automatic reconnect. */
  onTransportRestored?(): void;
}

/** What is read of the stock client's `HubConnection`. */
export interface ObservedConnection {
  readonly state: string;
  readonly serverTimeoutInMilliseconds: number;
  onreconnecting(callback: () => void): void;
  onreconnected(callback: () => void): void;
  onclose(callback: () => void): void;
}

export interface Observer {
  /** A frame has arrived; the client has not read it yet. */
  received(): void;
  /** The client has let go of a socket. */
  closed(): void;
  /** Nothing is told any more. */
  stop(): void;
}

export function observer(connection: ObservedConnection, events: TransportEvents, timers: Timers): Observer {
  let stopped = false;
  let slow = false;
  let lost = false;
  const silence = watchSilence(timers, () => {
    if (!connected()) return;
    slow = true;
    tell("onConnectionSlow");
  });

  const connected = (): boolean => connection.state === "Connected";

  function tell(event: keyof TransportEvents): void {
    try {
      events[event]?.();
    } catch (error) {
      // The client's own code is on the stack and must not be torn by it: it surfaces as any event handler's error does.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  function quiet(): void {
    silence.stop();
    slow = false;
  }

  function lose(): void {
    quiet();
    if (lost || stopped) return;
    lost = true;
    tell("onTransportLost");
  }

  function restore(): void {
    if (!lost) return;
    lost = false;
    tell("onTransportRestored");
  }

  function end(): void {
    quiet();
    lost = false;
  }

  connection.onreconnecting(lose);
  connection.onreconnected(restore);
  connection.onclose(end);

  return {
    received() {
      silence.broken(connection.serverTimeoutInMilliseconds);
      // Before it is connected again it is the handshake's answer, or a socket that the client has given up already.
      if (!connected()) return;
      if (slow) {
        slow = false;
        tell("onConnectionRecovered");
      }
      restore();
    },
    closed() {
      if (connected()) lose();
      else quiet();
    },
    stop() {
      stopped = true;
      end();
    },
  };
}
