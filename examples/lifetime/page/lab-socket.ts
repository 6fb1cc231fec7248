// The browser's WebSocket, with an eye on the frames of named clients and a way to silence them. It takes the place of
// the browser's own, where the stock client finds it.

export interface SocketWatcher {
  sent(): void;
  received(): void;
}

const watchers = new Map<string, SocketWatcher>();
const open = new Set<LabSocket>();

class LabSocket extends WebSocket {
  readonly client: string;
  isSilent = false;

  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    this.client = new URL(url).searchParams.get("lab") ?? "";
    open.add(this);
    this.addEventListener("message", () => watchers.get(this.client)?.received());
    this.addEventListener("close", () => open.delete(this));
  }

  override send(data: string | BufferSource | Blob): void {
    if (this.isSilent) return;
    super.send(data);
    watchers.get(this.client)?.sent();
  }
}

globalThis.WebSocket = LabSocket;

export function watchSockets(client: string, watcher: SocketWatcher): void {
  watchers.set(client, watcher);
}

/** What a client sends from now on is lost. Sockets that it opens later talk again. */
export function silenceSockets(client: string): void {
  for (const socket of open) if (socket.client === client) socket.isSilent = true;
}
