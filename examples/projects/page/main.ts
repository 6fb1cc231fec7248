// The projects' page: a connection in several groups.

import { HubConnectionBuilder } from "@microsoft/signalr";
import { typed } from "signalr-lambda/client";
import { element, log, onSubmit } from "../../shared/elements.ts";
import { attempt, stayConnected } from "../../shared/stay-connected.ts";
import type { projects } from "../realtime.ts";

type Project = "apollo" | "gemini" | "mercury";

const list = element("projects", HTMLFieldSetElement);
let name: string | undefined;

const connection = new HubConnectionBuilder()
  .withUrl(`/projects?resume=${crypto.randomUUID()}`)
  .withAutomaticReconnect()
  .withStatefulReconnect()
  .build();
const hub = typed<typeof projects>(connection);

hub.on("joined", (project, who) => log(`${who} joined ${project}`));
hub.on("left", (project, who) => log(`${who} left ${project}`));

// Groups and items belong to the connection: a new one has none, and is told again.
stayConnected(connection, async (isNew) => {
  if (!isNew || name === undefined) return;
  await hub.invoke("introduce", name);
  for (const box of list.querySelectorAll<HTMLInputElement>(":checked")) await hub.invoke("join", box.name as Project);
});

onSubmit("introduce", (fields) =>
  attempt(async () => {
    await hub.invoke("introduce", fields.name ?? "");
    name = fields.name;
    list.disabled = false;
  }),
);

list.addEventListener("change", ({ target }) => {
  if (!(target instanceof HTMLInputElement)) return;
  void attempt(() => hub.invoke(target.checked ? "join" : "leave", target.name as Project));
});
