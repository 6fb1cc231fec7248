import { beforeEach, describe, expect, it } from "vitest";
import {
  type ClientInterface,
  connect,
  defineHub,
  defineService,
  disconnect,
  type HubCaller,
  type Log,
  type PostOutcome,
  type ServerPorts,
  type Store,
  sweep,
  type Turn,
} from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { NO_RUNNERS, NO_WORKERS } from "../no-workers.ts";
import { type Access, memoryTable, rowKeys } from "../suites/memory-store/index.ts";
import { Chance } from "./simulation.ts";

const TICK = 5_000;
const TIMEOUT = 30_000;
const MINUTE = 60_000;
const HUB = "chat";

/** What the author's code and the clients saw, in order. */
type Events = string[];

let clock: FakeClock;
let table: ReturnType<typeof memoryTable>;
let events: Events;
let onDisconnected: (hub: HubCaller<ClientInterface<unknown>>) => Promise<void>;
let ids: number;

beforeEach(() => {
  clock = new FakeClock();
  table = memoryTable();
  events = [];
  onDisconnected = async () => {};
  ids = 0;
});

function openPorts(access?: Access): ServerPorts {
  const hub = defineHub()({
    methods: { echo: (caller, text: string) => void events.push(`${caller.connectionId} echo ${text}`) },
    async onDisconnected(caller, { error }) {
      events.push(`${caller.connectionId} ${caller.redelivered ? "again " : ""}${error?.code ?? "stopped"}`);
      await onDisconnected(caller);
    },
  });
  return {
    service: defineService({ hubs: { [HUB]: hub } }),
    clock,
    random: { id: () => `id${ids++}` },
    log: silent,
    dialect: core,
    workers: NO_WORKERS,
    store: table.store(access),
    transports: {
      async post(transportId, text): Promise<PostOutcome> {
        events.push(`${transportId} < ${text.replaceAll("\u001e", "")}`);
        return "accepted";
      },
      async close(transportId) {
        events.push(`${transportId} closed`);
      },
      look: async () => "unknown",
    },
  };
}

/** Accepted, and in want of a handshake. Its transport has the name of the connection in capitals. */
async function accept(store: Store, connectionId: string, given: { deadline?: number; rotateAt?: number } = {}) {
  const transportId = connectionId.toUpperCase();
  const outcome = await store.accept({
    transportId,
    connectionId,
    hub: HUB,
    deadline: clock.now() + TIMEOUT,
    rotateAt: clock.now() + 110 * MINUTE,
    session: {
      userIdentifier: "ada",
      user: { isAuthenticated: true, name: undefined, roles: [], claims: {} },
      request: { query: {}, headers: {} },
      items: {},
    },
    resumeKey: undefined,
    stateful: false,
    issuedAt: 0,
    ...given,
  });
  expect(outcome).toBe("accepted");
  return transportId;
}

async function open(store: Store, connectionId: string, given: { deadline?: number; rotateAt?: number } = {}) {
  const transportId = await accept(store, connectionId, given);
  const deadline = given.deadline ?? clock.now() + TIMEOUT;
  await store.take(transportId, deadline, turnOf("opener"));
  expect(await store.enter({ connectionId, transportId }, HUB, "ada")).toBe(true);
  expect(await store.release(transportId, "opener", 0, true)).toBe(true);
  return transportId;
}

function turnOf(holder: string, until = clock.now() + 35_000): Turn {
  return { holder, until, invocations: [{ id: "7", target: "echo" }] };
}

/** Everything that waits for no time to pass has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function advance(milliseconds: number): Promise<void> {
  await settled();
  await clock.advance(milliseconds);
  await settled();
}

/** The schedule: a sweeper each minute. */
async function sweepFor(minutes: number, ports = openPorts()): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    const sweeping = sweep(ports);
    await advance(MINUTE);
    if (minute === minutes - 1) await Promise.all([sweeping, advance(3 * MINUTE)]);
  }
}

const ended = () => events.filter((event) => /(client_timeout|transport_lost|rotated|died|stopped)$/.test(event));

