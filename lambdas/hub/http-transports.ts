// Transports over HTTP: long polling and event streams. Nothing can be sent to their clients, who come for what there
// is. So to post to one is to put something into its connection's outbox, and to close it is to say so there.

import { byteLength } from "./channel.ts";
import type { Clock, Log, PostOutcome, Random, Transports } from "./ports.ts";
import type { Store } from "./store.ts";
import { connectionIdOf, isHttpTransport } from "./transport-names.ts";

interface QueuePorts {
  readonly store: Pick<Store, "nextNumber" | "putMessage" | "closeReading">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Every transport: `sockets`, and those over HTTP. What is empty is said to nobody. */
export function withHttpTransports(sockets: Transports, ports: QueuePorts): Transports {
  return {
    ...sockets,
    async post(id, text) {
      if (text === "") return "accepted";
      return isHttpTransport(id) ? queue(ports, id, text) : sockets.post(id, text);
    },
    close: (id) => (isHttpTransport(id) ? ports.store.closeReading(connectionIdOf(id), id) : sockets.close(id)),
  };
}

/** Behind whatever waits, and also when no room is left: goodbyes have to be heard. */
async function queue(
  { store, clock, random, log }: QueuePorts,
  transportId: string,
  record: string,
): Promise<PostOutcome> {
  const connectionId = connectionIdOf(transportId);
  try {
    for (;;) {
      const now = clock.now();
      const request = { flusher: transportId, nonce: random.id(), now, bytes: byteLength(record), transportId };
      const connection = await store.nextNumber(connectionId, request);
      if (connection === undefined || connection === "full") return "gone";
      const { last, bytes } = connection.outbox;
      if (await store.putMessage(connectionId, { number: last, record }, bytes, now)) return "accepted";
    }
  } catch (error) {
    log.error("A message could not be put where its client finds it.", { connectionId, error });
    return "failed";
  }
}
