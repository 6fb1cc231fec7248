// The orders' page: the stock SignalR client and the DOM.

import { HubConnectionBuilder } from "@microsoft/signalr";

const state = element("state", HTMLElement);
const error = element("error", HTMLElement);
const log = element("log", HTMLElement);
const form = element("follow", HTMLFormElement);

// With a key of this page's own, the connection outlives its sockets: who it follows stays, too.
const connection = new HubConnectionBuilder()
  .withUrl(`/orders?resume=${crypto.randomUUID()}`)
  .withAutomaticReconnect()
  .withStatefulReconnect()
  .build();

/** Whom we follow, and are to follow again if the connection could not be kept. */
const followed = new Set<string>();

connection.on("placed", ({ customer, item }: { customer: string; item: string }) => show(`${customer}: ${item}`));
connection.on("dispatched", (at: number) => show(`The courier left at ${new Date(at).toLocaleTimeString()}.`));
connection.onreconnecting(() => showState("reconnecting"));
connection.onreconnected(onConnected);
connection.onclose(() => void start());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const customer = String(new FormData(form).get("customer")).trim();
  followed.add(customer);
  void follow(customer);
});
void start();

async function start(): Promise<void> {
  for (;;) {
    showState("connecting");
    try {
      await connection.start();
      return await onConnected();
    } catch {
      showState("disconnected");
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

/** To join a group again does no harm. */
async function onConnected(): Promise<void> {
  showState("connected");
  await Promise.all([...followed].map(follow));
}

async function follow(customer: string): Promise<void> {
  try {
    await connection.invoke("follow", customer);
    error.textContent = "";
    show(`Following ${customer}.`);
  } catch (reason) {
    error.textContent = String(reason);
  }
}

function show(text: string): void {
  const item = document.createElement("li");
  item.textContent = text;
  log.prepend(item);
}

function showState(text: string): void {
  state.textContent = text;
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`The page has no ${id}.`);
}
