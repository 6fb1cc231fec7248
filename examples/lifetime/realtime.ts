// The lifetime lab: a hub that tells a page what becomes of the page's connections. `npm start` serves it at /lifetime,
// with the page at /lifetime/.

import { defineHub, defineService, type HubCaller } from "signalr-lambda";
import { z } from "zod";

/** What the server calls on clients. */
interface LabClient {
  /** To those who watch: an event of the hub, and when, in epoch milliseconds. */
  happened(client: string, event: string, detail: string, connectionId: string, at: number): void;
  message(text: string): void;
  /** Asks a client to call its own `stop()`: the polite way to disconnect it. */
  stopClient(): void;
}

const ConnectionId = z.string().max(100);
const Text = z.string().max(100);

/** Anybody may send to, and close, any connection whose id they know: this is a laboratory. */
export const lifetime = defineHub<LabClient>()({
  methods: {
    /** Answers late, so that there is time for something to go wrong. */
    echo: {
      args: [Text, z.number().min(0).max(10_000)],
      async handler(_hub, text, milliseconds) {
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        return text;
      },
    },
    send: {
      args: [ConnectionId, Text],
      handler: (hub, connectionId, text) => hub.clients.client(connectionId).message(text),
    },
    askToStop: {
      args: [ConnectionId],
      handler: (hub, connectionId) => hub.clients.client(connectionId).stopClient(),
    },
    close: {
      args: [ConnectionId, z.boolean()],
      handler: (hub, connectionId, allowReconnect) =>
        hub.connections.close(connectionId, { reason: "Closed from the server.", allowReconnect }),
    },
  },

  async onConnected(hub) {
    const { watch } = hub.request.query;
    if (watch === undefined) await tell(hub, "onConnected");
    else await hub.groups.add(watch);
  },
  onReconnected: (hub) => tell(hub, "onReconnected"),
  onDisconnected: (hub, { stopCalled, error }) => tell(hub, "onDisconnected", stopCalled ? "stopCalled" : error?.code),
});

/** A client is called `PAGE.NUMBER`, and its page has a second connection, which joined the group PAGE to watch. */
async function tell(hub: HubCaller<LabClient>, event: string, detail = ""): Promise<void> {
  const { lab } = hub.request.query;
  const [page] = lab?.split(".") ?? [];
  if (lab === undefined || page === undefined) return;
  await hub.clients.group(page).happened(lab, event, detail, hub.connectionId, Date.now());
}

export default defineService({ hubs: { lifetime } });
