// The page of the lifetime lab: its scenes, its buttons, its timelines and its log.

import type { ClientOptions, LabClient } from "./client.ts";
import { button, element } from "./elements.ts";
import { watchGateway } from "./faults.ts";
import type { Mark } from "./history.ts";
import { Lab } from "./lab.ts";
import { type Observer, observe } from "./observer.ts";
import { PRESETS, type Preset } from "./presets.ts";
import { restart } from "./scene.ts";
import { drawTimeline } from "./timeline.ts";

const MOST_CLIENTS = 3;
const TWO_HOURS = 2 * 60 * 60_000;
const REDRAW = 200;

const hands = element("hands", HTMLFormElement);
const log = element("log", HTMLElement);
const timeline = document.getElementById("timeline") as unknown as SVGSVGElement;
const page = crypto.randomUUID().slice(0, 8);
let observer: Observer | undefined;
let sentMessages = 0;
let chosen: LabClient | undefined;

const lab = new Lab(page, send, writeLog);

// --- scenes --------------------------------------------------------------------------------------------------------

for (const preset of PRESETS) {
  const item = document.createElement("li");
  const start = button("", () => void play(preset));
  const title = document.createElement("span");
  title.className = "title";
  title.textContent = preset.title;
  start.disabled = true;
  const length = document.createElement("small");
  length.textContent = `${preset.lasts} s`;
  start.append(title, length);
  item.append(start);
  element("scenes", HTMLElement).append(item);
}

function sceneButtons(): HTMLButtonElement[] {
  return [...document.querySelectorAll<HTMLButtonElement>("#scenes button")];
}

async function play(preset: Preset): Promise<void> {
  showScene(preset);
  element("stage", HTMLElement).scrollIntoView({ block: "nearest" });
  const outcome = await lab.play(preset, options());
  if (outcome === "ended") return;
  showState(outcome === "finished" ? "finished" : "failed");
  showError(outcome === "finished" ? undefined : outcome.failed);
  draw();
}

function showScene(preset: Preset | undefined): void {
  log.replaceChildren();
  showError();
  choose(undefined);
  element("stage-title", HTMLElement).textContent = preset?.title ?? "By hand";
  element("says", HTMLElement).textContent = preset?.says ?? "Start clients, break things, and see who notices when.";
  element("progress", HTMLElement).hidden = preset === undefined;
  showState(preset === undefined ? "" : "running");
  for (const [index, each] of sceneButtons().entries()) {
    each.setAttribute("aria-pressed", String(PRESETS[index] === preset));
  }
}

// --- by hand -------------------------------------------------------------------------------------------------------

function options(): ClientOptions {
  const isOn = (name: string) => (hands.elements.namedItem(name) as HTMLInputElement).checked;
  return {
    resumeKey: isOn("resumeKey"),
    automaticReconnect: isOn("automaticReconnect"),
    statefulReconnect: isOn("statefulReconnect"),
    startAgain: isOn("startAgain"),
    transport: (hands.elements.namedItem("transport") as HTMLSelectElement).value as ClientOptions["transport"],
  };
}

element("add", HTMLButtonElement).addEventListener("click", () => {
  if (chosen === undefined) {
    lab.clear();
    showScene(undefined);
  }
  const client = lab.add(options());
  choose(client);
  void client.start();
});

/** The client that the buttons are about. */
function choose(client: LabClient | undefined): void {
  chosen = client;
  for (const id of ["actions", "server", "faults"]) element(id, HTMLFieldSetElement).disabled = client === undefined;
  const add = element("add", HTMLButtonElement);
  add.disabled = observer === undefined || (client !== undefined && lab.clients.length >= MOST_CLIENTS);
  for (const label of document.querySelectorAll("#clients label")) label.remove();
  if (client === undefined) return;
  for (const each of lab.clients) {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    radio.type = "radio";
    radio.name = "client";
    radio.checked = each === client;
    radio.addEventListener("change", () => choose(each));
    label.append(radio, each.history.title);
    add.before(label);
  }
}

