// A live dashboard: the past in pages, then figures as they come, what a job pushes from outside (monitor.ts), and how
// many people look on. `npm start` serves the hub at /dashboard, with the page at /dashboard/.

import { setTimeout as sleep } from "node:timers/promises";
import { defineHub, defineService } from "signalr-lambda";
import { z } from "zod";
import { type Figure, figureAt, lastSecond, SECOND } from "./figures.ts";

interface DashboardClient {
  viewers(count: number): void;
  /** The busiest second of the last minute. */
  peak(figure: Figure): void;
}

export interface FigurePage {
  /** The newest first. */
  readonly figures: readonly Figure[];
  /** Where the next page begins; null on the last. */
  readonly next: number | null;
}

/** How long one stream lasts. */
const STREAM = 600 * SECOND;
/** Figures of one page of the past. */
const PAGE = 20;
const PAGES = 3;

export const dashboard = defineHub<DashboardClient>()({
  methods: {
    /** A page of the past, from `next` of the one before; null for the first. */
    history: {
      args: [z.number().int().nonnegative().nullable()],
      handler(_hub, from): FigurePage {
        const newest = from ?? lastSecond();
        const next = newest - PAGE * SECOND;
        return {
          figures: Array.from({ length: PAGE }, (_, index) => figureAt(newest - index * SECOND)),
          next: next > lastSecond() - PAGES * PAGE * SECOND ? next : null,
        };
      },
    },

    /** One figure a second. It ends before the 14 minutes that a stream may last; the page then asks for another. */
    live: {
      args: [],
      async *handler(hub): AsyncGenerator<Figure> {
        const end = Date.now() + STREAM;
        // `aborted` fires when the client has disposed of the stream, or is gone.
        while (!hub.aborted.aborted && Date.now() < end) {
          yield figureAt(lastSecond());
          await sleep(SECOND - (Date.now() % SECOND), undefined, { signal: hub.aborted }).catch(() => {});
        }
      },
    },
  },

  // The count is read from the group itself: a variable would be another one in every function.
  async onConnected(hub) {
    await hub.groups.add("viewers");
    await hub.clients.group("viewers").viewers(await hub.presence.count({ group: "viewers" }));
  },
  async onDisconnected(hub) {
    await hub.clients.group("viewers").viewers(await hub.presence.count({ group: "viewers" }));
  },
});

export default defineService({ hubs: { dashboard } });
