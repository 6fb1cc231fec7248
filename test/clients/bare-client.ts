import { type ClientOptions, WebSocket } from "ws";
import { Arrivals, Client } from "../local/local-gateway.ts";
import { frame, RS } from "../protocol/records.ts";

/** A hub message as JSON says it. */
export type Message = Readonly<Record<string, unknown>>;

export const HANDSHAKE = '{"protocol":"json","version":1}';

/** A socket that says exactly what a test wants said, and keeps what it is told record by record. */
export class BareClient {
  readonly received = new Arrivals<Message>();
  /** The server's close frame; 1006 without one. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
    this.closed = client.closed;
    client.webSocket.on("message", (data) => {
      const records = data.toString().split(RS);
      if (records.pop() !== "") throw new Error(`The server split a record over two messages: ${data}`);
      for (const record of records) this.received.push(JSON.parse(record));
    });
  }

  /** Rejects with `Refused` and the status of an upgrade that is not let in. */
  static async open(url: URL, options?: ClientOptions): Promise<BareClient> {
    return new BareClient(await Client.open(url, options));
  }

  /** Sends records as one frame. Strings are sent as they are. */
  send(...records: readonly (string | Message)[]): void {
    this.sendText(frame(...records.map((record) => (typeof record === "string" ? record : JSON.stringify(record)))));
  }

  /** Sends a frame byte by byte as given; a Buffer as a binary one. */
  sendText(data: string | Buffer): void {
    this.#client.send(data);
  }

  next(): Promise<Message> {
    return this.received.next();
  }

  /** Everything received until the server closed the socket. */
  async untilClosed(): Promise<readonly Message[]> {
    await this.closed;
    return this.received.all;
  }

  /** Opens the connection. Resolves with the reply. */
  handshake(record = HANDSHAKE): Promise<Message> {
    this.send(record);
    return this.next();
  }

  async invoke(target: string, ...args: readonly unknown[]): Promise<Message> {
    this.send({ type: 1, invocationId: "1", target, arguments: args });
    return this.next();
  }

  /** Closes with a close frame. */
  close(code?: number): void {
    this.#client.webSocket.close(code);
  }

  /** Gone without a word, if it is not gone already. */
  async vanish(): Promise<void> {
    if (this.#client.webSocket.readyState === WebSocket.CLOSED) return;
    this.#client.webSocket.terminate();
    await this.closed;
  }
}
