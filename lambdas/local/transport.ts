import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { API_GATEWAY } from "../apigateway/index.ts";
import type { Clock } from "../hub/index.ts";
import type { SocketLifetime } from "./faults.ts";
import { FrameSizes } from "./frame-sizes.ts";

/** Why a transport ended: the code and reason of its `$disconnect` event. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
}

export const GOING_AWAY: Ending = { code: 1001, reason: "Going away" };
export const CONNECTION_LOST: Ending = { code: 1006, reason: "" };

interface TransportOptions {
  readonly id: string;
  /** How its client names itself, if it does. */
  readonly client: string | undefined;
  /** Epoch milliseconds: when connect began, from which the 2 hours count. */
  readonly connectedAt: number;
  readonly identity: { readonly userAgent?: string; readonly sourceIp: string };
  readonly webSocket: WebSocket;
  /** What the WebSocket runs on. */
  readonly socket: Duplex;
  readonly clock: Clock;
  readonly lifetime: () => SocketLifetime;
  /** One whole text message. */
  readonly onMessage: (text: string) => void;
  /** Called once, in the moment from which posts answer 410. */
  readonly onEnd: (ending: Ending) => void;
}

/** One open socket with API Gateway's limits on what it carries and how long it lives. */
export class Transport {
  readonly id: string;
  readonly client: string | undefined;
  readonly identity: TransportOptions["identity"];
  /** Epoch milliseconds of the last message in either direction. Control frames do not count: the harsher reading. */
  lastActiveAt: number;

  readonly #webSocket: WebSocket;
  readonly #clock: Clock;
  readonly #lifetime: () => SocketLifetime;
  readonly #onMessage: (text: string) => void;
  readonly #onEnd: (ending: Ending) => void;
  readonly #frames = new FrameSizes(API_GATEWAY.frameBytes);
  #connectedAt: number;
  #received = 0;
  #ended = false;
  /** What was posted while half-open; undefined while frames pass. */
  #held: Buffer[] | undefined;
  #watch = new AbortController();

  constructor(options: TransportOptions) {
    this.id = options.id;
    this.client = options.client;
    this.#connectedAt = options.connectedAt;
    this.identity = options.identity;
    this.lastActiveAt = options.clock.now();
    this.#webSocket = options.webSocket;
    this.#clock = options.clock;
    this.#lifetime = options.lifetime;
    this.#onMessage = options.onMessage;
    this.#onEnd = options.onEnd;
    this.#listen(options.socket);
    void this.#watchLifetime();
  }

  get connectedAt(): number {
    return this.#connectedAt;
  }

  /** Sends one text message. False if the socket has ended: "gone". */
  post(data: Buffer): boolean {
    if (this.#ended || this.#webSocket.readyState !== WebSocket.OPEN) return false;
    this.lastActiveAt = this.#clock.now();
    if (this.#held) this.#held.push(data);
    else this.#webSocket.send(data, { binary: false });
    return true;
  }

  /** Ends the transport from the gateway's side, if it is open. */
  close(ending: Ending): void {
    if (this.#ended) return;
    // Half-open, the close frame would not pass either; `release` tells the client.
    if (this.#held === undefined) this.#webSocket.close(ending.code, ending.reason);
    this.#end(ending);
  }

  cut(): void {
    this.#end(CONNECTION_LOST);
    this.#webSocket.terminate();
  }

  halfOpen(): void {
    this.#held ??= [];
    this.#webSocket.pause();
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    if (this.#ended) {
      this.#webSocket.terminate();
    } else {
      for (const data of held) this.#webSocket.send(data, { binary: false });
      this.#webSocket.resume();
    }
  }

  age(milliseconds: number): void {
    this.#connectedAt -= milliseconds;
    this.lifetimeChanged();
  }

  /** Looks at the limits again. */
  lifetimeChanged(): void {
    this.#watch.abort();
    this.#watch = new AbortController();
  }

  #listen(socket: Duplex): void {
    // Before `ws`, so that the first frame over the limit is known when its message comes; and after `ws`, so that the
    // messages in front of it in the same chunk are delivered first.
    socket.prependListener("data", (chunk: Buffer) => this.#frames.read(chunk));
    socket.on("data", () => {
      if (this.#frames.violated) this.close({ code: 1009, reason: "" });
    });
    this.#webSocket.on("message", (data: Buffer, isBinary) => this.#receive(data, isBinary));
    this.#webSocket.on("close", (code, reason) => this.#end({ code, reason: endReason(code, reason) }));
    this.#webSocket.on("error", (error) => {
      // `ws` has already sent the close frame. An error of the network is followed by "close" with 1006.
      const code = violationCode(error);
      if (code !== undefined) this.#end({ code, reason: "" });
    });
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#received += 1;
    if (this.#ended || this.#received > this.#frames.messagesBeforeViolation) return;
    if (isBinary) {
      this.close({ code: 1003, reason: "" });
    } else {
      this.lastActiveAt = this.#clock.now();
      this.#onMessage(data.toString());
    }
  }

  #end(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch.abort();
    this.#onEnd(ending);
  }

  async #watchLifetime(): Promise<void> {
    do await this.#clock.sleep(this.#timeLeft(), this.#watch.signal);
    while (!this.#ended && this.#timeLeft() > 0);
    this.close(GOING_AWAY);
  }

  #timeLeft(): number {
    const { connectionDuration, idleTimeout } = this.#lifetime();
    return Math.min(this.#connectedAt + connectionDuration, this.lastActiveAt + idleTimeout) - this.#clock.now();
  }
}

/** API Gateway words the missing code itself (captured events agree on this text) and passes a client's reason on. */
function endReason(code: number, reason: Buffer): string {
  return code === 1005 ? "Client-side close frame status not set" : reason.toString();
}

/** The close code `ws` gave to a client that broke the protocol or a limit. */
function violationCode(error: Error & { code?: string }): number | undefined {
  if (!error.code?.startsWith("WS_ERR_")) return undefined;
  if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return 1009;
  if (error.code === "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH") return 1009;
  if (error.code === "WS_ERR_INVALID_UTF8") return 1007;
  return error.code === "WS_ERR_TOO_MANY_BUFFERED_PARTS" ? 1008 : 1002;
}
