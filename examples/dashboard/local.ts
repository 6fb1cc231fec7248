// The monitor's schedule on one's own machine, in a second process. `npm start` runs it; beside another server, put the
// line before it that `signalr-lambda dev` prints.

import { handler } from "./monitor.ts";

const SCHEDULE = 10_000;

setInterval(() => {
  handler().catch((error: unknown) => console.error("The monitor failed.", error));
}, SCHEDULE);
