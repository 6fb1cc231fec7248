// The hub whose operations are metered, and its clients.

import { EventEmitter, once } from "node:events";
import { defineHub, defineService } from "signalr-lambda";
import { openSimulatedCloud, type SimulatedCloud, type SimulatedTransport } from "./simulated-cloud.ts";

const HUB = "chat";
export const GROUP = "room-0123456789";
/** As long as identity providers make them. */
export const USER = "auth0|0123456789abcdef01234567";

/** Says "held" when `hold` has begun; told "open", lets it return. */
const gate = new EventEmitter();

const chat = defineHub<{ receive(text: string): void }>()({
  methods: {
    echo: (_hub, text: string) => text,
    join: (hub, group: string) => hub.groups.add(group),
    toGroup: (hub, text: string) => hub.clients.group(GROUP).receive(text),
    toAll: (hub, text: string) => hub.clients.all.receive(text),
    async hold() {
      gate.emit("held");
      await once(gate, "open");
    },
  },
});

export function openMeteredHub(): Promise<SimulatedCloud> {
  const service = defineService({ hubs: { [HUB]: chat } });
  return openSimulatedCloud(service, ({ token }) => (token === undefined ? null : { sub: token }));
}

export function negotiate(cloud: SimulatedCloud, user?: string): Promise<string> {
  return cloud.negotiate(HUB, user);
}

/** From socket to connected. */
export async function connect(cloud: SimulatedCloud, token: string, user?: string): Promise<SimulatedTransport> {
  const client = await cloud.connect(HUB, token, user);
  await client.send(record({ protocol: "json", version: 1 }));
  return client;
}

export async function openClient(cloud: SimulatedCloud, user?: string): Promise<SimulatedTransport> {
  return connect(cloud, await negotiate(cloud, user), user);
}

/** Sends a frame whose first invocation is of `hold`, and does something while that has the turn. */
export async function whileHeld(
  client: SimulatedTransport,
  frame: string,
  action: () => Promise<unknown>,
): Promise<void> {
  const held = once(gate, "held");
  const running = client.send(frame);
  await held;
  await action();
  gate.emit("open");
  await running;
}

export const PING = record({ type: 6 });
export const CLOSE = record({ type: 7 });

export function invocation(target: string, ...args: readonly string[]): string {
  return record({ type: 1, invocationId: "1", target, arguments: args });
}

function record(message: object): string {
  return `${JSON.stringify(message)}\u001e`;
}
