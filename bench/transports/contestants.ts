// The stock client by each transport, in each protocol that it carries.

import {
  DefaultHttpClient,
  type HttpRequest,
  type HttpResponse,
  HttpTransportType,
  type HubConnection,
  HubConnectionBuilder,
  type IHubProtocol,
  JsonHubProtocol,
  NullLogger,
} from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import type { TransportName } from "signalr-lambda";

export interface Contestant {
  readonly name: string;
  readonly transport: TransportName;
  readonly protocol: IHubProtocol;
}

const json = new JsonHubProtocol();

/** What all others are compared with. */
export const SOCKETS: Contestant = { name: "WebSockets, JSON", transport: "WebSockets", protocol: json };
const EVENTS: Contestant = { name: "ServerSentEvents, JSON", transport: "ServerSentEvents", protocol: json };
const POLLING: Contestant = { name: "LongPolling, JSON", transport: "LongPolling", protocol: json };
const PACKED: Contestant = {
  name: "LongPolling, MessagePack",
  transport: "LongPolling",
  protocol: new MessagePackHubProtocol(),
};

export const EVERY: readonly Contestant[] = [SOCKETS, EVENTS, POLLING, PACKED];
/** Of those that MessagePack is compared with. */
export const PACKED_AND_NOT: readonly Contestant[] = [SOCKETS, POLLING, PACKED];

export interface OpenedClient {
  readonly connection: HubConnection;
  /** Requests of long polling and to event streams that were made so far, with those of its start. */
  requests(): number;
}

/** A client that is not started. */
export function build({ transport, protocol }: Contestant, serverUrl: string): OpenedClient {
  const httpClient = new CountingHttpClient(NullLogger.instance);
  const connection = new HubConnectionBuilder()
    .withUrl(`${serverUrl}/bench`, { transport: HttpTransportType[transport], httpClient })
    .withHubProtocol(protocol)
    .configureLogging(NullLogger.instance)
    .build();
  return { connection, requests: () => httpClient.requests };
}

export async function open(contestant: Contestant, serverUrl: string): Promise<OpenedClient> {
  const client = build(contestant, serverUrl);
  await client.connection.start();
  return client;
}

class CountingHttpClient extends DefaultHttpClient {
  requests = 0;

  override send(request: HttpRequest): Promise<HttpResponse> {
    this.requests += 1;
    return super.send(request);
  }
}
