import { type HubConnection, HubConnectionBuilder, NullLogger } from "@microsoft/signalr";

/** Milliseconds. */
const PING = 2_000;

/** A stock client of `services/recorded.ts` that need not be idle: it counts, and talks to its group. */
export class BusyClient {
  readonly connection: HubConnection;
  readonly group: string;
  /** What it was told last. */
  counted = 0;
  #connectionId = "";
  #works = false;
  readonly #heard = new Set<string>();
  #waiting: (() => void)[] = [];

  constructor(url: string, group: string, comesBack: boolean) {
    this.group = group;
    const builder = new HubConnectionBuilder().withUrl(url).configureLogging(NullLogger.instance);
    if (comesBack) builder.withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 50 });
    this.connection = builder.withKeepAliveInterval(PING).build();
    this.connection.on("told", (text: string) => {
      this.#heard.add(text);
      this.#wake();
    });
  }

  /** The id of its first start. */
  get connectionId(): string {
    return this.#connectionId;
  }

  async start(): Promise<this> {
    await this.connection.start();
    this.#connectionId = this.connection.connectionId ?? "";
    await this.connection.invoke("join", this.group);
    return this;
  }

  /** Counts and tells its group, as fast as it is answered, until it is stopped or its connection breaks. */
  async work(): Promise<void> {
    this.#works = true;
    try {
      while (this.#works) {
        await this.connection.send("tell", this.group, "work");
        await this.count();
      }
    } catch {
      // The server was killed over it. Whether anything else went wrong, the test finds out afterwards.
    }
  }

  async count(): Promise<number> {
    this.counted = await this.connection.invoke<number>("count");
    this.#wake();
    return this.counted;
  }

  async hasCounted(count: number): Promise<void> {
    while (this.counted < count) await this.#news();
  }

  async hears(text: string): Promise<void> {
    while (!this.#heard.has(text)) await this.#news();
  }

  /** Resolves with the connection's id when the client has come back. */
  back(): Promise<string | undefined> {
    return new Promise((resolve) => this.connection.onreconnected(resolve));
  }

  async stop(): Promise<void> {
    this.#works = false;
    await this.connection.stop();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
