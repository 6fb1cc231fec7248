// The errand that opens a raw connection, whose client says nothing first.

import { defineConnection, defineService } from "signalr-lambda";
import { core } from "signalr-lambda/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import {
  disconnect,
  runErrand,
  type ServerPorts,
  sweep,
  type Transports,
  withHttpTransports,
} from "../../lambdas/hub/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { NO_WORKERS } from "../no-workers.ts";
import { recordingLog } from "../recording-log.ts";
import { memoryTable } from "../suites/memory-store/index.ts";

const HUB = "feed";
const HANDSHAKE_TIMEOUT = 15_000;
const MINUTE = 60_000;

let events: string[];
let clock: FakeClock;
/** What the gateway says of the socket, look by look; the last one goes on. */
let found: Awaited<ReturnType<Transports["look"]>>[];
let ports: ServerPorts;

const open = () => runErrand(ports, { kind: "handshake", transportId: "T", text: "", receivedAt: clock.now() });

beforeEach(async () => {
  events = [];
  clock = new FakeClock();
  found = ["open"];
  let ids = 0;
  const common = { clock, random: { id: () => `id${ids++}` }, log: recordingLog([]), store: memoryTable().store() };
  const sockets: Transports = {
    async post(_id, text) {
      events.push(`posted ${JSON.stringify(text)}`);
      return "accepted";
    },
    close: async () => void events.push("closed"),
    look: async () => (found.length > 1 ? found.shift() : found[0]) ?? "gone",
  };
  ports = {
    ...common,
    service: defineService({
      hubs: {
        [HUB]: defineConnection({
          onConnected: () => events.push("connected"),
          onDisconnected: (_connection, { error }) => events.push(`disconnected ${error?.code}`),
        }),
      },
    }),
    dialect: core,
    workers: NO_WORKERS,
    transports: withHttpTransports(sockets, common),
  };
  const user = { isAuthenticated: false, name: undefined, roles: [], claims: {} };
  await ports.store.accept({
    transportId: "T",
    connectionId: "c",
    hub: HUB,
    deadline: clock.now() + HANDSHAKE_TIMEOUT,
    rotateAt: clock.now() + 110 * MINUTE,
    session: { userIdentifier: undefined, user, request: { query: {}, headers: {} }, items: {} },
    resumeKey: undefined,
    stateful: false,
    issuedAt: 0,
    protocol: "raw",
  });
});

/** Time passes when nothing else is left to happen. */
async function advance(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(milliseconds);
  await new Promise((resolve) => setImmediate(resolve));
}

/** The schedule: a sweeper each minute. */
async function sweepFor(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    const sweeping = sweep(ports);
    await advance(MINUTE);
    if (minute === minutes - 1) await Promise.all([sweeping, advance(3 * MINUTE)]);
  }
}

describe("the errand that opens a raw connection", () => {
  it("says nothing to its client", async () => {
    await open();
    expect(events).toEqual(["connected"]);
    expect(await ports.store.transport("T")).toMatchObject({ phase: "open", turn: undefined });
  });

  it("opens it once", async () => {
    await Promise.all([open(), open()]);
    await open();
    expect(events).toEqual(["connected"]);
  });

  it("waits for connect to return, before which nothing could be posted", async () => {
    found = ["gone", "unknown", "gone", "open"];
    const opening = open();
    await advance(20);
    expect(events).toEqual([]);
    await advance(1_000);
    await opening;
    expect(events).toEqual(["connected"]);
  });

  it("leaves a socket that never comes to the sweeper, and nobody hears of it", async () => {
    found = ["gone"];
    const opening = open();
    await advance(11_000);
    await opening;
    expect(events).toEqual([]);
    await sweepFor(1);
    expect(events).toEqual(["closed"]);
    expect(await ports.store.transport("T")).toBeUndefined();
  });

  it("does not open one whose client has left", async () => {
    await disconnect(ports, { transportId: "T", code: 1005, connectedAt: clock.now() });
    await open();
    await sweepFor(1);
    expect(events).toEqual(["closed"]);
    expect(await ports.store.transport("T")).toBeUndefined();
  });
});

describe("a raw socket that has been silent for long", () => {
  it("stays while the gateway has it, or does not know, and ends when it has not", async () => {
    await open();
    await sweepFor(12);
    found = ["unknown"];
    await sweepFor(12);
    expect(events).toEqual(["connected"]);
    found = ["gone"];
    await sweepFor(2);
    expect(events).toEqual(["connected", "disconnected transport_lost"]);
  });
});
