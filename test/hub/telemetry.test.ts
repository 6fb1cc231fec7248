// What is counted, and the outcomes that only time brings about.

import { beforeEach, expect, it } from "vitest";
import {
  defineHub,
  defineService,
  disconnect,
  type LogFields,
  type Metrics,
  receive,
  type ServerPorts,
} from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { NO_WORKERS } from "../no-workers.ts";
import { recordingLog } from "../recording-log.ts";
import { memoryTable } from "../suites/memory-store/index.ts";

const HUB = "Chat";
let clock: FakeClock;
let recorded: unknown[][];
let lines: LogFields[];
let ports: ServerPorts;

beforeEach(() => {
  clock = new FakeClock();
  recorded = [];
  lines = [];
  const metrics: Metrics = { record: (values, dimensions) => void recorded.push([values, dimensions]) };
  const chat = defineHub()({
    methods: {
      work: (_hub, milliseconds: number) => clock.sleep(milliseconds),
      join: (hub) => hub.groups.add("red"),
      async tell(hub) {
        await hub.clients.group("red").send("receive");
        await hub.clients.client("nobody").send("receive");
        await hub.clients.caller.send("receive");
      },
      fail() {
        throw new Error("broken");
      },
    },
  });
  let ids = 0;
  ports = {
    service: defineService({ hubs: { [HUB]: chat } }),
    clock,
    metrics,
    random: { id: () => `id${ids++}` },
    log: recordingLog(lines),
    dialect: core,
    workers: NO_WORKERS,
    store: memoryTable().store(),
    transports: { post: async () => "accepted", close: async () => undefined, look: async () => "unknown" },
  };
});

async function open(transportId: string): Promise<void> {
  await ports.store.accept({
    transportId,
    connectionId: `connection of ${transportId}`,
    hub: HUB,
    resumeKey: undefined,
    stateful: false,
    issuedAt: 0,
    session: {
      userIdentifier: undefined,
      user: { isAuthenticated: false, name: undefined, roles: [], claims: {} },
      request: { query: {}, headers: {} },
      items: {},
    },
    deadline: clock.now() + 15_000,
    rotateAt: clock.now() + 7_000_000,
  });
  await frame(transportId, '{"protocol":"json","version":1}');
}

let messages = 0;
function frame(transportId: string, ...records: readonly string[]): Promise<void> {
  const text = records.map((record) => `${record}\u001e`).join("");
  return receive(ports, { transportId, messageId: `m${messages++}`, text, receivedAt: clock.now() });
}

const invoke = (target: string, ...args: readonly unknown[]): string =>
  JSON.stringify({ type: 1, invocationId: "1", target, arguments: args });
const hub = { hub: HUB };
const received = (count: number) => [{ "signalr.server.messages.received": count }, hub];
const sent = (count: number) => [{ "signalr.server.messages.sent": count }, hub];
const invoked = (duration: number, errors: 0 | 1) => [
  { "signalr.server.invocation.duration": duration, "signalr.server.errors": errors },
  hub,
];

it("counts connections that open and end, these by the code of the reason", async () => {
  await open("a");
  await open("b");
  expect(recorded).toEqual([1, 2].map(() => [{ "signalr.server.connections.opened": 1 }, hub]));
  recorded.splice(0);
  await disconnect(ports, { transportId: "a", code: 1006, connectedAt: 0 });
  await frame("b", '{"type":7}');
  await disconnect(ports, { transportId: "b", code: 1000, connectedAt: 0 });
  expect(recorded).toEqual(
    ["transport_lost", "stopped"].map((code) => [{ "signalr.server.connections.closed": 1 }, { ...hub, code }]),
  );
});

it("counts messages both ways, for every client one, and no pings", async () => {
  await open("a");
  await open("b");
  await frame("a", invoke("join"));
  await frame("b", invoke("join"));
  recorded.splice(0);
  await frame("a", '{"type":6}');
  expect(recorded).toEqual([]);
  await frame("a", invoke("tell"), '{"type":6}', '{"type":5,"invocationId":"7"}');
  expect(recorded).toEqual([sent(2), sent(1), invoked(0, 0), received(2)]);
});

it("measures invocations, and counts those that fail or run out of time", async () => {
  await open("a");
  recorded.splice(0);
  const running = frame("a", invoke("work", 1200));
  await pass(1200);
  await running;
  await frame("a", invoke("fail"));
  await frame("a", invoke("nothing"));
  const endless = frame("a", invoke("work", 60_000));
  await pass(25_000);
  await endless;
  expect(recorded.filter(([values]) => !Object.hasOwn(values as object, "signalr.server.messages.received"))).toEqual([
    invoked(1200, 0),
    invoked(0, 1),
    invoked(0, 0),
    invoked(25_000, 1),
  ]);
  const outcomes = lines.filter(({ message }) => message === "Invoked a hub method.");
  expect(outcomes.map(({ method, outcome }) => [method, outcome])).toEqual([
    ["work", "completed"],
    ["fail", "failed"],
    ["nothing", "refused"],
    ["work", "timed out"],
  ]);
});

async function pass(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(milliseconds);
}
