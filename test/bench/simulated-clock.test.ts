import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { SimulatedClock } from "../../bench/simulated-clock.ts";

describe("the simulated clock", () => {
  it("wakes who sleeps in the order of their times", async () => {
    const clock = new SimulatedClock(0);
    const woken: number[] = [];
    const sleeper = async (milliseconds: number) => {
      await clock.sleep(milliseconds);
      woken.push(clock.now());
    };
    await clock.during(Promise.all([sleeper(30), sleeper(10), sleeper(20)]));
    expect(woken).toEqual([10, 20, 30]);
  });

  it("stands still while somebody works", async () => {
    const clock = new SimulatedClock(0);
    const work = async () => {
      await clock.work(() => setTimeout(5));
      return clock.now();
    };
    const [worked] = await clock.during(Promise.all([work(), clock.sleep(1)]));
    expect(worked).toBe(0);
  });

  it("stands still when what it waits for is over", async () => {
    const clock = new SimulatedClock(0);
    void clock.sleep(20);
    await clock.pass(10);
    expect(clock.now()).toBe(10);
  });

  it("forgets who is woken early", async () => {
    const clock = new SimulatedClock(0);
    const awake = new AbortController();
    const early = clock.sleep(10, awake.signal);
    awake.abort();
    await clock.during(Promise.all([early, clock.sleep(20)]));
    expect(clock.now()).toBe(20);
  });

  it("says so when nobody is left who could go on", async () => {
    const clock = new SimulatedClock(0);
    await expect(clock.during(new Promise(() => {}))).rejects.toThrow("never comes");
  });
});
