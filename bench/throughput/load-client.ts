// The load generator's client: as little as can be called one, and the same for both servers.

import { WebSocket } from "ws";
import type { Protocol } from "./protocols.ts";

export class LoadClient {
  /** Called for each message the server sends by itself. */
  onPush: () => void = () => {};
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
        else if (said.kind === "ping") socket.send(said.answer);
        else this.#settle(said.id);
      }
    });
  }

  /** Resolves with the reply. */
  call(method: string, text: string): Promise<void> {
    this.#calls += 1;
    this.#socket.send(this.#protocol.call(this.#calls, method, text));
    return new Promise((resolve) => this.#replies.set(this.#calls, resolve));
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #settle(id: number): void {
    this.#replies.get(id)?.();
    this.#replies.delete(id);
  }
}
