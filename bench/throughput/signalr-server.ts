// This package's local server, in a process of its own: gateway, functions and DynamoDB in one.

import { defineHub, defineService, upload } from "signalr-lambda";
import { startLocalServer } from "signalr-lambda/local";
import { reportToParent } from "./report-to-parent.ts";

const anything = {
  "~standard": { version: 1, vendor: "bench", validate: (value: unknown) => ({ value }) },
} as const;

const bench = defineHub<{ receive(text: string): void; confirm(): boolean }>()({
  methods: {
    echo: (_hub, text: string) => text,
    broadcast: (hub, text: string) => hub.clients.all.receive(text),
    *stream(_hub, count: number) {
      for (let index = 0; index < count; index++) yield index;
    },
    collect: {
      args: [upload(anything)],
      async handler(_hub, items) {
        for await (const _ of items);
      },
    },
    async confirm(hub, times: number) {
      for (let count = 0; count < times; count++) await hub.clients.caller.invoke("confirm", []);
    },
  },
});

const server = await startLocalServer(defineService({ hubs: { bench } }));
reportToParent(server.url);
