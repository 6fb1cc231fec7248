// A chat with rooms. `npm start` serves it at /chat, with the page beside it.

import { defineHub, defineService, type HubCaller, HubException } from "signalr-lambda";
import { z } from "zod";

/** What the server calls on clients. */
interface ChatClient {
  joined(room: string, name: string): void;
  left(room: string, name: string): void;
  message(room: string, name: string, text: string): void;
}

const Name = z.string().trim().min(1).max(30);
const Room = z.string().trim().min(1).max(30);
const Text = z.string().trim().min(1).max(1000);

export const chat = defineHub<ChatClient>()({
  methods: {
    join: {
      args: [Room, Name],
      async handler(hub, room, name) {
        hub.items.set(room, name); // Kept with the connection: the next message may run in another function.
        await hub.groups.add(room);
        await hub.clients.group(room).joined(room, name);
      },
    },

    leave: {
      args: [Room],
      async handler(hub, room) {
        const name = nameIn(hub, room);
        hub.items.delete(room);
        await hub.groups.remove(room);
        await hub.clients.group(room).left(room, name);
      },
    },

    say: {
      args: [Room, Text],
      async handler(hub, room, text) {
        await hub.clients.group(room).message(room, nameIn(hub, room), text);
      },
    },
  },

  async onDisconnected(hub) {
    for (const [room, name] of hub.items) await hub.clients.othersInGroup(room).left(room, String(name));
  },
});

function nameIn(hub: HubCaller<ChatClient>, room: string): string {
  const name = hub.items.get(room);
  if (typeof name !== "string") throw new HubException("Join the room first."); // Clients read what a HubException says.
  return name;
}

export default defineService({ hubs: { chat } });