describe("a sweeper", () => {
  it("goes home when there is no connection, having seen that there is none", async () => {
    await sweep(openPorts());
    expect(table.rows()).toEqual([rowKeys.sweeper]);
    // Nobody was there to be heard, so an hour on it is no outage.
    await advance(60 * MINUTE);
    const ports = openPorts();
    await open(ports.store, "c", { deadline: clock.now() - 1 });
    void sweep(ports);
    await settled();
    expect(ended()).toEqual(["c client_timeout"]);
  });

  it("goes home as soon as the last connection is gone", async () => {
    const ports = openPorts();
    await open(ports.store, "c", { deadline: clock.now() + 7_000 });
    let isHome = false;
    const sweeping = sweep(ports).then(() => {
      isHome = true;
    });
    await advance(2 * TICK);
    expect(ended()).toEqual(["c client_timeout"]);
    expect(isHome).toBe(false);
    await advance(TICK);
    await sweeping;
  });

  it("works for 170 s, so that one starts before it ends, even when two starts are 119 s apart", async () => {
    const ports = openPorts();
    const transportId = await open(ports.store, "c", { deadline: clock.now() + 60 * MINUTE });
    let isHome = false;
    const sweeping = sweep(ports).then(() => {
      isHome = true;
    });
    await advance(169_999);
    expect(isHome).toBe(false);
    await advance(1);
    expect(isHome).toBe(true);
    await sweeping;
    expect(await ports.store.transport(transportId)).toMatchObject({ phase: "open" });
  });

  it("measures how many connections there are, once, and none in the end", async () => {
    const recorded: unknown[] = [];
    const ports = { ...openPorts(), metrics: { record: (...given: unknown[]) => void recorded.push(given) } };
    await open(ports.store, "away", { deadline: clock.now() + MINUTE });
    await open(ports.store, "here", { deadline: clock.now() + MINUTE });
    const sweeping = sweep(ports);
    await advance(170_000);
    await sweeping;
    expect(recorded.filter(isActive)).toEqual([[{ "signalr.server.active_connections": 2 }, {}]]);
    await sweep(ports);
    expect(recorded.filter(isActive).at(-1)).toEqual([{ "signalr.server.active_connections": 0 }, {}]);

    function isActive(given: unknown): boolean {
      return JSON.stringify(given).includes("active_connections");
    }
  });

  it("stops at its next tick when a newer one has begun", async () => {
    const ports = openPorts();
    await open(ports.store, "c", { deadline: clock.now() + 60 * MINUTE });
    const first = sweep(ports);
    await advance(12_000);
    void sweep(ports);
    await advance(3_000);
    await first;
  });

  it("ends every connection once, together with four others", async () => {
    const ports = openPorts();
    for (let index = 0; index < 100; index++) await open(ports.store, `c${index}`, { deadline: clock.now() - 1 });
    const sweeping = Array.from({ length: 5 }, () => sweep(ports));
    await advance(TICK);
    await Promise.all(sweeping);
    expect(ended().sort()).toEqual(Array.from({ length: 100 }, (_, index) => `c${index} client_timeout`).sort());
    expect(table.transports()).toEqual([]);
  });

  it("holds no connection up for another's slow onDisconnected", async () => {
    const ports = openPorts();
    onDisconnected = async (hub) => {
      if (hub.connectionId === "slow") await clock.sleep(20_000);
    };
    await open(ports.store, "slow", { deadline: clock.now() - 1 });
    await open(ports.store, "quick", { deadline: clock.now() + TICK - 1 });
    const sweeping = sweep(ports);
    await advance(TICK);
    expect(ended()).toEqual(["slow client_timeout", "quick client_timeout"]);
    expect(table.transports().map(({ connectionId }) => connectionId)).toEqual(["slow"]);
    await advance(20_000);
    await sweeping;
    expect(table.transports()).toEqual([]);
  });

  it("goes on with the others when one connection fails", async () => {
    const ports = openPorts((verb, rows, run) => {
      if (verb === "bury" && rows === rowKeys.connection("broken")) throw new Error("The table is on fire.");
      return Promise.resolve(run());
    });
    await open(ports.store, "broken", { deadline: clock.now() - 1 });
    await open(ports.store, "sound", { deadline: clock.now() - 1 });
    void sweep(ports);
    await settled();
    expect(ended()).toEqual(["sound client_timeout"]);
    // Whoever had claimed the broken one is taken for dead after the lease.
    await sweepFor(1);
    expect(ended()).toEqual(["sound client_timeout", "broken again client_timeout"]);
  });
});

