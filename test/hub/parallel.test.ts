// Several invocations of one client at a time: what a function answers for that dies over them, and what it costs.

import { describe, expect, it } from "vitest";
import { defineHub, defineService, receive, type ServerPorts } from "../../lambdas/hub/index.ts";
import { hasRoom, noteFrames } from "../../lambdas/hub/notes.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { NO_WORKERS } from "../no-workers.ts";
import { recordingLog } from "../recording-log.ts";
import { memoryTable } from "../suites/memory-store/index.ts";

const TRANSPORT = "transport";
const LEASE = 35_000;
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function open(maximumParallelInvocationsPerClient: number) {
  const clock = new FakeClock();
  const sent: string[] = [];
  const reads: string[] = [];
  let isDead = false;
  let ids = 0;
  const chat = defineHub()({
    methods: {
      block: () => new Promise<never>(() => {}),
      echo: (_hub, value: unknown) => value,
    },
  });
  const table = memoryTable();
  const ports = (mortal: boolean): ServerPorts => {
    const never = new Promise<never>(() => {});
    const unlessDead = <Result>(run: () => Result): Result | Promise<never> => (mortal && isDead ? never : run());
    return {
      service: defineService({ hubs: { chat }, maximumParallelInvocationsPerClient }),
      clock: {
        now: () => clock.now(),
        sleep: async (milliseconds, signal) => {
          await clock.sleep(milliseconds, signal);
          await unlessDead(() => undefined);
        },
      },
      random: { id: () => `id${ids++}` },
      log: recordingLog([]),
      dialect: core,
      workers: NO_WORKERS,
      store: table.store(async (verb, _rows, run) => {
        reads.push(verb);
        return unlessDead(run);
      }),
      transports: {
        post: async (_id, text) =>
          unlessDead(() => {
            sent.push(text.replaceAll("\u001e", ""));
            return "accepted" as const;
          }),
        close: async () => undefined,
        look: async () => "unknown",
      },
    };
  };
  const mortal = ports(true);
  let messages = 0;
  const frame = (of: ServerPorts, text: string): Promise<void> =>
    receive(of, {
      transportId: TRANSPORT,
      messageId: `m${messages++}`,
      text: `${text}\u001e`,
      receivedAt: clock.now(),
    });
  await mortal.store.accept({
    transportId: TRANSPORT,
    connectionId: "connection",
    hub: "chat",
    resumeKey: undefined,
    stateful: false,
    issuedAt: 0,
    deadline: clock.now() + 15_000,
    rotateAt: clock.now() + 7_000_000,
    session: {
      userIdentifier: undefined,
      user: { isAuthenticated: false, name: undefined, roles: [], claims: {} },
      request: { query: {}, headers: {} },
      items: {},
    },
  });
  await frame(mortal, '{"protocol":"json","version":1}');
  sent.splice(0);
  reads.splice(0);
  return {
    clock,
    sent,
    reads,
    ports,
    mortal,
    store: table.store(),
    frame,
    die: () => {
      isDead = true;
    },
  };
}

const invoke = (id: number, target: string, ...args: unknown[]): string =>
  JSON.stringify({ type: 1, invocationId: String(id), target, arguments: args });

async function advance(clock: FakeClock, milliseconds: number): Promise<void> {
  await settled();
  await clock.advance(milliseconds);
  await settled();
}

it("answers for everything that a dead function ran, and runs what waited behind it", async () => {
  const { clock, sent, ports, mortal, store, frame, die } = await open(3);
  for (const id of [1, 2, 3, 4]) {
    void frame(mortal, invoke(id, "block"));
    await advance(clock, 300);
  }
  const ids = (await store.transport(TRANSPORT))?.turn?.invocations.map(({ id }) => id);
  expect(ids).toEqual(["1", "2", "3"]);
  die();
  sent.splice(0);
  await advance(clock, LEASE);
  const next = frame(ports(false), invoke(5, "echo", "alive"));
  await advance(clock, 1_000);
  const records = sent.join("\n");
  expect(records.match(/"invocationId":"[123]","error":"An unexpected error occurred invoking 'block'/g)).toHaveLength(
    3,
  );
  expect(records).toContain('{"type":3,"invocationId":"5","result":"alive"}');
  expect(records).not.toContain('"invocationId":"4"');
  await advance(clock, 30_000);
  await next;
});

it("costs what one at a time costs, for methods that are quick", async () => {
  const costs = await Promise.all(
    [1, 10].map(async (parallel) => {
      const { reads, mortal, frame } = await open(parallel);
      await frame(mortal, invoke(1, "echo", 1));
      return reads;
    }),
  );
  expect(costs[1]).toEqual(costs[0]);
});

describe("the notes of what runs", () => {
  const invocation = (id: string) => ({ kind: "invocation", id, target: "method", args: [], streamIds: [] }) as const;
  const crowd = Array.from({ length: 99 }, (_, index) => invocation(`${1000 + index}`));
  const all = { maximumParallelInvocationsPerClient: 100 };

  it("have room for a hundred", () => {
    expect(hasRoom([invocation("2000")], all, crowd)).toBe(true);
    const { notes, count } = noteFrames([[invocation("2000")]], all, crowd);
    expect([notes.length, count]).toEqual([100, 1]);
  });

  it("take as many frames as there is room for beside what runs", () => {
    const frames = ["x".repeat(80), "y".repeat(80), "z".repeat(80)].map((id) => [invocation(id)]);
    const two = { maximumParallelInvocationsPerClient: 2 };
    expect(noteFrames(frames, two).count).toBe(3);
    expect(noteFrames(frames, two, [invocation("1".repeat(80))])).toMatchObject({ count: 2 });
    expect(hasRoom([invocation("x".repeat(300))], two, [invocation("1")])).toBe(false);
    expect(noteFrames([[invocation("x".repeat(300))]], two)).toEqual({ notes: [], count: 1 });
  });
});
