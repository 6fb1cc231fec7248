// The second connection of the page: it watches what the hub is told of the others, and no fault is aimed at it.

import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import type { HubEvent } from "./server-view.ts";

export interface Observer {
  /** The server sends a message to a connection. */
  send(connectionId: string, text: string): Promise<void>;
  /** The server asks a client to call its own `stop()`. */
  askToStop(connectionId: string): Promise<void>;
  /** The server closes a connection. */
  close(connectionId: string, allowReconnect: boolean): Promise<void>;
  stop(): Promise<void>;
}

/** Resolves when it watches. Comes back for as long as the page is open. */
export async function observe(page: string, onEvent: (client: string, event: HubEvent) => void): Promise<Observer> {
  const connection = new HubConnectionBuilder()
    .withUrl(`/lifetime?watch=${page}&resume=${crypto.randomUUID()}`)
    .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 1_000 })
    .configureLogging(LogLevel.None)
    .build();
  connection.on("happened", (client: string, event: string, detail: string, connectionId: string, at: number) =>
    onEvent(client, { event, detail, connectionId, at }),
  );
  await connection.start();
  return {
    send: (connectionId, text) => connection.invoke("send", connectionId, text),
    askToStop: (connectionId) => connection.invoke("askToStop", connectionId),
    close: (connectionId, allowReconnect) => connection.invoke("close", connectionId, allowReconnect),
    stop: () => connection.stop(),
  };
}
