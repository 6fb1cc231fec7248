// What operations take of clients that poll: each request alone, with the errand that it leaves.

import type { Bill } from "./meter.ts";
import { handshake, invocation, openClient, openMeteredHub, openPolling, PING } from "./metered-hub.ts";
import type { Operation } from "./operation.ts";

export async function measurePollingOperations(): Promise<Operation[]> {
  const cloud = await openMeteredHub();
  const measure = async (action: () => Promise<unknown>): Promise<Bill> =>
    (await cloud.meter.record(() => cloud.clock.during(action()))).bill;
  try {
    const client = await openPolling(cloud);
    const sender = await openClient(cloud);
    const connecting = await measure(async () => {
      await client.poll();
      await client.post(handshake({}));
      await client.poll();
    });
    // What it was told has arrived with the next poll.
    const idle = await measure(() => client.poll());
    const ping = await measure(() => client.post(PING));
    const echo = await measure(() => client.post(invocation("echo", "hello")));
    const answer = await measure(() => client.poll());
    const echoed = await measure(() => sender.send(invocation("echo", "hello")));
    const told = await measure(() => sender.send(invocation("toClient", client.connectionId, "hello")));
    await client.poll();
    const stop = await measure(() => client.delete());
    return [
      { name: "connect to connected, by polling", measured: connecting, budget: { writeUnits: 11, readUnits: 6 } },
      { name: "poll without a message, 25 s", measured: idle, budget: { writeUnits: 3, readUnits: 104 } },
      { name: "ping of a client that polls", measured: ping, budget: { writeUnits: 1, readUnits: 1 } },
      {
        name: "invocation with a result of a client that polls",
        measured: echo,
        budget: { writeUnits: 9, readUnits: 5 },
      },
      { name: "poll with a message", measured: answer, budget: { writeUnits: 4, readUnits: 2 } },
      {
        name: "message to a client that polls",
        measured: { writeUnits: told.writeUnits - echoed.writeUnits, readUnits: told.readUnits - echoed.readUnits },
        budget: { writeUnits: 2, readUnits: 1 },
      },
      { name: "client that polls stops", measured: stop, budget: { writeUnits: 8, readUnits: 4 } },
    ];
  } finally {
    await cloud.close();
  }
}
