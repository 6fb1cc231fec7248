// What a client reads when something goes wrong. `npm start` serves the hub at /resilient, with the page at /resilient/.

import { defineHub, defineService, HubException } from "signalr-lambda";
import { z } from "zod";

const LIMIT = 100;

export const resilient = defineHub()({
  methods: {
    withdraw: {
      args: [z.number().positive()],
      handler(hub, amount) {
        // For the client to read, word by word.
        if (amount > LIMIT) throw new HubException(`At most ${LIMIT} at once.`);
        // Any other error is nobody's business: the client learns that there was one, the log has it whole. With
        // `enableDetailedErrors: "local"` clients read these, too, on one's own machine only.
        if (amount === 13) throw new Error("connect ECONNREFUSED bank-db-7.internal:5432");
        hub.log.info("Withdrawn.", { amount });
        return amount;
      },
    },
  },
});

export default defineService({ hubs: { resilient } });
