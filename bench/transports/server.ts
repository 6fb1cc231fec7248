// This package's local server with every transport, in a process of its own.

import { defineHub, defineService } from "signalr-lambda";
import { startLocalServer } from "signalr-lambda/local";
import { reportToParent } from "../throughput/report-to-parent.ts";

/** Of the one client that sends notes at a time. */
let notes = 0;

const bench = defineHub<{ receive(value: unknown): void; noted(): void }>()({
  methods: {
    echo: (_hub, text: string) => text,
    /** Tells when so many have come. */
    async note(hub, of: number) {
      notes += 1;
      if (notes < of) return;
      notes = 0;
      await hub.clients.caller.noted();
    },
    async flood(hub, count: number, text: string) {
      for (let sent = 0; sent < count; sent++) await hub.clients.caller.receive(text);
    },
    tick: (hub, value: unknown) => hub.clients.others.receive(value),
    /** Reads all of it, and answers nothing. */
    take: (_hub, _values: unknown) => {},
  },
});

const transports = ["WebSockets", "ServerSentEvents", "LongPolling"] as const;
const server = await startLocalServer(defineService({ hubs: { bench }, transports }));
reportToParent(server.url);
