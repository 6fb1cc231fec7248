// The least a service can be: what is bundled beside it is the package's own.

import { defineHub, defineService } from "signalr-lambda";

export default defineService({
  hubs: { bench: defineHub()({ methods: { echo: (_hub, text: string) => text } }) },
});
