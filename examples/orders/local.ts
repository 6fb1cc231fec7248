// The second process on one's own machine: the shop, and the clock that starts the courier, as EventBridge does in the
// cloud. `npm start` runs it; beside another server, put the line before it that `signalr-lambda dev` prints.

import type { AddressInfo } from "node:net";
import { handler } from "./courier.ts";
import { shop } from "./shop.ts";

/** At once, then every minute. */
const SCHEDULE = 60_000;

const server = shop().listen(Number(process.env.PORT ?? 8081), "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(`Orders are taken at http://localhost:${port}/orders`);
});

function fire(): void {
  handler().catch((error: unknown) => console.error("The courier failed.", error));
}
fire();
setInterval(fire, SCHEDULE);
