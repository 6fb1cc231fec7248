// The clients of the page and what is drawn of them: by hand, or in a scene.

import { type ClientOptions, LabClient } from "./client.ts";
import type { GatewayEvent } from "./faults.ts";
import { History, type Mark } from "./history.ts";
import type { Preset } from "./presets.ts";
import type { Window } from "./scale.ts";
import { SceneOver, sceneOf } from "./scene.ts";
import type { HubEvent } from "./server-view.ts";

/** What is drawn when there is no scene: the last minute and a half, and a little of what is to come. Milliseconds. */
const PAST = 80_000;
const FUTURE = 10_000;
const SHORTEST = 45_000;

export type Outcome = "finished" | "ended" | { readonly failed: unknown };

export class Lab {
  readonly #page: string;
  readonly #send: (client: LabClient) => Promise<void>;
  readonly #onMark: (client: LabClient, mark: Mark, origin: number) => void;
  #clients: LabClient[] = [];
  #numbers = 0;
  #origin = Date.now();
  #preset: Preset | undefined;
  #over = new AbortController();
  /** When the picture was finished. */
  #endedAt: number | undefined;

  constructor(
    page: string,
    send: (client: LabClient) => Promise<void>,
    onMark: (client: LabClient, mark: Mark, origin: number) => void,
  ) {
    this.#page = page;
    this.#send = send;
    this.#onMark = onMark;
  }

  get clients(): readonly LabClient[] {
    return this.#clients;
  }

  /** Whether the picture changes. */
  get isLive(): boolean {
    return this.#clients.length > 0 && this.#endedAt === undefined;
  }

  /** How far the scene is, from 0 to 1. */
  get progress(): number {
    const { now } = this.window;
    if (this.#preset === undefined) return 0;
    return this.#endedAt !== undefined ? 1 : Math.min(1, (now - this.#origin) / (1_000 * this.#preset.lasts));
  }

  get window(): Window {
    const now = this.#endedAt ?? Date.now();
    const origin = this.#origin;
    if (this.#preset !== undefined) {
      const to = Math.max(origin + 1_000 * this.#preset.lasts, now);
      return { from: origin, to, now, origin };
    }
    const from = Math.max(origin, now - PAST);
    return { from, to: Math.max(from + SHORTEST, now + FUTURE), now, origin };
  }

  /** Takes the stage from whoever has it. */
  clear(): void {
    this.#over.abort();
    this.#over = new AbortController();
    for (const client of this.#clients) void client.stop();
    this.#clients = [];
    this.#preset = undefined;
    this.#endedAt = undefined;
    this.#origin = Date.now();
  }

  /** One more client, not yet started. */
  add(options: ClientOptions): LabClient {
    const number = ++this.#numbers;
    const history = new History(`Client ${this.#clients.length + 1}`, (mark) => {
      if (this.isLive && this.#clients.includes(client)) this.#onMark(client, mark, this.#origin);
    });
    const client = new LabClient(`${this.#page}.${number}`, history, options);
    this.#clients.push(client);
    return client;
  }

  /** Resolves when the scene is over: played to its end, ended by another, or failed. */
  async play(preset: Preset, options: ClientOptions): Promise<Outcome> {
    this.clear();
    this.#preset = preset;
    const { signal } = this.#over;
    const client = this.add(preset.transport === undefined ? options : { ...options, transport: preset.transport });
    try {
      await preset.play(sceneOf(client, this.#send, signal));
      return "finished";
    } catch (error) {
      return signal.aborted || error instanceof SceneOver ? "ended" : { failed: error };
    } finally {
      if (!signal.aborted) {
        this.#endedAt = Date.now();
        client.history.end();
        void client.stop();
      }
    }
  }

  onGateway(event: GatewayEvent): void {
    if (this.isLive) this.#named(event.client)?.server.onGateway(event);
  }

  onHub(name: string, event: HubEvent): void {
    if (this.isLive) this.#named(name)?.server.onHub(event);
  }

  #named(name: string): LabClient | undefined {
    return this.#clients.find((client) => client.name === name);
  }
}
