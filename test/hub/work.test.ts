// Workers: that an invocation has one outcome, whichever function dies, and that nobody works in vain.

import { describe, expect, it } from "vitest";
import { MOST_WORK, type Work, work } from "../../lambdas/hub/index.ts";
import { CONNECTION, type Heard, TRANSPORT, WorkWorld } from "./work-world.ts";

const KEY = "1#asked#1";
const WHOLE: Readonly<Record<string, Heard>> = {
  count: { items: [0, 1, 2], outcome: {} },
  slow: { items: [], outcome: { result: "done" } },
  collect: { items: [], outcome: { result: [0, 1, 2] } },
};
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = { count: [3, 1_000] };
/** More than any of these functions makes. */
const MOST_WRITES = 200;

async function ask(world: WorkWorld, target: string, by = world.function()): Promise<Heard> {
  const heard = world.ask("1", target, ARGUMENTS[target] ?? [], by);
  await world.settled();
  if (target === "collect") await world.upload("1");
  return heard;
}

const errorOf = (target: string) => `An unexpected error occurred invoking '${target}' on the server.`;

describe.each(["count", "slow", "collect"])("an invocation of '%s'", (target) => {
  it("has one outcome when its worker dies after any of its writes", async () => {
    let deaths = 0;
    for (let writes = 1; writes < MOST_WRITES; writes++) {
      const world = new WorkWorld();
      await world.open();
      const heard = await ask(world, target);
      const by = world.function(writes);
      await world.runWorker(world.events[0] as Work, by);
      expect(world.runs.length, `runs, death after ${writes}`).toBeLessThanOrEqual(1);
      if ("error" in (heard.outcome ?? {})) expect(heard.outcome).toEqual({ error: errorOf(target) });
      else expect(heard, `death after ${writes}`).toEqual(WHOLE[target]);
      expect(await world.store.work(CONNECTION, KEY)).toBeUndefined();
      expect(await world.leftovers(), `left after ${writes}`).toEqual([]);
      if (!by.isDead) break;
      deaths += 1;
    }
    expect(deaths).toBeGreaterThan(2);
  });

  it("has one outcome when the function that hands it over dies after any of its writes", async () => {
    let deaths = 0;
    for (let writes = 1; writes < MOST_WRITES; writes++) {
      const world = new WorkWorld();
      await world.open();
      const by = world.function(writes);
      const heard = await ask(world, target, by);
      for (const event of world.events.splice(0)) await world.runWorker(event, world.function());
      await world.passWatched(3);
      expect(world.runs.length, `runs, death after ${writes}`).toBeLessThanOrEqual(1);
      if (world.runs.length === 0) expect(heard.outcome, `death after ${writes}`).toEqual({ error: errorOf(target) });
      else expect(heard, `death after ${writes}`).toEqual(WHOLE[target]);
      expect(await world.leftovers(), `left after ${writes}`).toEqual([]);
      if (!by.isDead) break;
      deaths += 1;
    }
    expect(deaths).toBeGreaterThan(2);
  });

  it("leaves nothing when the client is gone before its worker, whose death changes nothing", async () => {
    for (let writes = 1; writes < MOST_WRITES; writes++) {
      const world = new WorkWorld();
      await world.open();
      await ask(world, target);
      const by = world.function(writes);
      void work(by.ports, world.events[0] as Work);
      await world.pass(500);
      world.gone.add(TRANSPORT);
      expect(await world.leftovers(), `left after ${writes}`).toEqual([]);
      await world.runWorker(world.events[0] as Work, world.function());
      expect(await world.leftovers(), `left after ${writes}`).toEqual([]);
      expect(world.runs.length).toBeLessThanOrEqual(1);
      if (!by.isDead) break;
    }
  });
});

