// The load generator's client: as little as can be called one, and the same for both servers.

import { WebSocket } from "ws";
import type { Protocol } from "./protocols.ts";

export class LoadClient {
  /** Called for each message the server sends by itself. */
  onPush: () => void = () => {};
  /** Called for each item of a stream. */
  onItem: () => void = () => {};
  readonly #protocol: Protocol;
  readonly #socket: WebSocket;
  readonly #replies = new Map<number, () => void>();
  #calls = 0;

  /** Resolves when the server has accepted the client. */
  static open(protocol: Protocol, serverUrl: string): Promise<LoadClient> {
    const socket = new WebSocket(protocol.socketUrl(serverUrl), { perMessageDeflate: false });
    return new Promise((resolve, reject) => {
      const client = new LoadClient(protocol, socket, () => resolve(client));
      socket.once("open", () => socket.send(protocol.hello));
      socket.on("error", reject);
    });
  }

  private constructor(protocol: Protocol, socket: WebSocket, onConnected: () => void) {
    this.#protocol = protocol;
    this.#socket = socket;
    socket.on("message", (data) => {
      for (const said of protocol.read(data.toString())) {
        if (said.kind === "connected") onConnected();
        else if (said.kind === "push") this.onPush();
        else if (said.kind === "item") this.onItem();
        else if (said.kind === "question") socket.send(said.answer);
        else this.#settle(said.id);
      }
    });
  }

  /** Resolves with the reply. */
  call(method: string, argument: string | number): Promise<void> {
    return this.#ask((id) => [this.#protocol.call(id, method, argument)]);
  }

  /** Resolves at the end of the stream. */
  stream(method: string, count: number): Promise<void> {
    return this.#ask((id) => [this.#protocol.stream(id, method, count)]);
  }

  /** Resolves with the reply, when all items are read. */
  upload(method: string, items: number): Promise<void> {
    return this.#ask((id) => this.#protocol.upload(id, method, items));
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #ask(frames: (id: number) => readonly string[]): Promise<void> {
    this.#calls += 1;
    for (const frame of frames(this.#calls)) this.#socket.send(frame);
    return new Promise((resolve) => this.#replies.set(this.#calls, resolve));
  }

  #settle(id: number): void {
    this.#replies.get(id)?.();
    this.#replies.delete(id);
  }
}
