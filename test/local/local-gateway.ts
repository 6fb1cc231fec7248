// A gateway under a fake clock whose functions record what they are given, and a real WebSocket client to talk to it.

import { connect } from "node:net";
import { onTestFinished } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import type {
  ConnectEvent,
  DisconnectEvent,
  FunctionContext,
  HttpEvent,
  MessageEvent,
  ScheduledEvent,
  StreamedResponse,
} from "../../lambdas/apigateway/index.ts";
import type { Work } from "../../lambdas/hub/index.ts";
import { type Functions, type GatewayOptions, startGateway } from "../../lambdas/local/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { type Line, recordingLog } from "../recording-log.ts";

/** Values that arrive, each taken once and in order. */
export class Arrivals<Value> {
  readonly all: Value[] = [];
  #taken = 0;
  #waiting: (() => void)[] = [];

  push(value: Value): void {
    this.all.push(value);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async next(): Promise<Value> {
    while (this.#taken >= this.all.length) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#taken += 1;
    return this.all[this.#taken - 1] as Value;
  }
}

interface Invocation<Event> {
  readonly event: Event;
  readonly context: FunctionContext;
}

export async function openGateway({
  functions: overrides = {},
  ...options
}: Partial<Omit<GatewayOptions, "functions">> & { functions?: Partial<Functions> } = {}) {
  const clock = new FakeClock();
  const invoked = {
    connect: new Arrivals<Invocation<ConnectEvent>>(),
    message: new Arrivals<Invocation<MessageEvent>>(),
    disconnect: new Arrivals<Invocation<DisconnectEvent>>(),
    negotiate: new Arrivals<Invocation<HttpEvent>>(),
    poll: new Arrivals<Invocation<HttpEvent>>(),
    stream: new Arrivals<Invocation<HttpEvent>>(),
    work: new Arrivals<Invocation<Work>>(),
    sweep: new Arrivals<Invocation<ScheduledEvent>>(),
  };
  const functions: Functions = {
    connect: async () => ({ statusCode: 200 }),
    message: async () => ({ statusCode: 200 }),
    disconnect: async () => ({ statusCode: 200 }),
    negotiate: async () => ({ statusCode: 200 }),
    poll: async () => ({ statusCode: 200 }),
    stream: async () => {},
    work: async () => {},
    sweep: async () => {},
    ...overrides,
  };
  const lines: Line[] = [];
  // What the gateway calls; it records, and passes on to `functions`, which tests may change.
  const deployed: Functions = {
    connect: record("connect"),
    message: record("message"),
    disconnect: record("disconnect"),
    negotiate: record("negotiate"),
    poll: record("poll"),
    stream: record("stream"),
    work: record("work"),
    sweep: record("sweep"),
  };
  function record<Name extends keyof Functions>(name: Name): Functions[Name] {
    const recorded = (event: never, context: FunctionContext, response: StreamedResponse) => {
      invoked[name].push({ event, context });
      return functions[name](event, context, response);
    };
    return recorded as unknown as Functions[Name];
  }
  const gateway = await startGateway({
    functions: deployed,
    clock,
    log: recordingLog(lines),
    ...options,
  });
  onTestFinished(() => gateway.close());

  /** Opens a socket through the front; rejects with the status that refused it. */
  const open = (path = "/chat", clientOptions?: ClientOptions) =>
    Client.open(new URL(path, gateway.url.replace("http", "ws")), clientOptions);
  /** Opens a socket and returns the id the gateway gave it. */
  const openTransport = async (path?: string) => {
    const client = await open(path);
    const { event } = await invoked.connect.next();
    return { client, id: event.requestContext.connectionId };
  };
  return { gateway, clock, deployed, functions, invoked, lines, open, openTransport };
}

export class Refused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`The upgrade was refused with ${status}.`);
    this.status = status;
  }
}

export class Client {
  readonly webSocket: WebSocket;
  readonly messages = new Arrivals<string>();
  readonly closed: Promise<{ code: number; reason: string }>;

  private constructor(url: URL, options?: ClientOptions) {
    this.webSocket = new WebSocket(url, options);
    this.webSocket.on("message", (data) => this.messages.push(data.toString()));
    this.closed = new Promise((resolve) => {
      this.webSocket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  static open(url: URL, options?: ClientOptions): Promise<Client> {
    const client = new Client(url, options);
    return new Promise((resolve, reject) => {
      client.webSocket.on("open", () => resolve(client));
      client.webSocket.on("unexpected-response", (_, response) => {
        response.resume();
        reject(new Refused(response.statusCode ?? 0));
      });
      client.webSocket.on("error", reject);
    });
  }

  send(data: string | Buffer): void {
    this.webSocket.send(data);
  }

  /** Resolves when the gateway has answered a protocol ping: whatever was sent before has arrived. */
  async ping(): Promise<void> {
    const pong = new Promise((resolve) => this.webSocket.once("pong", resolve));
    this.webSocket.ping();
    await pong;
  }
}

/** What never returns, until the test is over: a gateway waits for its functions when it closes. */
export function hang(): Promise<never> {
  return new Promise((_, reject) => onTestFinished(() => reject(new Error("The test is over."))));
}

/** Sends one request exactly as written and resolves with the head of the answer. @param host for the `Host` header */
export function rawRequest(url: string, lines: readonly string[], host = new URL(url).host): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  socket.write(`${[...lines, `Host: ${host}`].join("\r\n")}\r\n\r\n`);
  return new Promise((resolve, reject) => {
    socket.once("data", (data) => resolve(data.toString()));
    socket.once("error", reject);
  });
}

/** An upgrade request as a client writes it, for `rawRequest`. */
export const UPGRADE = [
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];