describe("a worker", () => {
  it("keeps its lease while it runs, so that the same event once more does nothing", async () => {
    const world = new WorkWorld();
    await world.open();
    const heard = world.ask("1", "count", [3, 60_000]);
    await world.settled();
    const event = world.events[0] as Work;
    void work(world.function().ports, event);
    for (let seconds = 0; seconds < 170; seconds++) {
      await world.pass(1_000);
      const state = await world.store.work(CONNECTION, KEY);
      expect(state?.until).toBeGreaterThan(world.clock.now() + 20_000);
      if (seconds % 20 === 0) await work(world.function().ports, event);
      if (seconds % 10 === 0) void world.say('{"type":6}');
    }
    await world.pass(20_000);
    expect(world.runs).toEqual(["count"]);
    expect(heard).toEqual({ items: [0, 1, 2], outcome: {} });
    await work(world.function().ports, event);
    expect(world.runs).toEqual(["count"]);
  });

  it("notices within two seconds that its client does not want it any more", async () => {
    const world = new WorkWorld();
    await world.open();
    const heard = world.ask("1", "count", [1_000, 100]);
    await world.settled();
    void work(world.function().ports, world.events[0] as Work);
    await world.pass(3_000);
    await world.say('{"type":5,"invocationId":"1"}');
    await world.pass(2_000);
    expect(world.aborted).toEqual(["The client does not want it any more."]);
    expect(heard.outcome).toEqual({});
    expect(await world.store.work(CONNECTION, KEY)).toBeUndefined();
  });

  it("notices a cancel that came before it began", async () => {
    const world = new WorkWorld();
    await world.open();
    const heard = world.ask("1", "count", [1_000, 100]);
    await world.settled();
    await world.say('{"type":5,"invocationId":"1"}');
    void work(world.function().ports, world.events[0] as Work);
    await world.pass(2_000);
    expect(world.aborted).toEqual(["The client does not want it any more."]);
    expect(heard.outcome).toEqual({});
  });

  it("reads an item once, also when it is there again, as by a retry of the SDK", async () => {
    const world = new WorkWorld();
    await world.open();
    const heard = await ask(world, "collect");
    const { ports } = world.function();
    void work({ ...ports, store: { ...ports.store, dropItems: async () => {} } }, world.events[0] as Work);
    await world.pass(5_000);
    expect(heard.outcome).toEqual({ result: [0, 1, 2] });
  });

  it("notices within two seconds that its connection has ended", async () => {
    const world = new WorkWorld();
    await world.open();
    world.ask("1", "slow");
    await world.settled();
    void work(world.function().ports, world.events[0] as Work);
    await world.pass(3_000);
    await world.leave();
    await world.pass(2_000);
    expect(world.aborted).toEqual(["The client is gone."]);
  });

  it.each<[string, { readonly resumeKey?: string; readonly stateful?: boolean }]>([
    ["resumes by its key", { resumeKey: "key" }],
    ["resumes statefully, with a handshake", { stateful: true }],
  ])("sends nothing of the old to a client that %s, and stops within seconds", async (_title, options) => {
    const world = new WorkWorld();
    await world.open(options);
    world.ask("1", "count", [1_000, 500]);
    world.ask("2", "count", [1_000, 500]);
    await world.settled();
    const [begun, waiting] = world.events as [Work, Work];
    void work(world.function().ports, begun);
    await world.pass(3_000);
    await shakeHandsAnew(world, options);
    void work(world.function().ports, waiting);
    await world.pass(12_000);
    expect(world.runs).toEqual(["count"]);
    const told = world.posts.filter(({ transportId }) => transportId === "next").map(({ text }) => text);
    expect(told.join("")).toContain("{}");
    expect(told.join("")).not.toMatch(/"invocationId":"\d"/);
    for (const key of [KEY, "1#asked#2"]) expect(await world.store.work(CONNECTION, key)).toBeUndefined();
  });
});

describe("handing over", () => {
  const lost = (world: WorkWorld, isDelivered: boolean) =>
    world.function(undefined, {
      workers: {
        async start(event) {
          if (isDelivered) void work(world.function().ports, event);
          await world.settled();
          throw new Error("The answer is lost.");
        },
      },
    });

  it.each([
    ["takes back what reached no worker", false, { error: errorOf("slow") }],
    ["leaves to its worker what reached one, though nobody heard of it", true, { result: "done" }],
  ])("%s", async (_title, isDelivered, outcome) => {
    const world = new WorkWorld();
    await world.open();
    const heard = world.ask("1", "slow", [], lost(world, isDelivered));
    await world.passWatched(3);
    expect(heard.outcome).toMatchObject({ ...("result" in outcome ? outcome : {}) });
    if ("error" in outcome) expect(heard.outcome?.error).toContain(outcome.error);
    expect(world.runs).toEqual(isDelivered ? ["slow"] : []);
    expect(await world.leftovers()).toEqual([]);
  });

  it("makes room for others when it failed", async () => {
    const world = new WorkWorld();
    await world.open();
    for (let index = 0; index <= MOST_WORK; index++) {
      const heard = world.ask(`${index}`, "slow", [], lost(world, false));
      await world.pass(1);
      expect(heard.outcome?.error).toContain(errorOf("slow"));
    }
  });
});

describe("a name that no key can hold", () => {
  const name = "x".repeat(2_000);

  it.each([
    ["a cancel", { type: 5, invocationId: name }],
    ["an item", { type: 2, invocationId: name, item: 1 }],
    ["an end", { type: 3, invocationId: name }],
  ])("is nobody's, in %s", async (_title, message) => {
    const world = new WorkWorld();
    await world.open();
    const before = world.table.rows();
    await world.say(JSON.stringify(message));
    expect(world.table.rows()).toEqual(before);
  });
});

async function shakeHandsAnew(world: WorkWorld, { stateful = false }: { readonly stateful?: boolean }): Promise<void> {
  const { store, clock } = world;
  world.gone.add(TRANSPORT);
  await store.lose(TRANSPORT, clock.now() + 30_000);
  const from = await store.freeze(TRANSPORT, "next", clock.now() + 30_000);
  const session = await store.session(TRANSPORT);
  if (from === undefined || session === undefined) throw new Error("There is nothing to take over.");
  const times = { deadline: clock.now() + 15_000, rotateAt: clock.now() + 7_000_000, issuedAt: 1, now: clock.now() };
  await store.takeOver({ from, transportId: "next", session, stateful, ...times });
  void world.say(`{"protocol":"json","version":${stateful ? 2 : 1}}`, world.function(), "next");
  await world.settled();
}
