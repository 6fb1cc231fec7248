// A function of its own, which EventBridge starts: it looks the last minute through, and pushes what it finds to
// everybody who looks on. local.ts starts it on one's own machine; ../orders/app.ts shows such a function on AWS.

import { createHubContext } from "signalr-lambda/aws";
import { figureAt, lastSecond, SECOND } from "./figures.ts";
import type { dashboard } from "./realtime.ts";

const { clients } = createHubContext<typeof dashboard>({ hub: "dashboard" });

export async function handler(): Promise<void> {
  const minute = Array.from({ length: 60 }, (_, index) => figureAt(lastSecond() - index * SECOND));
  const peak = minute.reduce((one, other) => (other.requests > one.requests ? other : one));
  await clients.group("viewers").peak(peak);
}
