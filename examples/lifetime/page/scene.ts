// What a preset may use: one client, the server's voice, and time.

import type { LabClient } from "./client.ts";
import type { Lane } from "./history.ts";

export interface Scene {
  readonly client: LabClient;
  /** The server sends the client a message. */
  send(): Promise<void>;
  /** Sockets break without `$disconnect`, and for some seconds nothing is answered. */
  restart(seconds: number): Promise<void>;
  wait(seconds: number): Promise<void>;
  /** Waits for something to happen in a lane, unless it has happened, for at most some seconds. */
  until(lane: Lane, text: RegExp, seconds: number): Promise<void>;
}

/** Ends a preset from outside: somebody started another. */
export class SceneOver extends Error {
  override readonly name = "SceneOver";
}

const GLANCE = 100;

export function sceneOf(client: LabClient, send: (client: LabClient) => Promise<void>, over: AbortSignal): Scene {
  const wait = async (seconds: number): Promise<void> => {
    const end = Date.now() + 1_000 * seconds;
    while (Date.now() < end) {
      if (over.aborted) throw new SceneOver();
      await new Promise((resolve) => setTimeout(resolve, Math.min(GLANCE, end - Date.now())));
    }
  };
  return {
    client,
    send: () => send(client),
    restart: (seconds) => restart(client, seconds),
    wait,
    async until(lane, text, seconds) {
      const { marks } = client.history;
      const end = Date.now() + 1_000 * seconds;
      const happened = () => marks.some((mark) => mark.lane === lane && text.test(mark.text));
      while (!happened() && Date.now() < end) await wait(GLANCE / 1_000);
    },
  };
}

/** In this order: a client that finds its socket cut finds nobody to go to either. */
export async function restart(client: LabClient, seconds: number): Promise<void> {
  await client.fault("refuseConnects", `server restarts, ${seconds} s`, 1_000 * seconds);
  // One that has no socket at the moment has none to lose, and a client that polls never has one.
  for (const fault of ["dropDisconnects", "cut"] as const) await client.fault(fault, "").catch(() => undefined);
}
