// A service whose events go to a file, line by line: what a process was killed over can be read there afterwards.

import { appendFileSync } from "node:fs";
import { defineHub, defineService, type HubCaller } from "signalr-lambda";
import type { RecordedEvent } from "../recorded-events.ts";

interface Client {
  told(text: string): void;
}

const file = process.env.RECORDED_EVENTS ?? "";

/** Until the process is killed over it. */
const forever = (): Promise<never> => new Promise(() => undefined);

function record(hub: HubCaller<Client>, event: RecordedEvent["event"], more: Partial<RecordedEvent> = {}): void {
  const { connectionId, redelivered } = hub;
  const line: RecordedEvent = { event, connectionId, redelivered, process: process.pid, at: Date.now(), ...more };
  appendFileSync(file, `${JSON.stringify(line)}\n`);
}

const chat = defineHub<Client>()({
  methods: {
    async join(hub, group: string) {
      await hub.groups.add(group);
    },
    groups: (hub) => hub.groups.list(),
    /** Counts in the connection's items: what was answered once may not be forgotten. */
    count(hub) {
      const count = Number(hub.items.get("count") ?? 0) + 1;
      hub.items.set("count", count);
      return count;
    },
    hold(hub) {
      record(hub, "held");
      return forever();
    },
    /** The first `onDisconnected` of this connection will not come to its end. */
    dieLeaving: (hub) => void hub.items.set("dieLeaving", true),
    async tell(hub, group: string, text: string) {
      await hub.clients.group(group).told(text);
    },
  },
  onConnected(hub) {
    record(hub, "connected");
    return hub.request.query.dieConnecting === undefined ? undefined : forever();
  },
  onReconnected: (hub) => record(hub, "reconnected"),
  onDisconnected(hub, { stopCalled, error }) {
    record(hub, "disconnected", { stopCalled, ...(error && { code: error.code }) });
    return hub.items.get("dieLeaving") === true && !hub.redelivered ? forever() : undefined;
  },
});

export default defineService({
  hubs: { chat },
  lifetime: {
    clientTimeoutInterval: 8_000,
    keepAliveInterval: 4_000,
    handshakeTimeout: 4_000,
    disconnectTimeout: 6_000,
  },
});
