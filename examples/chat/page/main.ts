// The chat's page: the stock SignalR client and the DOM.

import { HubConnectionBuilder } from "@microsoft/signalr";

const state = element("state", HTMLElement);
const error = element("error", HTMLElement);
const joinForm = element("join", HTMLFormElement);
const roomSection = element("room", HTMLElement);
const roomName = element("room-name", HTMLElement);
const leaveButton = element("leave", HTMLButtonElement);
const log = element("log", HTMLElement);
const sayForm = element("say", HTMLFormElement);

// With a key of this page's own, the connection outlives its sockets: same id, same rooms.
const connection = new HubConnectionBuilder()
  .withUrl(`/chat?resume=${crypto.randomUUID()}`)
  .withAutomaticReconnect()
  .withStatefulReconnect()
  .build();

/** Where we are, and are to be again if the connection could not be kept. */
let joined: { readonly room: string; readonly name: string; readonly connectionId: string | null } | undefined;

// --- what the server says ------------------------------------------------------------------------------------------

connection.on("joined", (_room: string, name: string) => show(event(`${name} joined`)));
connection.on("left", (_room: string, name: string) => show(event(`${name} left`)));
connection.on("message", (_room: string, name: string, text: string) => show(message(name, text)));

// --- the connection ------------------------------------------------------------------------------------------------

connection.onreconnecting(() => showState("reconnecting"));
connection.onreconnected(onConnected);
connection.onclose(() => void start()); // After four attempts automatic reconnect gives up. We do not.
void start();

/** Automatic reconnect brings back a connection that was lost; the first start is ours to repeat. */
async function start(): Promise<void> {
  showState("connecting");
  for (;;) {
    try {
      await connection.start();
      break;
    } catch (reason) {
      showState("disconnected");
      showError(reason);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
  await onConnected();
}

/** Groups belong to a connection, and this may be a new one: we were away for too long. */
async function onConnected(): Promise<void> {
  showState("connected");
  showError();
  if (joined === undefined || joined.connectionId === connection.connectionId) return;
  if (await invoke("join", joined.room, joined.name)) joined = { ...joined, connectionId: connection.connectionId };
}

/** True if the server did it. If not, the user has read why. */
async function invoke(method: string, ...args: unknown[]): Promise<boolean> {
  try {
    await connection.invoke(method, ...args);
    showError();
    return true;
  } catch (reason) {
    showError(reason);
    return false;
  }
}

// --- what the user does --------------------------------------------------------------------------------------------

joinForm.addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const room = field(joinForm, "room").value.trim();
  const name = field(joinForm, "name").value.trim();
  log.replaceChildren();
  if (!(await invoke("join", room, name))) return;
  joined = { room, name, connectionId: connection.connectionId };
  showRoom();
  field(sayForm, "text").focus();
});

sayForm.addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const input = field(sayForm, "text");
  const text = input.value;
  input.value = "";
  const said = await invoke("say", joined?.room, text);
  if (!said && input.value === "") input.value = text;
});

leaveButton.addEventListener("click", async () => {
  if (!(await invoke("leave", joined?.room))) return;
  joined = undefined;
  showRoom();
  field(joinForm, "room").focus();
});

// --- what the user sees: text is always text, never markup ---------------------------------------------------------

function showState(now: "connecting" | "connected" | "reconnecting" | "disconnected"): void {
  state.textContent = now;
  state.dataset.state = now;
  for (const button of document.querySelectorAll("button")) button.disabled = now !== "connected";
}

/** The server's own words if it had any for us: those of a HubException. */
function showError(reason?: unknown): void {
  const text = reason instanceof Error ? reason.message : "";
  error.textContent = /HubException: (.*)/s.exec(text)?.[1] ?? text;
}

function showRoom(): void {
  joinForm.hidden = joined !== undefined;
  roomSection.hidden = joined === undefined;
  roomName.textContent = joined?.room ?? "";
}

/** Keeps the newest in view, unless the user has scrolled up to read. */
function show(line: HTMLParagraphElement): void {
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 10;
  log.append(line);
  if (atEnd) line.scrollIntoView({ block: "nearest" });
}

function event(text: string): HTMLParagraphElement {
  const line = document.createElement("p");
  line.className = "event";
  line.textContent = text;
  return line;
}

function message(name: string, text: string): HTMLParagraphElement {
  const line = document.createElement("p");
  const author = document.createElement("b");
  author.textContent = name;
  author.style.setProperty("--hue", String(hueOf(name)));
  line.append(author, text);
  return line;
}

/** Everybody sees somebody in the same colour. */
function hueOf(name: string): number {
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  return hue;
}

function field(form: HTMLFormElement, name: string): HTMLInputElement {
  return form.elements.namedItem(name) as HTMLInputElement;
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} with the id '${id}'.`);
  return found;
}
