import { describe, expect, it } from "vitest";
import { type Silence, watchSilence } from "../../lambdas/client/silence.ts";
import { FakeTimers } from "./fake-timers.ts";

/** Two thirds of it are 6000 milliseconds, a third of what is left 1000. */
const TIMEOUT = 9000;

function open() {
  const timers = new FakeTimers();
  /** When silence was found slow. */
  const slow: number[] = [];
  const silence: Silence = watchSilence(timers, () => slow.push(timers.now()));
  return { timers, slow, silence };
}

describe("silence", () => {
  it("is not watched before anything has arrived", () => {
    const { timers } = open();
    expect(timers.due).toBeUndefined();
  });

  it("is checked every third of what two thirds of the timeout leave", () => {
    const { timers, silence } = open();
    silence.broken(TIMEOUT);
    const checks: number[] = [];
    for (let check = 0; check < 6; check += 1) {
      checks.push(timers.due ?? 0);
      timers.advance(1000);
    }
    expect(checks).toEqual([1000, 2000, 3000, 4000, 5000, 6000]);
  });

  it("is checked at whole milliseconds, not before they are due", () => {
    const { timers, slow, silence } = open();
    silence.broken(10_000);
    expect(timers.due).toBe(1112);
    timers.advance(6666);
    expect(slow).toEqual([]);
    timers.advance(1);
    expect(slow).toEqual([6667]);
  });

  it("is slow at two thirds of the timeout, once", () => {
    const { timers, slow, silence } = open();
    silence.broken(TIMEOUT);
    timers.advance(5999);
    expect(slow).toEqual([]);
    timers.advance(60_000);
    expect(slow).toEqual([6000]);
    expect(timers.due).toBeUndefined();
  });

  it("is slow again after the next arrival", () => {
    const { timers, slow, silence } = open();
    silence.broken(TIMEOUT);
    timers.advance(7000);
    silence.broken(TIMEOUT);
    timers.advance(60_000);
    expect(slow).toEqual([6000, 13_000]);
  });

  it.each([1, 400, 999, 1000, 1001, 3500, 5999])("begins anew with an arrival after %i ms", (pause) => {
    const { timers, slow, silence } = open();
    silence.broken(TIMEOUT);
    for (let arrival = 1; arrival <= 20; arrival += 1) {
      timers.advance(pause);
      silence.broken(TIMEOUT);
    }
    timers.advance(5999);
    expect(slow).toEqual([]);
    timers.advance(1);
    expect(slow).toEqual([20 * pause + 6000]);
  });

  it.each([
    ["longer", 10 * TIMEOUT, 60_500],
    ["shorter", TIMEOUT / 100, 560],
  ])("follows a timeout that grows %s, from the next arrival on", (_title, timeout, end) => {
    const { timers, slow, silence } = open();
    silence.broken(TIMEOUT);
    timers.advance(500);
    silence.broken(timeout);
    timers.advance(100_000);
    expect(slow).toEqual([end]);
  });

  it("is not watched after stop", () => {
    const { timers, slow, silence } = open();
    silence.broken(TIMEOUT);
    silence.stop();
    expect(timers.due).toBeUndefined();
    silence.broken(TIMEOUT);
    timers.advance(6000);
    expect(slow).toEqual([6000]);
  });

  it("is broken by a message that waits behind the check", () => {
    const { timers, slow, silence } = open();
    silence.broken(TIMEOUT);
    timers.advance(5000);
    timers.freeze(1500);
    timers.turn();
    silence.broken(TIMEOUT);
    timers.advance(5999);
    expect(slow).toEqual([]);
    timers.advance(1);
    expect(slow).toEqual([12_500]);
  });

  it("is broken by a message that is late because the page was frozen", () => {
    const { timers, slow, silence } = open();
    silence.broken(TIMEOUT);
    timers.freeze(8000);
    timers.advance(999);
    silence.broken(TIMEOUT);
    timers.advance(5999);
    expect(slow).toEqual([]);
  });

  it("is slow a check after a page has woken to nothing", () => {
    const { timers, slow, silence } = open();
    silence.broken(TIMEOUT);
    timers.freeze(100_000);
    timers.advance(1000);
    expect(slow).toEqual([101_000]);
  });
});
