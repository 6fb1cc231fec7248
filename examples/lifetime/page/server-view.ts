// What the gateway and the hub tell about one client, written into its history, and the timeouts that run over there.

import type { GatewayEvent } from "./faults.ts";
import type { History, TimerName } from "./history.ts";

/** What the hub was told, and when: epoch milliseconds. */
export interface HubEvent {
  readonly event: string;
  readonly detail: string;
  readonly connectionId: string;
  readonly at: number;
}

/** What the service's `lifetime` is unless it says otherwise, and how late the server may notice. Milliseconds. */
const TIMEOUT = { lane: "server", length: 30_000, slack: 10_000 } as const;
/** While a poll is held nothing is heard of its client: so long at most. Milliseconds. */
const POLL_TIMEOUT = { ...TIMEOUT, length: TIMEOUT.length + 25_000 };
/** At most, from the end of the old transport to `onReconnected` on the new one. Milliseconds. */
const TAKE_OVER = 1_000;

export class ServerView {
  readonly #history: History;
  readonly #mayComeBack: () => boolean;
  #sockets = 0;
  #isCutOff = false;
  #isPolled = false;
  #lostAt = 0;
  /** The connection that the hub takes for connected. */
  #connectionId: string | undefined;

  /** @param mayComeBack whether the server waits for a client whose transport is lost. */
  constructor(history: History, mayComeBack: () => boolean) {
    this.#history = history;
    this.#mayComeBack = mayComeBack;
  }

  /** Nothing passes between client and gateway. */
  get isCutOff(): boolean {
    return this.#isCutOff;
  }

  /** Its client comes for what there is. */
  get isPolled(): boolean {
    return this.#isPolled;
  }

  holdPoll(): void {
    this.#isPolled = true;
    this.#history.enter("transport", "poll", "good");
    this.hear();
  }

  endPoll(status: number | undefined): void {
    this.#history.leave("transport");
    if (status !== 200) this.#history.mark("transport", status === undefined ? "poll broken off" : `poll ${status}`);
    if (status === 200) this.hear(TIMEOUT);
  }

  openStream(): void {
    this.#history.mark("transport", "event stream opened");
    this.#history.enter("transport", "event stream", "good");
  }

  endStream(): void {
    this.#history.mark("transport", "event stream closed");
    this.#history.leave("transport");
  }

  cutOff(): void {
    this.#isCutOff = true;
    this.#history.enter("transport", "nothing passes", "busy");
  }

  reach(): void {
    if (!this.#isCutOff) return;
    this.#isCutOff = false;
    this.#history.enter("transport", "socket", "good");
    this.hear();
  }

  /** A frame arrives: the server's patience begins anew. */
  hear(timeout: typeof TIMEOUT | typeof POLL_TIMEOUT = this.#isPolled ? POLL_TIMEOUT : TIMEOUT): void {
    if (this.#history.state("server") !== "connected" || this.#isCutOff) return;
    this.#history.arm("clientTimeoutInterval", timeout);
  }

  onGateway(event: GatewayEvent): void {
    const history = this.#history;
    switch (event.kind) {
      case "negotiated":
        history.mark("transport", `negotiate ${event.status}`, event.at);
        break;
      case "refused":
        history.mark("transport", `socket refused ${event.status}`, event.at);
        break;
      case "accepted":
        this.#sockets += 1;
        this.#isCutOff = false;
        this.#isPolled = false;
        history.mark("transport", "socket accepted", event.at);
        history.leave("transport", event.at);
        history.enter("transport", "socket", "good", event.at);
        break;
      case "closed":
        this.#sockets -= 1;
        history.mark("transport", `socket closed ${event.code}`, event.at);
        if (this.#sockets === 0) history.leave("transport", event.at);
        break;
      case "disconnect":
        history.mark("transport", event.delivered ? "$disconnect" : "$disconnect lost", event.at);
        if (event.delivered && this.#sockets === 0) this.#lose(event.at);
    }
  }

  onHub({ event, detail, connectionId, at }: HubEvent): void {
    const history = this.#history;
    history.mark("server", detail === "" ? event : `${event}: ${detail}`, at);
    if (event !== "onDisconnected") {
      this.#connectionId = connectionId;
      // It was not missed: its new transport took the place of the old one, which ended by that.
      if (at - this.#lostAt < TAKE_OVER) history.recall("clientTimeoutInterval");
      history.disarm("disconnectTimeout", at);
      history.enter("server", "connected", "good", at);
      history.arm("clientTimeoutInterval", { ...TIMEOUT, from: at });
    } else if (connectionId === this.#connectionId) {
      this.#endTimer("clientTimeoutInterval", at);
      this.#endTimer("disconnectTimeout", at);
      history.leave("server", at);
    }
  }

  #lose(at: number): void {
    if (this.#history.state("server") !== "connected" || !this.#mayComeBack()) return;
    this.#lostAt = at;
    this.#endTimer("clientTimeoutInterval", at);
    this.#history.enter("server", "waits for the client", "busy", at);
    this.#history.arm("disconnectTimeout", { ...TIMEOUT, from: at });
  }

  #endTimer(name: TimerName, at: number): void {
    if (this.#history.isDue(name, at)) this.#history.fire(name, at);
    else this.#history.disarm(name, at);
  }
}
