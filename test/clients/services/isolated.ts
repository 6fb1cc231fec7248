// A service that shows in whose memory it runs.

import { existsSync } from "node:fs";
import { threadId } from "node:worker_threads";
import { defineHub, defineService, HubException } from "signalr-lambda";

interface Client {
  told(text: string): void;
}

const VERSION = "first";
/** What only the functions that admit clients count. */
let admitted = 0;

const chat = defineHub<Client>()({
  methods: {
    version: () => VERSION,
    admitted: () => admitted,
    /** In which thread the client was admitted, and in which this runs. */
    threads: (hub) => [hub.user.claims.thread, threadId],
    async join(hub, group: string) {
      await hub.groups.add(group);
    },
    groups: (hub) => hub.groups.list(),
    async tell(hub, group: string, text: string) {
      await hub.clients.group(group).told(text);
    },
    keep: (hub, value: string) => void hub.items.set("kept", value),
    kept: (hub) => hub.items.get("kept"),
    refuse() {
      throw new HubException("No.");
    },
    /** Lets nothing else happen in its thread until there is a file. */
    async hold(hub, file: string) {
      await hub.clients.caller.told("holding");
      while (!existsSync(file)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      return [VERSION, threadId];
    },
    abort: (hub) => hub.abort(),
    exit: () => process.exit(3),
    throwLater() {
      setImmediate(() => {
        throw new RangeError("thrown later");
      });
      return new Promise(() => undefined);
    },
    forget() {
      void Promise.reject(new TypeError("nobody waited"));
    },
  },
  async onReconnected(hub) {
    await hub.clients.caller.told("reconnected");
  },
  async onDisconnected(hub, { stopCalled, error }) {
    await hub.clients.group("watchers").told(`gone ${stopCalled} ${error?.code} ${hub.items.get("kept")}`);
  },
});

export default defineService({
  hubs: { chat },
  auth() {
    admitted += 1;
    return { sub: "ada", thread: threadId };
  },
});
