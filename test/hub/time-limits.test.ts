// A function has 28 seconds and a connection may want more: what runs, what is answered, what is left to others.

import { beforeEach, describe, expect, it } from "vitest";
import {
  type AnyHubDefinition,
  type ClientInterface,
  closeBroken,
  defineHub,
  defineService,
  disconnect,
  type HubCaller,
  type LogFields,
  receive,
  type ServerPorts,
  type ServiceOptions,
  sweep,
} from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { NO_WORKERS } from "../no-workers.ts";
import { recordingLog } from "../recording-log.ts";
import { memoryTable } from "../suites/memory-store/index.ts";

const TRANSPORT = "transport";
const neverSettles = {
  "~standard": { version: 1, vendor: "test", validate: () => new Promise<never>(() => {}) },
} as const;
const settlesLate = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value: unknown) => {
      await clock.sleep(26_000);
      return { value };
    },
  },
} as const;

let clock: FakeClock;
let events: string[];
let lines: LogFields[];
let table: ReturnType<typeof memoryTable>;

beforeEach(() => {
  clock = new FakeClock();
  events = [];
  lines = [];
  table = memoryTable();
});

const chat = defineHub()({
  methods: {
    work: async (_hub, milliseconds: number) => {
      events.push(`work ${milliseconds}`);
      await clock.sleep(milliseconds);
    },
    checked: { args: [neverSettles], handler: () => void events.push("checked") },
    late: { args: [settlesLate], handler: () => void events.push("late") },
    abort: (hub) => hub.abort(),
  },
  onConnected: (hub) => connected(hub),
  async onDisconnected(_hub, { stopCalled, error }) {
    events.push(`disconnected ${stopCalled} ${error?.code}`);
  },
});

let connected: (hub: HubCaller<ClientInterface<unknown>>) => unknown = () => undefined;

function portsWith(
  hubs: Readonly<Record<string, AnyHubDefinition>> = { chat },
  options: Pick<ServiceOptions, "filters" | "services"> = {},
): ServerPorts {
  let ids = 0;
  return {
    service: defineService({ ...options, hubs }),
    clock,
    random: { id: () => `id${ids++}-${clock.now()}` },
    log: recordingLog(lines),
    dialect: core,
    workers: NO_WORKERS,
    store: table.store(),
    transports: {
      async post(_id, text) {
        events.push(`< ${text.replaceAll("\u001e", "")}`);
        return "accepted";
      },
      async close() {
        events.push("closed");
      },
      look: async () => "unknown",
    },
  };
}

async function accept(ports: ServerPorts): Promise<void> {
  const session = {
    userIdentifier: undefined,
    user: { isAuthenticated: false, name: undefined, roles: [], claims: {} },
    request: { query: {}, headers: {} },
    items: {},
  };
  const times = { deadline: clock.now() + 15_000, rotateAt: clock.now() + 7_000_000 };
  const connection = {
    transportId: TRANSPORT,
    connectionId: "connection",
    hub: "chat",
    resumeKey: undefined,
    stateful: false,
    issuedAt: 0,
  };
  await ports.store.accept({ ...connection, session, ...times });
}

async function open(ports: ServerPorts): Promise<void> {
  await accept(ports);
  await frame(ports, '{"protocol":"json","version":1}');
  events.splice(0);
}

let messages = 0;
function frame(ports: ServerPorts, ...records: string[]): Promise<void> {
  const text = records.map((record) => `${record}\u001e`).join("");
  return receive(ports, { transportId: TRANSPORT, messageId: `m${messages++}`, text, receivedAt: clock.now() });
}

const invoke = (id: number, target: string, ...args: unknown[]): string =>
  JSON.stringify({ type: 1, invocationId: String(id), target, arguments: args });
const failed = (id: number, target: string): string =>
  `< {"type":3,"invocationId":"${id}","error":"An unexpected error occurred invoking '${target}' on the server."}`;
const PING = '< {"type":6}';
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function advance(milliseconds: number): Promise<void> {
  await settled();
  await clock.advance(milliseconds);
  await settled();
}

describe("a method", () => {
  it("is answered with an error after 25 seconds, and the turn is let go of", async () => {
    const ports = portsWith();
    await open(ports);
    const running = frame(ports, invoke(1, "work", 60_000));
    await advance(14_999);
    expect(events).toEqual(["work 60000"]);
    // A client that waits for an answer, and hears nothing, sends no pings.
    await advance(1);
    expect(events).toEqual(["work 60000", PING]);
    await advance(10_000);
    await running;
    expect(events).toEqual(["work 60000", PING, failed(1, "work")]);
    expect((await ports.store.transport(TRANSPORT))?.turn).toBeUndefined();
  });

  it("is not started when the one before it in the frame has used up the time", async () => {
    const ports = portsWith();
    await open(ports);
    const running = frame(ports, invoke(1, "work", 60_000), invoke(2, "work", 1));
    await advance(25_000);
    await running;
    expect(events).toEqual(["work 60000", PING, failed(1, "work"), failed(2, "work")]);
  });

  it("is answered when a schema never settles", async () => {
    const ports = portsWith();
    await open(ports);
    const running = frame(ports, invoke(1, "checked", 1));
    await advance(25_000);
    await running;
    const error = "Failed to invoke 'checked' due to an error on the server.";
    expect(events).toEqual([PING, `< ${JSON.stringify({ type: 3, invocationId: "1", error })}`]);
  });

  it("does not start when its schemas settle after its client was told of the end", async () => {
    const ports = portsWith();
    await open(ports);
    const running = frame(ports, invoke(1, "late", 1));
    await advance(25_000);
    await running;
    await advance(2_000);
    const error = "Failed to invoke 'late' due to an error on the server.";
    expect(events).toEqual([PING, `< ${JSON.stringify({ type: 3, invocationId: "1", error })}`]);
  });

  const late = () => clock.sleep(26_000);
  it.each<[string, Pick<ServiceOptions, "filters" | "services">]>([
    ["its services are made", { services: async () => ({ late: await late() }) }],
    ["a filter lets it", { filters: [{ invokeMethod: (context, next) => late().then(() => next(context)) }] }],
  ])("does not start when %s after its client was told of the end", async (_title, options) => {
    const silent = defineHub()({ methods: { work: () => void events.push("work") } });
    const ports = portsWith({ chat: silent }, options);
    await open(ports);
    const running = frame(ports, invoke(1, "work"));
    await advance(25_000);
    await running;
    await advance(2_000);
    expect(events).toEqual([PING, failed(1, "work")]);
  });

  it("whose frame is gone when its turn comes is answered with an error", async () => {
    const ports = portsWith();
    await open(ports);
    // A delete that happened, and whose answer was lost: the SDK asks again and finds nothing.
    const store = {
      ...ports.store,
      claimFrame: async (id: string, key: string) => !(await ports.store.claimFrame(id, key)),
    };
    const running = frame({ ...ports, store }, invoke(1, "work", 5));
    await settled();
    await frame(ports, invoke(2, "work", 6));
    await advance(5);
    await running;
    expect(events).toEqual(["work 5", expect.stringContaining('"invocationId":"1"'), failed(2, "work")]);
  });

  it("that waits behind one that takes its time is announced by a ping: a client that hears nothing sends none", async () => {
    const ports = portsWith();
    await open(ports);
    const running = frame(ports, invoke(1, "work", 1_000));
    await advance(249);
    await frame(ports, invoke(2, "work", 1));
    expect(events).toEqual(["work 1000"]);
    await advance(1);
    await frame(ports, invoke(3, "work", 1));
    expect(events).toEqual(["work 1000", PING]);
    await advance(750);
    await advance(1);
    await advance(1);
    await running;
  });

  it("that waits is left to the next function when its holder is ten seconds old", async () => {
    const ports = portsWith();
    await open(ports);
    const running = frame(ports, invoke(1, "work", 11_000));
    await settled();
    await frame(ports, invoke(2, "work", 5));
    await advance(11_000);
    await running;
    expect(events.filter((event) => event.startsWith("work"))).toEqual(["work 11000"]);
    const sweeping = sweep(ports);
    await advance(10);
    expect(events.filter((event) => event.startsWith("work"))).toEqual(["work 11000", "work 5"]);
    await end(ports, sweeping);
  });

  it("that has waited for five minutes is answered with an error", async () => {
    const ports = portsWith();
    await open(ports);
    const running = frame(ports, invoke(1, "work", 11_000));
    await settled();
    await frame(ports, invoke(2, "work", 5));
    await advance(11_000);
    await running;
    await clock.advance(300_000);
    await frame(ports, invoke(3, "work", 0));
    expect(events).toContain(failed(2, "work"));
    expect(events).not.toContain("work 5");
    expect(events).toContain("work 0");
    expect(lines).toContainEqual(
      expect.objectContaining({ message: "A frame that waited for its turn will not be run." }),
    );
  });
});

describe("an ending", () => {
  it("is left to the disconnect event when its function has little time left", async () => {
    const ports = portsWith();
    await open(ports);
    const running = frame(ports, invoke(1, "work", 20_000), '{"type":7}');
    await advance(20_000);
    await running;
    const answer = expect.stringContaining('"invocationId":"1"');
    expect(events).toEqual(["work 20000", PING, answer, '< {"type":7}', "closed"]);
    await disconnect(ports, { transportId: TRANSPORT, code: 1000, connectedAt: clock.now() });
    expect(events.at(-1)).toBe("disconnected true undefined");
    expect(await ports.store.transport(TRANSPORT)).toBeUndefined();
  });

  it("is left to the sweeper when no event comes, also while connecting", async () => {
    const ports = portsWith();
    connected = async (hub) => {
      await clock.sleep(20_000);
      hub.abort();
    };
    const opening = open(ports);
    await advance(20_000);
    await opening;
    connected = () => undefined;
    expect(events).toEqual([]);
    await clock.advance(10_000);
    const sweeping = sweep(ports);
    await advance(10);
    expect(events).toContain("disconnected false aborted");
    await end(ports, sweeping);
  });

  it("is not disturbed by frames while its goodbye is on its way", async () => {
    const ports = portsWith();
    await open(ports);
    const slow = delayPosts(ports);
    const closing = frame(slow.ports, invoke(1, "abort"));
    await settled();
    await frame(slow.ports, invoke(2, "work", 1));
    await frame(slow.ports, '{"type":2,"invocationId":"9","item":1}');
    expect(events).toEqual([]);
    slow.release();
    await closing;
    expect(events.slice(0, 2)).toEqual(['< {"type":7}', "closed"]);
  });

  it("that is left to others still says goodbye before its socket is closed", async () => {
    const ports = portsWith();
    await open(ports);
    const slow = delayPosts(ports);
    const running = frame(slow.ports, invoke(1, "work", 20_000), '{"type":7}');
    await advance(20_000);
    const sweeping = sweep(ports);
    await advance(100);
    expect(events).toEqual(["work 20000"]);
    slow.release();
    await running;
    expect(events.slice(-2)).toEqual(['< {"type":7}', "closed"]);
    await end(ports, sweeping);
  });

  it("before the handshake's reply is told as the handshake's error", async () => {
    const ports = portsWith();
    await accept(ports);
    await closeBroken(ports, TRANSPORT);
    expect(events).toEqual(['< {"error":"Connection closed with an error."}', "closed"]);
  });

  it("is not the sweeper's before the goodbye has had its time", async () => {
    const ports = portsWith();
    await open(ports);
    const reason = { stopCalled: false, code: "aborted" } as const;
    await ports.store.markEnd(TRANSPORT, reason, clock.now() + 5_000);
    const sweeping = sweep(ports);
    await advance(5_000);
    expect(events).toEqual([]);
    await advance(5_000);
    expect(events).toEqual(["closed", "disconnected false aborted"]);
    await end(ports, sweeping);
  });

  it("does not wait for a gateway that does not answer", async () => {
    const ports = portsWith();
    await open(ports);
    const closing = frame({ ...ports, transports: { post: never, close: never, look: never } }, '{"type":7}');
    await advance(5_000);
    await closing;
    expect(events).toEqual(["disconnected true undefined"]);
  });

  it("after a function failed is not taken for the client's own", async () => {
    const ports = portsWith();
    await open(ports);
    await closeBroken(ports, TRANSPORT);
    await disconnect(ports, { transportId: TRANSPORT, code: 1000, connectedAt: clock.now() });
    expect(events.at(-1)).toBe("disconnected false server_error");
  });
});

describe("a hub that this deployment does not have", () => {
  it("is left to the sweeper of one that has", async () => {
    const ports = portsWith();
    await open(ports);
    const older = portsWith({ other: defineHub()({ methods: {} }) });
    await disconnect(older, { transportId: TRANSPORT, code: 1006, connectedAt: clock.now() });
    const sweeping = sweep(older);
    await advance(60_000);
    expect(await ports.store.transport(TRANSPORT)).toBeDefined();
    const newer = sweep(ports);
    await advance(40_000);
    await Promise.all([sweeping, newer]);
    expect(events).toContain("disconnected false client_timeout");
    expect(await ports.store.transport(TRANSPORT)).toBeUndefined();
  });

  it("is cleared away after two hours", async () => {
    const ports = portsWith();
    await open(ports);
    const older = portsWith({ other: defineHub()({ methods: {} }) });
    await clock.advance(7_100_000);
    await ports.store.touch(TRANSPORT, clock.now() - 1);
    const sweeping = sweep(older);
    await advance(5_000);
    await sweeping;
    expect(await ports.store.transport(TRANSPORT)).toBeUndefined();
    expect(events).not.toContainEqual(expect.stringContaining("disconnected"));
  });
});

const never = () => new Promise<never>(() => {});

/** Ends the connection, so that the sweeper goes home. */
async function end(ports: ServerPorts, sweeping: Promise<void>): Promise<void> {
  await ports.store.beginSweep();
  await advance(5_000);
  await sweeping;
}

function delayPosts(ports: ServerPorts) {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const post: ServerPorts["transports"]["post"] = async (id, text) => {
    await held;
    return ports.transports.post(id, text);
  };
  return { ports: { ...ports, transports: { ...ports.transports, post } }, release: () => release() };
}
