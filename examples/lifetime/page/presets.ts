// The seven scenes, titled like the figures of Microsoft's article on connection lifetime events.

import type { Scene } from "./scene.ts";

export interface Preset {
  readonly title: string;
  /** Seconds, about. */
  readonly lasts: number;
  /** What there is to see. */
  readonly says: string;
  /** What its client takes. @default what is chosen on the page */
  readonly transport?: "LongPolling";
  readonly play: (scene: Scene) => Promise<void>;
}

/** By itself, or started again by the page. The first start has no id to compare. */
const COME_BACK = /^onreconnected|^started,/;

export const PRESETS: readonly Preset[] = [
  {
    title: "Connection architecture",
    lasts: 11,
    says: "One client comes, asks, is told something, and goes. The connection is SignalR’s: it has an id, and the hub hears of it. A transport, here a socket, carries it. Below lies a physical connection of which nobody is told anything.",
    async play({ client, send, wait }) {
      await client.start();
      await wait(2);
      await client.invoke();
      await wait(2);
      await send();
      await wait(3);
      await client.stop();
      await wait(3);
    },
  },
  {
    title: "Transport disconnections",
    lasts: 22,
    says: "First the network is away for 6 seconds: nobody notices, an invoke only takes longer. Then the TCP connection breaks: the client reconnects at once and is the same connection, with its groups. With stateful reconnect it does not even notice.",
    async play({ client, wait }) {
      await client.start();
      await wait(3);
      await client.fault("halfOpen", "no network");
      await wait(1);
      void client.invoke();
      await wait(5);
      await client.fault("release", "network is back");
      await wait(4);
      await client.fault("cut", "cut");
      await wait(7);
    },
  },
  {
    title: "Server timeout",
    lasts: 40,
    says: "The network is gone and nobody is told. The client has heard nothing for 30 seconds, its server timeout, gives the socket up and reconnects. The server has waited as long, and at that moment sees the client come back on a new socket.",
    async play({ client, wait, until }) {
      await client.start();
      await wait(1);
      await client.fault("halfOpen", "no network");
      await until("client", /^onreconnecting|^onclose/, 40);
      await until("client", COME_BACK, 10);
      await wait(5);
      await client.fault("release", "").catch(() => undefined);
    },
  },
  {
    title: "Client computer failure",
    lasts: 82,
    says: "The client is gone and says nothing, not even goodbye. After 30 seconds of silence (clientTimeoutInterval, and up to 10 until the server looks) its transport counts as lost. For another 30 (disconnectTimeout) the connection waits for its client, then onDisconnected runs, once.",
    async play({ client, wait, until }) {
      await client.start();
      await wait(2);
      await client.fault("halfOpen", "");
      await client.vanish();
      await until("server", /^onDisconnected/, 90);
      await wait(3);
      await client.fault("release", "").catch(() => undefined);
    },
  },
  {
    title: "Server failure and reconnection",
    lasts: 14,
    says: "The server is restarted: its sockets break, nobody says $disconnect, and for a second it answers nothing. The client’s first try fails, the second, after 2 seconds, succeeds: same id, same groups. What was sent meanwhile arrives.",
    async play({ client, send, restart, wait, until }) {
      await client.start();
      await wait(3);
      await restart(1);
      await wait(0.5);
      await send();
      await until("client", COME_BACK, 30);
      await wait(5);
    },
  },
  {
    title: "Server failure and timeout",
    lasts: 58,
    says: "The server is away for longer than anybody waits. The client tries at once, after 2, 10 and 30 seconds, and gives up: onclose. 30 seconds after the loss (disconnectTimeout) the connection has ended: onDisconnected. This page goes on starting; when the server is back, that makes a new connection.",
    async play({ client, wait, until }) {
      await client.start();
      await wait(3);
      await client.fault("refuseConnects", "server away for 46 s", 46_000);
      await client.fault("cut", "");
      await until("client", /^onclose/, 60);
      await until("client", COME_BACK, 30);
      await wait(4);
    },
  },
  {
    title: "Long polling",
    transport: "LongPolling",
    lasts: 44,
    says: "No socket: the client asks, and the server holds the question until it has something to say, 25 seconds at most. Each poll is a request of its own, and the connection outlives them all. Then a poll is refused: the client reconnects, and its key keeps its id.",
    async play({ client, send, wait, until }) {
      await client.start();
      await wait(2);
      await client.invoke();
      await wait(2);
      await send();
      await wait(29);
      await client.fault("refuseConnects", "server away for 1 s", 1_000);
      await client.fault("cut", "");
      await until("client", COME_BACK, 30);
      await wait(3);
      await client.stop();
      await until("server", /^onDisconnected/, 5);
      await wait(1);
    },
  },
];
