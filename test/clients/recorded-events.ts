import { type FSWatcher, readFileSync, watch, writeFileSync } from "node:fs";

/** A line of the file that `services/recorded.ts` writes. */
export interface RecordedEvent {
  readonly event: "connected" | "held" | "reconnected" | "disconnected";
  readonly connectionId: string;
  readonly redelivered: boolean;
  /** Id of the process that ran the event. */
  readonly process: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly stopCalled?: boolean;
  readonly code?: string;
}

/** The events of a service that runs in other processes, one after the other. */
export class RecordedEvents {
  readonly #file: string;
  readonly #watcher: FSWatcher;
  #waiting: (() => void)[] = [];

  /** @param file is made, empty. */
  constructor(file: string) {
    writeFileSync(file, "");
    this.#file = file;
    this.#watcher = watch(file, () => {
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  /** Each written before its handler went on. */
  get all(): readonly RecordedEvent[] {
    const lines = readFileSync(this.#file, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
  }

  of(connectionId: string): readonly RecordedEvent[] {
    return this.all.filter((event) => event.connectionId === connectionId);
  }

  /** Resolves when the events are as `is` wants them; it is asked again after each. */
  async until(is: () => boolean): Promise<void> {
    for (;;) {
      const written = new Promise<void>((wake) => this.#waiting.push(wake));
      if (is()) return;
      await written;
    }
  }

  close(): void {
    this.#watcher.close();
  }
}
