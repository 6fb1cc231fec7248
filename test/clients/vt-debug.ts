// Time that clients and server share, and that passes only while nothing else moves: hours of a stock client with its
// own timers in seconds, and the same on every machine.

import { Socket } from "node:net";
import { DefaultHttpClient, HttpClient, type HttpRequest, type HttpResponse, NullLogger } from "@microsoft/signalr";
import type { ServiceOptions } from "signalr-lambda";
import { onTestFinished, vi } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { type RunningService, start } from "./rs-debug.ts";
import { RunningClock } from "./running-clock.ts";

/** Turns of the event loop without any sign of life, after which everybody waits for time to pass. */
const QUIET_TURNS = 6;

export class VirtualTime {
  readonly service: RunningService;
  /** Pass to clients, so that their requests are seen. */
  readonly network = new Network();
  #tableRequests = 0;

  private constructor(service: RunningService) {
    this.service = service;
    service.server.table.client.middlewareStack.add(
      (next) => async (args) => {
        this.#tableRequests += 1;
        try {
          return await next(args);
        } finally {
          this.#tableRequests -= 1;
        }
      },
      { step: "initialize", name: "virtualTime" },
    );
  }

  /** Runs a service until the test is over, in a time that begins here. */
  static async serve(options: ServiceOptions): Promise<VirtualTime> {
    const service = await start(options, new RunningClock());
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: Date.now() });
    const time = new VirtualTime(service);
    onTestFinished(async () => {
      time.network.open();
      try {
        await time.until(service.close());
      } finally {
        vi.useRealTimers();
      }
    });
    return time;
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

  /** Resolves when nothing happens any more without time passing. */
  async #quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#tableRequests > 0 || this.network.isBusy || isDataUnderway()) turns = -1;
    }
  }
}

/** What a client reaches the server by: while it is shut nothing new gets through, and nobody is told. */
export class Network {
  readonly #connecting = new Set<WebSocket>();
  #requests = 0;
  #held: (() => void)[] | undefined;

  get isBusy(): boolean {
    return this.#held === undefined && (this.#requests > 0 || this.#connecting.size > 0);
  }

  shut(): void {
    this.#held ??= [];
  }

  open(): void {
    for (const goOn of this.#held?.splice(0) ?? []) goOn();
    this.#held = undefined;
  }

  /** For `withUrl` of a stock client. */
  get options() {
    return { WebSocket: this.#webSocket(), httpClient: this.#httpClient() };
  }

  #passage(): Promise<void> {
    return new Promise((resolve) => (this.#held === undefined ? resolve() : this.#held.push(resolve)));
  }

  #webSocket() {
    const connecting = this.#connecting;
    const passage = () => this.#passage();
    return class extends WebSocket {
      constructor(url: string, protocols?: string | string[], options?: ClientOptions) {
        super(url, protocols, { ...options, createConnection: createConnection as ClientOptions["createConnection"] });
        connecting.add(this);
        for (const event of ["open", "close"]) this.once(event, () => connecting.delete(this));
      }
    };

    /** As `http.request` takes it too: the socket comes later. */
    function createConnection({ port, host }: { port: number; host: string }, done: (error: null, to: Socket) => void) {
      void passage().then(() => done(null, new Socket().connect(port, host)));
    }
  }

  #httpClient(): HttpClient {
    const client = new DefaultHttpClient(NullLogger.instance);
    const send = async (request: HttpRequest): Promise<HttpResponse> => {
      this.#requests += 1;
      try {
        await this.#passage();
        return await client.send(request);
      } finally {
        this.#requests -= 1;
      }
    };
    return new (class extends HttpClient {
      override send = send;
    })();
  }
}

/** Whether a socket of this process has something to read, or its other end is not there (any more). */
function isDataUnderway(): boolean {
  const handles = (process as unknown as { _getActiveHandles(): readonly unknown[] })._getActiveHandles();
  const sockets = handles.filter(
    (handle): handle is Socket => handle instanceof Socket && handle.remotePort !== undefined,
  );
  const byPorts = new Map(sockets.map((socket) => [`${socket.localPort} ${socket.remotePort}`, socket]));
  return sockets.some((socket) => {
    const other = byPorts.get(`${socket.remotePort} ${socket.localPort}`);
    // Half-open: it does not read.
    if (socket.isPaused() || other?.isPaused()) return false;
    return socket.connecting || other === undefined || socket.bytesRead !== other.bytesWritten;
  });
}