describe("what is due", () => {
  const CLOSE = "Connection closed with an error.";
  const SILENT = [`C < {"type":7,"error":"${CLOSE}","allowReconnect":true}`, "C closed", "c client_timeout"];
  const CANCELED = ['C < {"error":"Handshake was canceled."}', "C closed"];

  it.each<[string, (store: Store, at: number) => Promise<unknown>, Events]>([
    ["a client that fell silent", (store, deadline) => open(store, "c", { deadline }), SILENT],
    ["a handshake that never came", (store, deadline) => accept(store, "c", { deadline }), CANCELED],
    [
      "a socket that is to be rotated",
      (store, rotateAt) => open(store, "c", { rotateAt, deadline: rotateAt + TIMEOUT }),
      ['C < {"type":7,"allowReconnect":true}', "C closed", "c rotated"],
    ],
    [
      "a turn whose holder died, with its invocation to answer for",
      async (store, until) => {
        await store.take(await open(store, "c"), clock.now() + TIMEOUT, turnOf("dead", until));
      },
      [
        `C < ${core.encode({ kind: "completion", id: "7", error: "An unexpected error occurred invoking 'echo' on the server." }).slice(0, -1)}`,
      ],
    ],
    [
      "a function that died over the handshake",
      async (store, until) => {
        await store.take(await accept(store, "c"), clock.now() + TIMEOUT, turnOf("dead", until));
      },
      [`C < {"type":7,"error":"${CLOSE}","allowReconnect":true}`, "C closed"],
    ],
    [
      "a function that died in onConnected",
      async (store, until) => {
        const transportId = await accept(store, "c");
        await store.take(transportId, clock.now() + TIMEOUT, turnOf("dead", until));
        await store.enter({ connectionId: "c", transportId }, HUB, "ada");
      },
      [`C < {"type":7,"error":"${CLOSE}","allowReconnect":true}`, "C closed", "c function_died"],
    ],
    [
      "an ending whose ender died",
      async (store, until) => {
        const transportId = await open(store, "c");
        const reason = { stopCalled: false, code: "transport_lost" } as const;
        await store.claimEnd({ transportId, from: { phase: "open" }, ender: "dead", until, reason });
      },
      ["C closed", "c again transport_lost"],
    ],
  ])("is %s: past its time, and not at it", async (_title, arrange, expected) => {
    const ports = openPorts();
    await arrange(ports.store, clock.now() + 2 * TICK);
    void sweep(ports);
    await advance(2 * TICK);
    expect(events).toEqual([]);
    await advance(TICK - 1);
    expect(events).toEqual([]);
    await advance(1);
    expect(events).toEqual(expected);
  });

  it("is a transport that was found gone, at the next tick", async () => {
    const ports = openPorts();
    const transportId = await open(ports.store, "c");
    void sweep(ports);
    await settled();
    await ports.store.markLost(transportId);
    await advance(TICK);
    expect(events).toEqual(["C closed", "c transport_lost"]);
  });

  it("is a connection that was marked, at the next tick and for the reason it was marked with", async () => {
    const ports = openPorts();
    const transportId = await open(ports.store, "c");
    void sweep(ports);
    await settled();
    await ports.store.markEnd(transportId, { stopCalled: true, code: "stopped" }, 0);
    await advance(TICK);
    expect(events).toEqual(["C closed", "c stopped"]);
  });

  it("is a frame that was counted by a function that died before it took the free turn", async () => {
    const ports = openPorts();
    const transportId = await open(ports.store, "c");
    const text = core.encode({ kind: "invocation", target: "echo", args: ["hello"] });
    await ports.store.enqueue("c", {
      key: "1",
      text,
      receivedAt: clock.now(),
      transportId,
      handshakes: 1,
      repeated: [],
    });
    await ports.store.count(transportId);
    void sweep(ports);
    await settled();
    expect(events).toEqual(["c echo hello"]);
    expect(await ports.store.transport(transportId)).toMatchObject({ turn: undefined, waiting: 0, phase: "open" });
  });

  it("is not a client that was heard between the sweeper's reading and its claim", async () => {
    let heard = false;
    const ports = openPorts(async (verb, _rows, run) => {
      if (verb === "claimEnd" && !heard) {
        heard = true;
        await table.store().touch("C", clock.now() + TIMEOUT);
      }
      return run();
    });
    await open(ports.store, "c", { deadline: clock.now() - 1 });
    void sweep(ports);
    await settled();
    expect(heard).toBe(true);
    expect(events).toEqual([]);
    expect(await ports.store.transport("C")).toMatchObject({ phase: "open", deadline: clock.now() + TIMEOUT });
  });
});

describe("after an outage of an hour", () => {
  async function outage(ports: ServerPorts): Promise<void> {
    await open(ports.store, "silent");
    await open(ports.store, "there");
    const lease = await ports.store.beginSweep();
    await ports.store.keepSweeping(lease, { ...lease, lastTick: clock.now() });
    await advance(60 * MINUTE);
  }

  it("nobody who is still there is ended, and who is silent is, one whole time-out later", async () => {
    const ports = openPorts();
    await outage(ports);
    void sweep(ports);
    await advance(15_000);
    await ports.store.touch("THERE", clock.now() + TIMEOUT);
    await advance(14_999);
    expect(ended()).toEqual([]);
    await advance(1);
    expect(ended()).toEqual(["silent client_timeout"]);
    await ports.store.touch("THERE", clock.now() + TIMEOUT);
    await advance(TIMEOUT);
    expect(ended()).toEqual(["silent client_timeout"]);
  });

  it("the grace outlives the sweeper that gave it", async () => {
    const ports = openPorts();
    await outage(ports);
    void sweep(ports);
    await advance(12_000);
    void sweep(ports);
    await advance(17_999);
    expect(ended()).toEqual([]);
    await advance(5_000);
    expect(ended()).toEqual(["silent client_timeout", "there client_timeout"]);
  });

  it("there is none for those who are known to be gone", async () => {
    const ports = openPorts();
    await outage(ports);
    await ports.store.markLost("SILENT");
    void sweep(ports);
    await settled();
    expect(ended()).toEqual(["silent transport_lost"]);
  });

  it.each([
    [30_000, ["c client_timeout"]],
    [30_001, []],
  ])("and %d ms without a tick are one from the first millisecond beyond 30 s", async (away, expected) => {
    const ports = openPorts();
    await open(ports.store, "c", { deadline: clock.now() + 1 });
    const lease = await ports.store.beginSweep();
    await ports.store.keepSweeping(lease, { ...lease, lastTick: clock.now() });
    await advance(away);
    void sweep(ports);
    await settled();
    expect(ended()).toEqual(expected);
  });
});

