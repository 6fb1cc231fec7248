// A ticker and telemetry: what MessagePack is said to be good for, by a transport that can carry it and by one that can
// not.

import { setTimeout } from "node:timers/promises";
import { median } from "../median.ts";
import type { ServerProcess } from "../throughput/server-process.ts";
import { type Contestant, open, SOCKETS } from "./contestants.ts";
import { type CountingRelay, openRelay } from "./counting-relay.ts";

export type Payload =
  | { readonly name: string; readonly direction: "to the client"; readonly value: () => object }
  | { readonly name: string; readonly direction: "to the server"; readonly value: (isBinary: boolean) => unknown };

const DOUBLES = Array.from({ length: 200 }, (_, index) => 20 + 5 * Math.sin(index / 7));
const BYTES = new Uint8Array(new Float64Array(DOUBLES).buffer);

export const TICKER: Payload = {
  name: "ticker: a small object to one client, 10 a second",
  direction: "to the client",
  value: () => ({ symbol: "AMZN", price: 187.43, change: -0.58, volume: 48_211, at: 0 }),
};

export const PAYLOADS: readonly Payload[] = [
  TICKER,
  { name: "telemetry: 200 doubles to the server", direction: "to the server", value: () => DOUBLES },
  {
    name: "telemetry: the same as 1,600 bytes",
    direction: "to the server",
    // JSON has no bytes.
    value: (isBinary) => (isBinary ? BYTES : Buffer.from(BYTES).toString("base64")),
  },
];

export interface Carried {
  /** Bytes of a message on the wire, with whatever it takes to ask for it and to answer it. */
  readonly wire: number;
  /** Requests over HTTP. */
  readonly requests: number;
  /** Processor milliseconds of the server. */
  readonly cpu: number;
  /** Milliseconds: of a tick from its sender to the client, of telemetry from its invocation to the completion. */
  readonly latency: number;
}

const TICKS = 20;
const TICK_PAUSE = 100;
const MESSAGES = 20;

/** The bytes of the message alone, as its protocol has it. */
export function messageBytes({ protocol }: Contestant, payload: Payload): number {
  return Buffer.byteLength(Buffer.from(record(protocol, payload)));
}

/** As it is on the wire. */
export function record(protocol: Contestant["protocol"], payload: Payload): Uint8Array {
  const isTick = payload.direction === "to the client";
  const invocation = {
    type: 1,
    target: isTick ? "receive" : "take",
    arguments: [payload.value(protocol.name === "messagepack")],
    streamIds: [],
    ...(!isTick && { invocationId: "1" }),
  };
  return Buffer.from(protocol.writeMessage(invocation) as string | Buffer);
}

export async function carry(contestant: Contestant, payload: Payload, server: ServerProcess): Promise<Carried> {
  const relay = await openRelay(server.url);
  try {
    const client = await open(contestant, relay.url);
    const run = payload.direction === "to the client" ? ticks : messages;
    const value = payload.value(contestant.protocol.name === "messagepack");
    const { count, ...used } = await run(client, value, server, relay);
    await client.connection.stop();
    return {
      wire: used.wire / count,
      requests: used.requests / count,
      cpu: used.cpu / count,
      latency: median(used.latencies),
    };
  } finally {
    await relay.close();
  }
}

type Client = Awaited<ReturnType<typeof open>>;

/** Its sender, who goes around the relay, is the same for everybody. */
async function ticks({ connection, requests }: Client, value: unknown, server: ServerProcess, relay: CountingRelay) {
  const sender = (await open(SOCKETS, server.url)).connection;
  const latencies: number[] = [];
  connection.on("receive", ({ at }: { at: number }) => latencies.push(performance.now() - at));
  const used = await usage(server, relay, requests, async () => {
    for (let tick = 0; tick < TICKS; tick++) {
      await sender.send("tick", { ...(value as object), at: performance.now() });
      await setTimeout(TICK_PAUSE);
    }
    while (latencies.length < TICKS) await setTimeout(1);
  });
  await sender.stop();
  return { ...used, latencies, count: TICKS };
}

async function messages({ connection, requests }: Client, value: unknown, server: ServerProcess, relay: CountingRelay) {
  const latencies: number[] = [];
  const used = await usage(server, relay, requests, async () => {
    for (let message = 0; message < MESSAGES; message++) {
      const started = performance.now();
      await connection.invoke("take", value);
      latencies.push(performance.now() - started);
    }
  });
  return { ...used, latencies, count: MESSAGES };
}

async function usage(server: ServerProcess, relay: CountingRelay, requests: () => number, action: () => Promise<void>) {
  const cpu = await server.cpuMilliseconds();
  const before = { wire: relay.bytes(), requests: requests() };
  await action();
  return {
    wire: relay.bytes() - before.wire,
    requests: requests() - before.requests,
    cpu: (await server.cpuMilliseconds()) - cpu,
  };
}
