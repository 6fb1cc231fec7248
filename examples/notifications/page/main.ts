// The notifications' page: a typed client, and a reconnect policy of its own.

import { HubConnectionBuilder, type RetryContext } from "@microsoft/signalr";
import { typed } from "signalr-lambda/client";
import { element, log, onSubmit } from "../../shared/elements.ts";
import { accessToken, user } from "../../shared/sign-in.ts";
import { showError, showState, stayConnected } from "../../shared/stay-connected.ts";
import type { notifications } from "../realtime.ts"; // A type: nothing of the server gets into the page.

/** At once, then after 1, 2, 4 … 30 seconds, for ever; each up to a third longer, so that pages do not come all at once. */
const policy = {
  nextRetryDelayInMilliseconds({ previousRetryCount }: RetryContext): number {
    if (previousRetryCount === 0) return 0;
    return Math.min(30_000, 500 * 2 ** previousRetryCount) * (1 + Math.random() / 3);
  },
};

// With a key of this page's own, the connection outlives its sockets: what is sent meanwhile arrives.
const connection = new HubConnectionBuilder()
  .withUrl(`/notifications?resume=${crypto.randomUUID()}`, { accessTokenFactory: accessToken })
  .withAutomaticReconnect(policy)
  .withStatefulReconnect()
  .build();

const hub = typed<typeof notifications>(connection);

hub.on("notified", ({ from, text, kind }) => log(kind === "personal" ? `${from} to you: ${text}` : `${from}: ${text}`));

onSubmit("notify", async ({ to = "", text = "" }) => {
  try {
    await (to === "" ? hub.invoke("notifyAll", text) : hub.invoke("notifyUser", to, text));
    showError();
  } catch (reason) {
    showError(reason);
  }
});

showState("disconnected");
if (user !== undefined) {
  element("user", HTMLElement).textContent = `You are ${user}.`;
  stayConnected(connection);
}
