// The stock client on sockets that do what a test says, and what it and its watch tell.

import {
  HttpClient,
  type HttpRequest,
  HttpResponse,
  type HubConnection,
  HubConnectionBuilder,
  type IHttpConnectionOptions,
} from "@microsoft/signalr";
import { type TransportEvents, watchTransport } from "signalr-lambda/client";
import { onTestFinished } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { frame } from "../protocol/records.ts";
import { FakeTimers } from "./fake-timers.ts";

/** The part of a WebSocket that the client uses. */
class FakeSocket {
  static readonly OPEN = 1;
  readonly url: string;
  readonly sent = new Arrivals<string>();
  readyState = 0;
  onopen: ((event: object) => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onerror: ((event: object) => void) | null = null;
  onclose: ((event: { wasClean: boolean; code: number; reason: string }) => void) | null = null;

  constructor(url: string) {
    this.url = url;
  }

  open(): void {
    this.readyState = FakeSocket.OPEN;
    this.onopen?.({});
  }

  deliver(...messages: readonly object[]): void {
    this.onmessage?.({ data: frame(...messages.map((message) => JSON.stringify(message))) });
  }

  /** Breaks, or is refused if it was not open. */
  drop(): void {
    this.readyState = 3;
    this.onclose?.({ wasClean: false, code: 1006, reason: "" });
  }

  send(data: string): void {
    this.sent.push(data);
  }

  close(): void {
    this.readyState = 3;
  }
}

/** Answers negotiate: each time another connection. */
class Negotiator extends HttpClient {
  readonly #useStatefulReconnect: boolean;
  #connections = 0;

  constructor(useStatefulReconnect: boolean) {
    super();
    this.#useStatefulReconnect = useStatefulReconnect;
  }

  async send(_request: HttpRequest): Promise<HttpResponse> {
    this.#connections += 1;
    const answer = {
      negotiateVersion: 1,
      connectionId: `connection-${this.#connections}`,
      connectionToken: `token-${this.#connections}`,
      availableTransports: [{ transport: "WebSockets", transferFormats: ["Text"] }],
      useStatefulReconnect: this.#useStatefulReconnect,
    };
    return new HttpResponse(200, "OK", JSON.stringify(answer));
  }
}

export const PING = { type: 6 };

export interface StockClientOptions {
  /** @default the client's own */
  readonly timers?: FakeTimers;
  /** @default false */
  readonly stateful?: boolean;
  /** Whether the client reconnects by itself. @default true */
  readonly automatic?: boolean;
}

/** A connection that is watched, not yet started. */
export function build({ timers = new FakeTimers(), stateful = false, automatic = true }: StockClientOptions = {}) {
  const sockets = new Arrivals<FakeSocket>();
  const told = new Arrivals<string>();
  const lines: string[] = [];
  class WebSocket extends FakeSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  // The client's own tests give it sockets by this option, which its types do not show.
  const options = { httpClient: new Negotiator(stateful), WebSocket } as IHttpConnectionOptions;
  const transport = watchTransport({ timers });
  const builder = new HubConnectionBuilder()
    .withUrl("http://localhost/chat", options)
    .configureLogging(transport.logger({ log: (_level, line) => lines.push(line) }));
  if (automatic) builder.withAutomaticReconnect([0, 0, 0]);
  if (stateful) builder.withStatefulReconnect();
  const connection = builder.build();
  connection.onreconnecting(() => told.push("onreconnecting"));
  connection.onreconnected(() => told.push("onreconnected"));
  connection.onclose(() => told.push("onclose"));
  const stop = transport.observe(connection, telling(told));
  onTestFinished(() => connection.stop());

  /** The client's next socket, opened, with its handshake answered. */
  async function accept(): Promise<FakeSocket> {
    const socket = await sockets.next();
    socket.open();
    await socket.sent.next();
    socket.deliver({});
    return socket;
  }

  return {
    connection,
    transport,
    timers,
    told,
    /** What the client logged. */
    lines,
    /** The client's sockets, none of which is open. */
    sockets,
    stop,
    accept,
    start: () => start(connection, accept),
  };
}

async function start(connection: HubConnection, accept: () => Promise<FakeSocket>): Promise<FakeSocket> {
  const started = connection.start();
  const socket = await accept();
  await started;
  return socket;
}

/** Handlers that note each event by its name. */
export function telling(told: Arrivals<string>): Required<TransportEvents> {
  return {
    onConnectionSlow: () => told.push("onConnectionSlow"),
    onConnectionRecovered: () => told.push("onConnectionRecovered"),
    onTransportLost: () => told.push("onTransportLost"),
    onTransportRestored: () => told.push("onTransportRestored"),
  };
}
