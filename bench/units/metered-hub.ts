// The hub whose operations are metered, and its clients.

import { EventEmitter, once } from "node:events";
import { defineHub, defineService, type TransportName, upload } from "signalr-lambda";
import {
  type Client,
  type CloudOptions,
  type Negotiated,
  openSimulatedCloud,
  type SimulatedCloud,
  type SimulatedTransport,
} from "./simulated-cloud.ts";
import type { HttpClient } from "./simulated-http.ts";

const HUB = "chat";
export const GROUP = "room-0123456789";
/** As long as identity providers make them. */
export const USER = "auth0|0123456789abcdef01234567";

/** Says "held" when `hold` has begun; told "open", lets it return. */
const gate = new EventEmitter();

export interface MeteredHubOptions extends CloudOptions {
  /** @default sockets only */
  readonly transports?: readonly TransportName[];
  /** Told which connection has ended. @default the hub has no such event */
  readonly onDisconnected?: (connectionId: string) => void;
}

export function openMeteredHub({
  onDisconnected,
  transports = ["WebSockets"],
  ...options
}: MeteredHubOptions = {}): Promise<SimulatedCloud> {
  const service = defineService({ hubs: { [HUB]: meteredHub(onDisconnected) }, transports });
  return openSimulatedCloud(service, ({ token }) => (token === undefined ? null : { sub: token }), options);
}

/** The same with a hub that is told of users. */
export function openTellingHub(): Promise<SimulatedCloud> {
  const told = { onUserOnline() {}, onUserOffline() {} };
  const service = defineService({ hubs: { [HUB]: { ...meteredHub(undefined), ...told } } });
  return openSimulatedCloud(service, ({ token }) => (token === undefined ? null : { sub: token }));
}

const ANYTHING = {
  "~standard": { version: 1, vendor: "bench", validate: (value: unknown) => ({ value }) },
} as const;

function meteredHub(onDisconnected: MeteredHubOptions["onDisconnected"]) {
  return defineHub<{ receive(text: unknown): void; confirm(): boolean }>()({
    methods: {
      nothing() {},
      echo: (_hub, text: string) => text,
      /** Reads all of it, and answers nothing. */
      take: (_hub, _values: unknown) => {},
      join: (hub, group: string) => hub.groups.add(group),
      toClient: (hub, id: string, text: unknown) => hub.clients.client(id).receive(text),
      /** One after the other. */
      async inARow(hub, id: string, count: number) {
        for (let index = 0; index < count; index++) await hub.clients.client(id).receive("hello");
      },
      async atOnce(hub, id: string, count: number) {
        await Promise.all(Array.from({ length: count }, () => hub.clients.client(id).receive("hello")));
      },
      toGroup: (hub, text: string) => hub.clients.group(GROUP).receive(text),
      toAll: (hub, text: string) => hub.clients.all.receive(text),
      page: async (hub, group: string, limit: number) =>
        void (await hub.presence.connections({ limit, ...(group !== "" && { group }) })),
      count: (hub, group: string) => hub.presence.count(group === "" ? {} : { group }),
      isOnline: (hub, user: string) => hub.presence.isOnline(user),
      groupsOf: (hub, connectionId: string) => hub.presence.groups(connectionId),
      *stream(_hub, count: number) {
        for (let index = 0; index < count; index++) yield index;
      },
      collect: {
        args: [upload(ANYTHING)],
        async handler(_hub, items) {
          let count = 0;
          for await (const _ of items) count += 1;
          return count;
        },
      },
      confirm: (hub) => hub.clients.caller.invoke("confirm", []),
      holdLong: {
        args: [],
        longRunning: true,
        async handler() {
          gate.emit("held");
          await once(gate, "open");
        },
      },
      async hold() {
        gate.emit("held");
        await once(gate, "open");
      },
    },
    ...(onDisconnected && { onDisconnected: ({ connectionId }) => onDisconnected(connectionId) }),
  });
}

export function negotiate(cloud: SimulatedCloud, client: Client = {}): Promise<Negotiated> {
  return cloud.negotiate(HUB, client);
}

/** A socket that says nothing yet. */
export function openSocket(cloud: SimulatedCloud, token: string, client: Client = {}): Promise<SimulatedTransport> {
  return cloud.connect(HUB, token, client);
}

/** From socket to connected, also for a client that comes back with a key. */
export async function connect(cloud: SimulatedCloud, token: string, client: Client = {}): Promise<SimulatedTransport> {
  const transport = await openSocket(cloud, token, client);
  await transport.send(handshake(client));
  return transport;
}

/** A client over HTTP that has negotiated. */
export async function openHttp(cloud: SimulatedCloud): Promise<HttpClient & Negotiated> {
  const negotiated = await negotiate(cloud);
  return { ...negotiated, ...cloud.http(HUB, negotiated.connectionToken) };
}

export interface OpenClient extends SimulatedTransport, Negotiated {}

export async function openClient(cloud: SimulatedCloud, client: Client = {}): Promise<OpenClient> {
  const negotiated = await negotiate(cloud, client);
  return { ...negotiated, ...(await connect(cloud, negotiated.connectionToken, client)) };
}

export function handshake({ stateful }: Client): string {
  return record({ protocol: "json", version: stateful ? 2 : 1 });
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

export function ack(sequenceId: number): string {
  return record({ type: 8, sequenceId });
}

export function sequence(sequenceId: number): string {
  return record({ type: 9, sequenceId });
}

/** Without an answer. */
export function oneWay(target: string): string {
  return record({ type: 1, target, arguments: [] });
}

export function invocation(target: string, ...args: readonly unknown[]): string {
  return record({ type: 1, invocationId: "1", target, arguments: args });
}

export function streamInvocation(target: string, ...args: readonly number[]): string {
  return record({ type: 4, invocationId: "1", target, arguments: args });
}

export function uploadInvocation(target: string, streamId: string): string {
  return record({ type: 1, invocationId: "1", target, arguments: [], streamIds: [streamId] });
}

export function streamItem(streamId: string, item: number): string {
  return record({ type: 2, invocationId: streamId, item });
}

export function completion(id: string, result?: boolean): string {
  return record({ type: 3, invocationId: id, result });
}

function record(message: object): string {
  return `${JSON.stringify(message)}\u001e`;
}
