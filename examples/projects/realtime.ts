// Projects: one connection follows several of them, each a group, and everybody hears who joined and who left. `npm
// start` serves the hub at /projects, with the page at /projects/.

import { defineHub, defineService, type HubCaller, HubException } from "signalr-lambda";
import { z } from "zod";

interface ProjectsClient {
  joined(project: string, name: string): void;
  left(project: string, name: string): void;
}

const Project = z.enum(["apollo", "gemini", "mercury"]);
const Name = z.string().trim().min(1).max(30);

export const projects = defineHub<ProjectsClient>()({
  methods: {
    /** Kept with the connection: the next message may run in another function. */
    introduce: {
      args: [Name],
      handler(hub, name) {
        hub.items.set("name", name);
      },
    },

    join: {
      args: [Project],
      async handler(hub, project) {
        const name = nameOf(hub);
        await hub.groups.add(project);
        await hub.clients.group(project).joined(project, name);
      },
    },

    leave: {
      args: [Project],
      async handler(hub, project) {
        await hub.clients.group(project).left(project, nameOf(hub));
        await hub.groups.remove(project);
      },
    },
  },

  // Once for each connection: when its client has stopped, or was away for too long. Not when only a socket was lost.
  async onDisconnected(hub) {
    for (const project of await hub.groups.list()) await hub.clients.group(project).left(project, nameOf(hub));
  },
});

function nameOf(hub: HubCaller<ProjectsClient>): string {
  const name = hub.items.get("name");
  if (typeof name !== "string") throw new HubException("Say who you are first.");
  return name;
}

export default defineService({ hubs: { projects } });
