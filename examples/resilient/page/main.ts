// A page that expects errors: of the first start, which automatic reconnect does not repeat, and of calls.

import { HubConnectionBuilder } from "@microsoft/signalr";
import { typed } from "signalr-lambda/client";
import { log, onSubmit } from "../../shared/elements.ts";
import { showError, showState } from "../../shared/stay-connected.ts";
import type { resilient } from "../realtime.ts";

/** Between two tries to start: 0.5, 1, 2 … 30 seconds, each up to a third longer. Milliseconds. */
const pauseAfter = (tries: number) => Math.min(30_000, 250 * 2 ** tries) * (1 + Math.random() / 3);

/** For a try: so many starts fail. */
let failures = Number(new URLSearchParams(location.search).get("failures"));
function accessTokenFactory(): string {
  if (failures-- > 0) throw new Error("There is no network.");
  return "";
}

const connection = new HubConnectionBuilder()
  .withUrl(`/resilient?resume=${crypto.randomUUID()}`, { accessTokenFactory })
  .withAutomaticReconnect()
  .withStatefulReconnect()
  .build();
const hub = typed<typeof resilient>(connection);

connection.onreconnecting((error) => {
  showState("reconnecting");
  log(`Reconnecting: ${error?.message}`);
});
connection.onreconnected(() => showState("connected"));
// Automatic reconnect has given up, or the server has closed the connection. This page does not give up.
connection.onclose(() => void start());
void start();

async function start(): Promise<void> {
  for (let tries = 1; ; tries++) {
    showState("connecting");
    try {
      await connection.start();
      showState("connected");
      return log(`Connected at the ${tries}. try.`);
    } catch (reason) {
      showState("disconnected");
      log(`Try ${tries}: ${messageOf(reason)}`);
      await new Promise((resolve) => setTimeout(resolve, pauseAfter(tries)));
    }
  }
}

onSubmit("withdraw", async ({ amount }) => {
  try {
    log(`Withdrawn: ${await hub.invoke("withdraw", Number(amount))}`);
    showError();
  } catch (reason) {
    log(messageOf(reason));
    // What comes from a HubException was written for users; the rest was not. Nor is a call repeated just so: if the
    // connection broke, it may have been done, and only the answer is missing.
    const isMeant = messageOf(reason).includes("HubException: ");
    showError(isMeant ? reason : new Error("That did not work. Please look whether it was done before you try again."));
  }
});

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
