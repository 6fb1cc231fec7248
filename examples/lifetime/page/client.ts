// A stock client under test: built as the README recommends, and everything that happens to it written down.

import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { type Fault, switchFault } from "./faults.ts";
import type { History } from "./history.ts";
import { watchRequests } from "./lab-requests.ts";
import { silenceSockets, watchSockets } from "./lab-socket.ts";
import { ServerView } from "./server-view.ts";

export interface ClientOptions {
  readonly resumeKey: boolean;
  readonly automaticReconnect: boolean;
  readonly statefulReconnect: boolean;
  /** Start again after `onclose`, and when the first start fails. */
  readonly startAgain: boolean;
  /** The one to take; what the stock client chooses when that is not said. */
  readonly transport: keyof typeof HttpTransportType | "";
}

/** Pauses between starts that fail: each twice as long as the one before. Milliseconds. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 10_000;

export class LabClient {
  /** By which the gateway and the hub know it. */
  readonly name: string;
  readonly history: History;
  /** How gateway and hub see it. */
  readonly server: ServerView;
  readonly #options: ClientOptions;
  readonly #connection: HubConnection;
  #wanted = false;
  #tryingToReconnect = false;
  #vanished = false;
  #invocations = 0;
  /** The last one it had. */
  #connectionId: string | undefined;

  constructor(name: string, history: History, options: ClientOptions) {
    this.name = name;
    this.history = history;
    this.#options = options;
    const { resumeKey, statefulReconnect, transport } = options;
    // A computer that is off wants nothing, and is waited for all the same.
    this.server = new ServerView(history, () => (resumeKey || statefulReconnect) && (this.#wanted || this.#vanished));
    watchSockets(name, { sent: () => this.#sent(), received: () => this.#received() });
    watchRequests(name, {
      sent: () => this.#sent(),
      received: () => this.#received(),
      pollBegins: () => this.server.holdPoll(),
      pollEnds: (status) => this.server.endPoll(status),
      streamOpens: () => this.server.openStream(),
      streamEnds: () => this.server.endStream(),
    });
    // One key per client and page load: whoever shares a key shares the connection, and the newer takes it over.
    const key = resumeKey ? `&resume=${crypto.randomUUID()}` : "";
    const url = `/lifetime?lab=${name}${key}`;
    const only = transport === "" ? {} : { transport: HttpTransportType[transport] };
    const builder = new HubConnectionBuilder().withUrl(url, only).configureLogging(LogLevel.None);
    if (options.automaticReconnect) builder.withAutomaticReconnect();
    if (statefulReconnect) builder.withStatefulReconnect();
    this.#connection = builder.build();
    this.#listen();
  }

  /** The last one it had. */
  get connectionId(): string {
    return this.#connectionId ?? "";
  }

  get isOff(): boolean {
    return this.#vanished;
  }

  async start(): Promise<void> {
    if (this.#wanted) throw new Error("It has been started already.");
    this.#wanted = true;
    await this.#start();
  }

  /** Automatic reconnect does not repeat the first start; this does, and pauses longer each time. */
  async #start(): Promise<void> {
    for (let pause = FIRST_PAUSE; this.#wanted; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      this.history.enter("client", "connecting", "busy");
      this.history.mark("client", "start()");
      try {
        await this.#connection.start();
        return this.#connected("started");
      } catch {
        this.history.mark("client", "start() failed");
        this.history.enter("client", "disconnected", "bad");
        this.#wanted &&= this.#options.startAgain;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  async stop(): Promise<void> {
    if (this.#vanished) return;
    this.#wanted = false;
    this.history.mark("client", "stop()");
    await this.#connection.stop();
    // A client that was between two starts has nothing to close, and calls no `onclose`.
    this.history.leave("client");
  }

  /** As if its computer had lost power: it does nothing any more, and nobody is told. */
  async vanish(): Promise<void> {
    silenceSockets(this.name);
    this.history.mark("fault", "the computer is off");
    this.history.leave("client");
    this.history.disarm("serverTimeout");
    this.#vanished = true;
    this.#wanted = false;
    await this.#connection.stop();
  }

  async invoke(milliseconds = 0): Promise<void> {
    const number = ++this.#invocations;
    this.history.mark("client", `invoke ${number}`);
    const outcome = await this.#connection.invoke("echo", `${number}`, milliseconds).then(
      () => "answered",
      () => "rejected",
    );
    if (!this.#vanished) this.history.mark("client", `invoke ${number} ${outcome}`);
  }

  /** Switches a fault for this client only; without a text it is part of another. @throws Error that says why not. */
  async fault(fault: Fault, text: string, milliseconds?: number): Promise<void> {
    const at = Date.now();
    await switchFault(fault, this.name, milliseconds);
    if (text !== "") this.history.mark("fault", text, at);
    if (fault === "halfOpen") this.server.cutOff();
    if (fault === "release") this.server.reach();
  }

  /** The client falls silent, and its socket stays. */
  silence(): void {
    this.history.mark("fault", "silent");
    this.history.enter("transport", "nothing is sent", "busy");
    silenceSockets(this.name);
  }

  #listen(): void {
    const connection = this.#connection;
    connection.on("message", (text: string) => this.history.mark("client", `message “${text}”`));
    connection.on("stopClient", () => {
      this.history.mark("client", "stopClient");
      void this.stop();
    });
    connection.onreconnecting((error) => {
      this.#socketIsGone(error);
      this.#tryingToReconnect = true;
      this.history.mark("client", "onreconnecting");
      this.history.enter("client", "reconnecting", "busy");
    });
    connection.onreconnected(() => this.#connected("onreconnected"));
    connection.onclose((error) => {
      if (this.#vanished) return;
      this.#socketIsGone(error);
      this.history.mark("client", "onclose");
      if (!this.#wanted) return this.history.leave("client");
      this.history.enter("client", "disconnected", "bad");
      // A server that has closed the connection for good is not asked again.
      const isLost = this.#tryingToReconnect || (error !== undefined && !isClosedByServer(error));
      this.#wanted = isLost && this.#options.startAgain;
      setTimeout(() => void this.#start(), FIRST_PAUSE);
    });
  }

  #connected(event: string): void {
    const id = this.#connection.connectionId ?? undefined;
    const which = this.#connectionId === undefined ? "" : id === this.#connectionId ? ", same id" : ", new id";
    this.#connectionId = id;
    this.#tryingToReconnect = false;
    this.history.mark("client", event + which);
    this.history.enter("client", "connected", "good");
  }

  #socketIsGone(error: Error | undefined): void {
    if (error?.message.startsWith("Server timeout elapsed")) this.history.fire("serverTimeout");
    else this.history.disarm("serverTimeout");
  }

  #received(): void {
    // What nobody reads any more: the stock client has closed this socket.
    if (this.#vanished || this.server.isCutOff) return;
    this.history.frame("received");
    // It trusts the one who answers its polls.
    if (this.server.isPolled) return;
    const length = this.#connection.serverTimeoutInMilliseconds;
    this.history.arm("serverTimeout", { lane: "client", length, slack: 0 });
  }

  #sent(): void {
    this.history.frame("sent");
    this.server.hear();
  }
}

/** In the stock client's words. */
function isClosedByServer({ message }: Error): boolean {
  return message.startsWith("Server returned an error on close");
}
