// A board of notes that everybody drags about at once. To delete a note, its author has to agree: the server asks, by a
// client result. `npm start` serves the hub at /board, with the page at /board/.
//
// Functions have no memory, and this example has no table: the notes are with the pages, and whoever comes gets them
// from another page. When the last page is closed, the board is empty. A real board writes them to a table of its own.

import { randomUUID } from "node:crypto";
import { defineHub, defineService, type HubCaller, HubException, InvocationCanceledError } from "signalr-lambda";
import { z } from "zod";

interface BoardClient {
  added(note: Note): void;
  moved(id: string, x: number, y: number): void;
  removed(id: string): void;
  /** What the page shows. Pages that have not loaded the board themselves yet throw. */
  notes(): readonly Note[];
  /** Asks its author whether a note may be deleted. */
  confirm(id: string): boolean;
}

const Id = z.uuid();
const Text = z.string().trim().min(1).max(100);
/** Share of the board's width, or height. */
const Place = z.number().min(0).max(1);
const Note = z.object({ id: Id, text: Text, x: Place, y: Place });
export type Note = z.infer<typeof Note>;

/** Everybody who has opened the board. */
const BOARD = "board";
/** Has one member: the connection that added the note. It leaves by itself when that is gone. */
const authorOf = (id: string) => `author of ${id}`;

/** Milliseconds. */
const TIME_TO_DECIDE = 15_000;
const TIME_TO_TELL = 2_000;
/** Pages asked for the board, one after another. */
const MOST_ASKED = 5;

export const board = defineHub<BoardClient>()({
  methods: {
    /** Joins, and answers with the notes that are there. */
    open: {
      args: [],
      async handler(hub): Promise<readonly Note[]> {
        await hub.groups.add(BOARD);
        const { connectionIds } = await hub.presence.connections({ group: BOARD, limit: MOST_ASKED + 1 });
        for (const id of connectionIds.filter((each) => each !== hub.connectionId)) {
          try {
            const notes = await hub.clients.client(id).invoke("notes", [], { timeout: TIME_TO_TELL });
            return z.array(Note).parse(notes); // Another client's word: checked like every argument.
          } catch {
            // It is away, or has just come itself: the next one may know.
          }
        }
        return [];
      },
    },

    add: {
      args: [Text],
      async handler(hub, text): Promise<void> {
        const note = { id: randomUUID(), text, x: 0.1, y: 0.1 };
        await hub.groups.add(authorOf(note.id));
        await hub.clients.group(BOARD).added(note);
      },
    },

    move: {
      args: [Id, Place, Place],
      handler: (hub, id, x, y) => hub.clients.othersInGroup(BOARD).moved(id, x, y),
    },

    remove: {
      args: [Id],
      async handler(hub, id): Promise<void> {
        const { connectionIds } = await hub.presence.connections({ group: authorOf(id) });
        const [author] = connectionIds;
        if (author !== undefined) {
          if (author !== hub.connectionId) await ask(hub, author, id);
          await hub.groups.removeFromGroup(author, authorOf(id));
        }
        await hub.clients.group(BOARD).removed(id);
      },
    },
  },
});

/** @throws HubException unless the author agrees, or has gone before there was an answer. */
async function ask(hub: HubCaller<BoardClient>, author: string, id: string): Promise<void> {
  const answer = await hub.clients
    .client(author)
    .invoke("confirm", [id], { timeout: TIME_TO_DECIDE })
    .catch((error: unknown) => {
      if (error instanceof InvocationCanceledError) throw new HubException("The author does not answer.");
      if (error instanceof HubException) throw error; // The author's page failed.
      return true; // Its connection ended: nobody is left to ask.
    });
  if (answer !== true) throw new HubException("The author wants to keep it.");
}

export default defineService({ hubs: { board } });
