import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** The port belongs to another process. */
export class PortInUseError extends Error {
  override readonly name = "PortInUseError";
  readonly code = "port_in_use";

  constructor(port: number, cause: unknown) {
    super(`Port ${port} is in use. Stop what listens there, or choose another port.`, { cause });
  }
}

export interface OpenServer {
  readonly server: Server;
  /** Host and port as a client writes them. */
  readonly authority: string;
  /** Stops listening, gives `work` and open sockets a grace to come to their end, and cuts what is left. */
  readonly close: (work: Promise<unknown>) => Promise<void>;
}

/** Milliseconds of real time: at the end it is this process that waits, whatever the Clock says. */
const CLOSE_GRACE = 3_000;

/**
 * Milliseconds for which a connection without a request stays open: longer than clients that poll pause. Nothing limits
 * how long a request may wait for its answer.
 */
const KEEP_ALIVE = 65_000;

/** @throws PortInUseError */
export async function openServer(port = 0, host = "127.0.0.1"): Promise<OpenServer> {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE });
  const sockets = trackSockets(server);
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "EADDRINUSE" ? new PortInUseError(port, error) : error;
  }
  return {
    server,
    authority: `${urlHost(host)}:${(server.address() as AddressInfo).port}`,
    async close(work) {
      const closed = new Promise((resolve) => server.close(resolve));
      // Clients open some in advance, which Node's server waits for.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      await Promise.race([Promise.all([work, closed]), delay(CLOSE_GRACE, undefined, { ref: false })]);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Every open TCP connection: Node's server forgets those that were upgraded. */
function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
}

/** Loopback and "everywhere" are reached as localhost. */
function urlHost(host: string): string {
  if (["127.0.0.1", "::1", "0.0.0.0", "::", "localhost"].includes(host)) return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
