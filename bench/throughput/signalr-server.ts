// This package's local server, in a process of its own: gateway, functions and DynamoDB in one.

import { defineHub, defineService } from "signalr-lambda";
import { startLocalServer } from "signalr-lambda/local";
import { reportToParent } from "./report-to-parent.ts";

const bench = defineHub<{ receive(text: string): void }>()({
  methods: {
    echo: (_hub, text: string) => text,
    broadcast: (hub, text: string) => hub.clients.all.receive(text),
  },
});

const server = await startLocalServer(defineService({ hubs: { bench } }));
reportToParent(server.url);