describe("a function that dies over an ending", () => {
  /** Its `last` access to the rows is its last; it happens or it does not. */
  function dyingAt(last: number, happens: boolean): { readonly access: Access; readonly died: () => boolean } {
    let count = 0;
    return {
      access: (_verb, _rows, run) => {
        count += 1;
        if (count > last || (count === last && !happens)) return new Promise(() => {});
        const result = run();
        return count === last ? new Promise(() => {}) : Promise.resolve(result);
      },
      died: () => count >= last,
    };
  }

  const enders: readonly [string, (ports: ServerPorts) => Promise<void>][] = [
    ["a disconnect", (ports) => disconnect(ports, { transportId: "C", code: 1006, connectedAt: clock.now() })],
    ["a sweeper", sweep],
  ];

  describe.each(enders)("that is %s", (_title, end) => {
    it.each([
      ["before", false],
      ["after", true],
    ])(
      "%s any of its steps leaves one onDisconnected, or one more that says so, and no row",
      async (_when, happens) => {
        for (let last = 1; ; last++) {
          clock = new FakeClock();
          table = memoryTable();
          events = [];
          const arranging = table.store();
          const transportId = await open(arranging, "c");
          await arranging.join({ connectionId: "c", transportId }, HUB, "group");
          await arranging.enqueue("c", {
            key: "1",
            text: "{}",
            receivedAt: clock.now(),
            transportId,
            handshakes: 1,
            repeated: [],
          });
          await arranging.markLost(transportId);

          const { access, died } = dyingAt(last, happens);
          void end(openPorts(access));
          await settled();
          await sweepFor(2);

          const [first, ...others] = ended();
          expect(first, `death ${last}`).toMatch(/^c (again )?transport_lost$/);
          expect(others, `death ${last}`).toEqual(others.length === 0 ? [] : ["c again transport_lost"]);
          table.collectGarbage(clock.now() + 48 * 60 * MINUTE);
          expect(table.rows(), `death ${last}`).toEqual([rowKeys.sweeper]);
          if (!died()) break;
        }
      },
    );
  });
});

describe("rotation", () => {
  it("comes between 110 and 118 minutes after connect, spread over all of them", async () => {
    const chance = new Chance(1);
    const ports = openPorts();
    const start = clock.now();
    for (let index = 0; index < 400; index++) {
      const refusal = await connect(
        {
          ...ports,
          authenticate: undefined,
          runners: NO_RUNNERS,
          random: { id: () => `${chance.next()}` },
          tokens: { issue: async () => "", verify: async () => undefined, nameOfKey: async () => "" },
        },
        { transportId: `T${index}`, hubPath: HUB, headers: {}, query: {}, sourceIp: undefined },
      );
      expect(refusal).toBeUndefined();
    }
    const minutes = table.transports().map(({ rotateAt }) => (rotateAt - start) / MINUTE);
    expect(Math.min(...minutes)).toBeGreaterThanOrEqual(110);
    expect(Math.max(...minutes)).toBeLessThan(118);
    for (let minute = 110; minute < 118; minute++) {
      expect(minutes.filter((each) => Math.floor(each) === minute).length).toBeGreaterThan(20);
    }
  });

  it("spares a connection that is heard every minute until then, and tells it to come back", async () => {
    const ports = openPorts();
    const rotateAt = clock.now() + 113 * MINUTE;
    await open(ports.store, "c", { rotateAt, deadline: clock.now() + 2 * MINUTE });
    while (clock.now() < rotateAt) {
      void sweep(ports);
      await ports.store.touch("C", clock.now() + 2 * MINUTE);
      await advance(MINUTE);
    }
    expect(events).toEqual([]);
    await advance(TICK);
    expect(events).toEqual(['C < {"type":7,"allowReconnect":true}', "C closed", "c rotated"]);
  });
});

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };
