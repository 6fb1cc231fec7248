// Functions that die while they tell of a user: who finds it, and what is told again.

import { beforeEach, describe, expect, it } from "vitest";
import {
  defineHub,
  defineService,
  disconnect,
  type HubEvents,
  receive,
  type ServerPorts,
  sweep,
} from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { NO_WORKERS } from "../no-workers.ts";
import { recordingLog } from "../recording-log.ts";
import { memoryTable, rowKeys } from "../suites/memory-store/index.ts";

const HUB = "chat";
const GRACE = 10_000;
const MINUTE = 60_000;
const never = new Promise<never>(() => undefined);

let table: ReturnType<typeof memoryTable>;
let events: string[];
let ids: number;

beforeEach(() => {
  table = memoryTable();
  events = [];
  ids = 0;
});

/** A function's own: one that dies is one whose clock stands still and whose code never returns. */
function portsAt(now: number, deadly?: "online" | "offline"): ServerPorts & { readonly clock: FakeClock } {
  const tell =
    (kind: "online" | "offline"): NonNullable<HubEvents<unknown>["onUserOnline"]> =>
    async ({ redelivered }, { userIdentifier }) => {
      events.push(`${userIdentifier} ${kind}${redelivered ? " again" : ""}`);
      if (kind === deadly) await never;
    };
  const hub = defineHub()({
    methods: {},
    presence: { grace: GRACE },
    onUserOnline: tell("online"),
    onUserOffline: tell("offline"),
  });
  return {
    service: defineService({ hubs: { [HUB]: hub } }),
    clock: new FakeClock(now),
    random: { id: () => `id${ids++}` },
    log: recordingLog([]),
    dialect: core,
    workers: NO_WORKERS,
    store: table.store(),
    transports: { post: async () => "accepted", close: async () => undefined, look: async () => "unknown" },
  };
}

const START = new FakeClock().now();

async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
}

/** A connection of ada's shakes hands. Its deadline is far away. */
async function open(ports: ReturnType<typeof portsAt>, connectionId: string): Promise<void> {
  const now = ports.clock.now();
  const transportId = connectionId.toUpperCase();
  await ports.store.accept({
    transportId,
    connectionId,
    hub: HUB,
    deadline: now + 15_000,
    rotateAt: now + 60 * MINUTE,
    session: {
      userIdentifier: "ada",
      user: { isAuthenticated: true, name: undefined, roles: [], claims: {} },
      request: { query: {}, headers: {} },
      items: {},
    },
    resumeKey: undefined,
    stateful: false,
    issuedAt: 0,
  });
  const text = '{"protocol":"json","version":1}\u001e';
  void receive(ports, { transportId, messageId: "m", text, receivedAt: now });
  await settled();
}

async function leave(ports: ServerPorts, connectionId: string): Promise<void> {
  await disconnect(ports, { transportId: connectionId.toUpperCase(), code: 1006, connectedAt: START });
}

/** A sweeper's ticks of the next seconds. */
async function sweepAt(now: number, seconds = 30, deadly?: "online" | "offline"): Promise<void> {
  const ports = portsAt(now, deadly);
  void sweep(ports);
  await settled();
  for (let passed = 0; passed < seconds; passed += 5) {
    await ports.clock.advance(5_000);
    await settled();
  }
}

describe("a function that dies", () => {
  it("in onUserOnline leaves it to the sweeper, and its connection too, which was never open", async () => {
    await open(portsAt(START, "online"), "c");
    await sweepAt(START + 30_000, 0);
    expect(events).toEqual(["ada online"]);
    await sweepAt(START + 36_000);
    expect(events).toEqual(["ada online", "ada online again", "ada offline"]);
    table.collectGarbage(Number.POSITIVE_INFINITY);
    expect(table.rows()).toEqual([rowKeys.sweeper]);
  });

  it("in onUserOnline keeps nobody else of the user's out, and they are told of once", async () => {
    await open(portsAt(START, "online"), "c");
    await open(portsAt(START + 1_000), "d");
    expect(events).toEqual(["ada online"]);
    await leave(portsAt(START + 2_000), "d");
    await sweepAt(START + 36_000);
    expect(events).toEqual(["ada online", "ada online again", "ada offline"]);
  });

  it("in onUserOffline leaves it to the next sweeper", async () => {
    await open(portsAt(START), "c");
    await leave(portsAt(START + 1_000), "c");
    await sweepAt(START + 12_000, 0, "offline");
    expect(events).toEqual(["ada online", "ada offline"]);
    await sweepAt(START + 30_000, 0);
    expect(events).toHaveLength(2);
    await sweepAt(START + 48_000);
    expect(events).toEqual(["ada online", "ada offline", "ada offline again"]);
    expect(table.rows()).not.toContain(rowKeys.user(HUB, "ada"));
  });

  it("in onUserOffline while the user returns: that is told behind it", async () => {
    await open(portsAt(START), "c");
    await leave(portsAt(START + 1_000), "c");
    await sweepAt(START + 12_000, 0, "offline");
    await open(portsAt(START + 13_000), "d");
    expect(events).toEqual(["ada online", "ada offline"]);
    // Its client is heard of.
    await table.store().touch("D", START + 10 * MINUTE);
    await sweepAt(START + 48_000);
    expect(events).toEqual(["ada online", "ada offline", "ada offline again", "ada online"]);
    expect(await table.store().user(HUB, "ada")).toMatchObject({ phase: "online", until: 0 });
  });
});

describe("a user", () => {
  it("of whom nobody said that they left is looked for once an hour", async () => {
    await open(portsAt(START), "c");
    const { store } = portsAt(START);
    await store.forget({ kind: "user", hub: HUB, user: "ada" }, { connectionId: "c", transportId: "C" });
    await store.touch("C", START + 10 * 60 * MINUTE);
    await sweepAt(START + 59 * MINUTE);
    expect(events).toEqual(["ada online"]);
    await sweepAt(START + 61 * MINUTE);
    expect(events).toEqual(["ada online", "ada offline"]);
  });
});
