// The dashboard's page: loads the past page by page, then follows a stream.

import { HubConnectionBuilder, type ISubscription } from "@microsoft/signalr";
import { typed } from "signalr-lambda/client";
import { element } from "../../shared/elements.ts";
import { showError, stayConnected } from "../../shared/stay-connected.ts";
import type { Figure } from "../figures.ts";
import type { dashboard, FigurePage } from "../realtime.ts";

/** Bars of the chart. */
const SHOWN = 60;

const pause = element("pause", HTMLButtonElement);
const figures = new Map<number, Figure>(); // By time: what comes twice is there once.
let subscription: ISubscription<Figure> | undefined;
let isPaused = false;

const connection = new HubConnectionBuilder()
  .withUrl(`/dashboard?resume=${crypto.randomUUID()}`)
  .withAutomaticReconnect()
  .withStatefulReconnect()
  .build();
const hub = typed<typeof dashboard>(connection);

hub.on("viewers", (count) => {
  element("viewers", HTMLElement).textContent = String(count);
});
hub.on("peak", ({ at, requests }) => {
  element("peak", HTMLElement).textContent = `Peak: ${requests} at ${new Date(at).toLocaleTimeString()}`;
});
pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.textContent = isPaused ? "Go on" : "Pause";
  follow();
});
// After every reconnect: a stream ends with its socket, unless that is replaced unnoticed. The past has what was missed.
stayConnected(connection, load);

async function load(): Promise<void> {
  follow();
  let from: number | null = null;
  do {
    // Every page is a message of its own: no answer gets too large, and the newest are there first.
    const page: FigurePage = await hub.invoke("history", from);
    for (const figure of page.figures) figures.set(figure.at, figure);
    draw();
    element("loaded", HTMLElement).textContent = `${figures.size} figures`;
    from = page.next;
  } while (from !== null);
}

function follow(): void {
  subscription?.dispose(); // Stops the generator, too.
  if (isPaused) return;
  subscription = hub.stream("live").subscribe({
    next(figure) {
      figures.set(figure.at, figure);
      element("requests", HTMLElement).textContent = String(figure.requests);
      draw();
    },
    complete: follow, // Streams end after ten minutes. Not called after `dispose`.
    error: showError,
  });
}

function draw(): void {
  const sorted = [...figures.values()].sort((one, other) => one.at - other.at);
  for (const { at } of sorted.slice(0, -SHOWN)) figures.delete(at);
  const bars = sorted.slice(-SHOWN).map(({ requests }) => {
    const bar = document.createElement("i");
    bar.style.height = `${requests / 2}%`;
    return bar;
  });
  element("chart", HTMLElement).replaceChildren(...bars);
}
