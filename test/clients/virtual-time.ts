// Time that clients and server share, and that passes only while nothing else moves: hours of a stock client with its
// own timers in seconds, and the same on every machine.

import { Socket } from "node:net";
import { DefaultHttpClient, HttpClient, type HttpRequest, type HttpResponse, NullLogger } from "@microsoft/signalr";
import type { ServiceOptions } from "signalr-lambda";
import { onTestFinished, vi } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import type { BareClient, Message } from "./bare-client.ts";
import { RunningClock } from "./running-clock.ts";
import { type RunningService, start } from "./running-service.ts";

/** Turns of the event loop without any sign of life, after which everybody waits for time to pass. */
const QUIET_TURNS = 6;
/** Of the server. Looking its name up would be out of sight. */
const ADDRESS = "127.0.0.1";

export class VirtualTime {
  /** Pass to clients, so that their requests are seen. */
  readonly network = new Network();
  #service: RunningService | undefined;
  /** Requests to the table, and work of threads. */
  #underway = 0;

  /** Runs a service until the test is over, in a time that begins here. */
  static async serve(options: ServiceOptions, clock = new RunningClock()): Promise<VirtualTime> {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    const time = new VirtualTime();
    time.#watchCryptography();
    const service = await time.until(start(options, clock));
    onTestFinished(() => {
      time.network.open();
      return time.until(service.close());
    });
    // Below the SDK's retries, which wait for time to pass.
    service.eachTableClient((client) =>
      client.middlewareStack.add((next) => (args) => time.#during(next(args)), {
        step: "finalizeRequest",
        priority: "low",
        name: "virtualTime",
      }),
    );
    time.#service = service;
    return time;
  }

  get service(): RunningService {
    if (this.#service === undefined) throw new Error("The service has not started.");
    return this.#service;
  }

  /** Time stands still meanwhile. */
  async #during<Result>(request: Promise<Result>): Promise<Result> {
    this.#underway += 1;
    try {
      return await request;
    } finally {
      this.#underway -= 1;
    }
  }

  /** Tokens are signed and verified on threads. */
  #watchCryptography(): void {
    const { subtle } = globalThis.crypto;
    for (const name of ["importKey", "sign", "verify"] as const) {
      const original = subtle[name].bind(subtle) as (...args: unknown[]) => Promise<never>;
      const spy = vi.spyOn(subtle, name).mockImplementation((...args: unknown[]) => this.#during(original(...args)));
      onTestFinished(() => spy.mockRestore());
    }
  }

  /** Lets time pass until something has happened. */
  async until<Result>(event: Promise<Result>): Promise<Result> {
    let happened = false;
    const settle = () => {
      happened = true;
    };
    event.then(settle, settle);
    for (;;) {
      await this.#quiet();
      if (happened) return event;
      vi.advanceTimersToNextTimer();
    }
  }

  /** Lets time pass. Milliseconds. */
  async pass(milliseconds: number): Promise<void> {
    await this.until(new Promise<void>((resolve) => setTimeout(resolve, milliseconds)));
  }

  /** A bare socket, as the service opens it. */
  open(path: string): Promise<BareClient> {
    const createConnection = ({ port }: { port: number }) => new Socket().connect(port, ADDRESS);
    return this.until(this.service.open(path, { createConnection: createConnection as unknown as Connecting }));
  }

  /** What negotiate answers. */
  async negotiate(query: string): Promise<Message> {
    const url = this.service.url.replace("localhost", ADDRESS);
    const response = await this.until(fetch(`${url}/chat/negotiate${query}`, { method: "POST" }));
    return this.until(response.json() as Promise<Message>);
  }

  /** Resolves when nothing happens any more without time passing. */
  async #quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#underway > 0 || isDataUnderway()) turns = -1;
    }
  }
}

/** What a client reaches the server by: while it is shut nothing new gets through, and nobody is told. */
export class Network {
  /** What a stock client sends and receives with. */
  webSocket: WebSocket | undefined;
  #held: (() => void)[] | undefined;

  shut(): void {
    this.#held ??= [];
  }

  open(): void {
    for (const goOn of this.#held?.splice(0) ?? []) goOn();
    this.#held = undefined;
  }

  /** For `withUrl` of a stock client. */
  get options() {
    return { WebSocket: webSocketThrough(this), httpClient: httpClientThrough(this) };
  }

  /** Resolves when something new gets through. */
  passage(): Promise<void> {
    return new Promise((resolve) => (this.#held === undefined ? resolve() : this.#held.push(resolve)));
  }
}

function webSocketThrough(network: Network) {
  /** As `http.request` takes it too: the socket comes later. */
  function createConnection({ port }: { port: number }, done: (error: null, to: Socket) => void) {
    void network.passage().then(() => done(null, new Socket().connect(port, ADDRESS)));
  }
  return class extends WebSocket {
    constructor(url: string, protocols?: string | string[], options?: ClientOptions) {
      super(url, protocols, { ...options, createConnection: createConnection as unknown as Connecting });
      network.webSocket = this;
    }
  };
}

function httpClientThrough(network: Network): HttpClient {
  const client = new DefaultHttpClient(NullLogger.instance);
  return new (class extends HttpClient {
    override async send(request: HttpRequest): Promise<HttpResponse> {
      await network.passage();
      return client.send({ ...request, url: request.url?.replace("localhost", ADDRESS) ?? "" });
    }
  })();
}

/** Whether a socket of this process connects, has something to read, or has not heard that its other end is gone. */
function isDataUnderway(): boolean {
  const handles = (process as unknown as { _getActiveHandles(): readonly unknown[] })._getActiveHandles();
  const sockets = handles.filter((handle): handle is HttpSocket => handle instanceof Socket);
  if (sockets.some(({ connecting }) => connecting)) return true;
  const byPorts = new Map(sockets.map((socket) => [`${socket.localPort} ${socket.remotePort}`, socket]));
  return sockets.some((socket) => {
    if (socket.remotePort === undefined || socket.isPaused()) return false;
    const other = byPorts.get(`${socket.remotePort} ${socket.localPort}`);
    // `fetch` keeps its connections, and hides its ends of them from this list.
    if (other === undefined) return !(socket.server && socket.parser);
    return !other.isPaused() && socket.bytesRead !== other.bytesWritten;
  });
}

type Connecting = NonNullable<ClientOptions["createConnection"]>;

/** Has a server at its server's end, and a parser until it becomes a WebSocket. */
type HttpSocket = Socket & { readonly server?: unknown; readonly parser?: unknown };