const seconds = (): number => (hands.elements.namedItem("seconds") as HTMLInputElement).valueAsNumber || 5;

const ACTIONS: Readonly<Record<string, (client: LabClient) => unknown>> = {
  invoke: (client) => client.invoke(3_000),
  start: (client) => client.start(),
  stop: (client) => client.stop(),
  send,
  askToStop: (client) => observer?.askToStop(client.connectionId),
  close: (client) => observer?.close(client.connectionId, false),
  closeForNow: (client) => observer?.close(client.connectionId, true),
  cut: (client) => client.fault("cut", "cut"),
  silence: (client) => client.silence(),
  halfOpen: (client) => client.fault("halfOpen", "no network"),
  release: (client) => client.fault("release", "network is back"),
  dropDisconnects: (client) => client.fault("dropDisconnects", "next $disconnect is lost"),
  refuse: (client) => client.fault("refuseConnects", `refused for ${seconds()} s`, 1_000 * seconds()),
  restart: () => Promise.all(lab.clients.filter(({ isOff }) => !isOff).map((client) => restart(client, 1))),
  age: (client) => client.fault("age", "2 h", TWO_HOURS),
  vanish: async (client) => {
    await client.fault("halfOpen", "");
    await client.vanish();
  },
};

hands.addEventListener("click", async ({ target }) => {
  const action = target instanceof HTMLElement ? ACTIONS[target.dataset.action ?? ""] : undefined;
  if (action === undefined || chosen === undefined) return;
  showError();
  try {
    if (chosen.isOff) throw new Error("Its computer is off.");
    await action(chosen);
  } catch (error) {
    showError(error);
  }
});
hands.addEventListener("submit", (submit) => submit.preventDefault());

async function send(client: LabClient): Promise<void> {
  const text = String(++sentMessages);
  client.history.mark("server", `sends “${text}”`);
  await observer?.send(client.connectionId, text);
}

// --- what there is to see ------------------------------------------------------------------------------------------

function writeLog(client: LabClient, mark: Mark, origin: number): void {
  const line = document.createElement("p");
  line.dataset.at = String(mark.at);
  for (const word of [`${((mark.at - origin) / 1000).toFixed(1)} s`, client.history.title, mark.lane, mark.text]) {
    const cell = document.createElement("span");
    cell.textContent = word;
    line.append(cell);
  }
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 10;
  // Client, gateway and hub tell what happened each in its own way, and not in the order of time.
  const later = [...log.children].find((other) => other instanceof HTMLElement && Number(other.dataset.at) > mark.at);
  log.insertBefore(line, later ?? null);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function draw(): void {
  const width = Math.floor(timeline.parentElement?.clientWidth ?? 0);
  const histories = lab.clients.map(({ history }) => history);
  drawTimeline(timeline, histories, lab.window, width);
  element("progress", HTMLProgressElement).value = lab.progress;
}

function showState(now: "" | "running" | "finished" | "failed"): void {
  element("state", HTMLElement).textContent = now;
}

function showError(error?: unknown): void {
  const text = error instanceof Error ? error.message : "";
  element("error", HTMLElement).textContent = /HubException: (.*)/s.exec(text)?.[1] ?? text;
}

// --- beginning and end ---------------------------------------------------------------------------------------------

setInterval(() => lab.isLive && draw(), REDRAW);
addEventListener("resize", draw);
// The server need not wait for those who do not come back.
addEventListener("pagehide", () => {
  for (const client of lab.clients) void client.stop();
  void observer?.stop();
});

try {
  draw();
  await watchGateway((event) => lab.onGateway(event));
  observer = await observe(page, (client, event) => lab.onHub(client, event));
  for (const [index, each] of sceneButtons().entries()) each.disabled = PRESETS[index]?.play === undefined;
  choose(undefined);
} catch (error) {
  showError(error);
}
