// What goes over the wire, counted by a relay in front of a server: TCP's payload, so HTTP's and WebSocket's own bytes
// with it, and neither TLS nor headers of packets.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CountingRelay {
  readonly url: string;
  /** Both ways together, so far. */
  bytes(): number;
  close(): Promise<void>;
}

export async function openRelay(serverUrl: string): Promise<CountingRelay> {
  const { hostname: host, port } = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let bytes = 0;
  const pass = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (data) => {
      bytes += data.length;
      to.write(data);
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => sockets.delete(from));
  };
  const relay = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ host, port: Number(port), allowHalfOpen: true });
    pass(client, server);
    pass(server, client);
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  return {
    url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    bytes: () => bytes,
    async close() {
      for (const socket of sockets) socket.destroy();
      relay.close();
      await once(relay, "close");
    },
  };
}
