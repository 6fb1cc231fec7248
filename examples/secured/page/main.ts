// The page of the secured hub: all users may try everything, and read what the server refuses.

import { HubConnectionBuilder } from "@microsoft/signalr";
import { typed } from "signalr-lambda/client";
import { element, log, onSubmit } from "../../shared/elements.ts";
import { accessToken } from "../../shared/sign-in.ts";
import { attempt, stayConnected } from "../../shared/stay-connected.ts";
import type { secured } from "../realtime.ts";

// `accessTokenFactory` is asked for every connect, so it can hand out a new token when the old one has expired.
const connection = new HubConnectionBuilder()
  .withUrl(`/secured?resume=${crypto.randomUUID()}`, { accessTokenFactory: accessToken })
  .withAutomaticReconnect()
  .withStatefulReconnect()
  .build();
const hub = typed<typeof secured>(connection);

hub.on("announced", (name, text) => log(`${name} announces: ${text}`));

// Without a sign-in the start is refused with 401, and the alert says so.
stayConnected(connection, async () => {
  const { name, roles, tier } = await hub.invoke("whoAmI");
  element("user", HTMLElement).textContent = `You are ${[name, ...roles, tier].filter(Boolean).join(", ")}.`;
});

onSubmit("announce", ({ text = "" }) => attempt(() => hub.invoke("announce", text)));
onSubmit("report", ({ year }) => attempt(async () => log(await hub.invoke("report", Number(year)))));
