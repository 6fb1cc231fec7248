// The board's page. It keeps the notes, tells them to pages that come later, and answers when its own are to be deleted.

import { HubConnectionBuilder } from "@microsoft/signalr";
import { typed } from "signalr-lambda/client";
import { element, onSubmit } from "../../shared/elements.ts";
import { attempt, stayConnected } from "../../shared/stay-connected.ts";
import type { board, Note } from "../realtime.ts";
import { drag } from "./drag.ts";

const area = element("board", HTMLElement);
const dialog = element("confirm", HTMLDialogElement);
/** A message to the server holds 32 KB. */
const MOST_TOLD = 50;
/** The server waits a second longer. Milliseconds. */
const TIME_TO_DECIDE = 14_000;
const notes = new Map<string, Note>();
let isLoaded = false;

const connection = new HubConnectionBuilder()
  .withUrl(`/board?resume=${crypto.randomUUID()}`)
  .withAutomaticReconnect()
  .withStatefulReconnect()
  .build();
const hub = typed<typeof board>(connection);

hub.on("added", put);
hub.on("moved", (id, x, y) => {
  const note = notes.get(id);
  if (note !== undefined) put({ ...note, x, y });
});
hub.on("removed", (id) => {
  notes.delete(id);
  document.getElementById(id)?.remove();
});

// Client results: what these return is the answer to the server's `invoke`.
hub.on("notes", () => {
  if (!isLoaded) throw new Error("This page has not loaded the board yet.");
  return [...notes.values()].slice(-MOST_TOLD);
});
hub.on("confirm", async (id) => {
  if (dialog.open) return false; // One question at a time.
  element("question", HTMLElement).textContent = `Somebody wants to delete “${notes.get(id)?.text}”. May they?`;
  dialog.returnValue = "no";
  dialog.showModal();
  const tooLate = setTimeout(() => dialog.close("no"), TIME_TO_DECIDE);
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  clearTimeout(tooLate);
  return dialog.returnValue === "yes";
});

// A new connection is in no group yet: join, and catch up.
stayConnected(connection, async (isNew) => {
  if (!isNew) return;
  for (const note of await hub.invoke("open")) put(note);
  isLoaded = true;
});

onSubmit("add", ({ text = "" }) => attempt(() => hub.invoke("add", text)));

/** Adds or moves it. */
function put(note: Note): void {
  notes.set(note.id, note);
  const shown = document.getElementById(note.id) ?? area.appendChild(card(note));
  shown.style.setProperty("--x", String(note.x));
  shown.style.setProperty("--y", String(note.y));
}

function card({ id, text }: Note): HTMLElement {
  const shown = document.createElement("article");
  shown.id = id;
  shown.className = "note";
  const remove = document.createElement("button");
  remove.textContent = "Delete";
  remove.addEventListener("click", () => attempt(() => hub.invoke("remove", id)));
  shown.append(text, document.createElement("br"), remove);
  const show = (x: number, y: number) => put({ id, text, x, y });
  drag(shown, area, show, (x, y) => attempt(() => hub.invoke("move", id, x, y)));
  return shown;
}
