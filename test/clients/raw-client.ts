// Clients of raw connections: a bare socket, and what the stock client is built on, which its package does not export.

import { createRequire } from "node:module";
import { type HttpTransportType, NullLogger, TransferFormat } from "@microsoft/signalr";
import { onTestFinished } from "vitest";
import type { ClientOptions } from "ws";
import { Arrivals, Client } from "../local/local-gateway.ts";

type Module = typeof import("@microsoft/signalr/dist/esm/HttpConnection.js");
const { HttpConnection } = createRequire(import.meta.url)("@microsoft/signalr/dist/cjs/HttpConnection.js") as Module;

/** The stock client below the hub protocol, started. */
export async function startConnection(url: string, transport: HttpTransportType) {
  const connection = new HttpConnection(url, { transport, logger: NullLogger.instance });
  const messages = new Arrivals<unknown>();
  connection.onreceive = (data) => messages.push(data);
  const closed = new Promise<Error | undefined>((resolve) => {
    connection.onclose = resolve;
  });
  onTestFinished(() => connection.stop());
  await connection.start(TransferFormat.Text);
  return { connection, messages, closed, send: (text: string) => connection.send(text), stop: () => connection.stop() };
}

/** A socket, by negotiation if it has an offer's token. */
export function openSocket(url: string, options?: ClientOptions): Promise<Client> {
  return Client.open(new URL(url.replace("http", "ws")), options);
}
