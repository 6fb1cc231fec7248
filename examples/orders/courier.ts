// A scheduled job: EventBridge starts this function, and it tells everybody. local.ts fires it on one's own machine.

import { createHubContext } from "signalr-lambda/aws";
import type { orders } from "./realtime.ts";

const { clients } = createHubContext<typeof orders>({ hub: "orders" });

export async function handler(): Promise<void> {
  // Awaited: a function is frozen as soon as it has answered.
  await clients.all.dispatched(Date.now());
}
