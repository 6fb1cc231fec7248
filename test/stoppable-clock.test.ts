import { expect, it } from "vitest";
import { stoppableClock } from "../lambdas/stoppable-clock.ts";
import { FakeClock } from "./fake-clock.ts";

it("wakes all who sleep when it is stopped, and lets nobody sleep again", async () => {
  const clock = stoppableClock(new FakeClock());
  const sleeping = [clock.sleep(1000), clock.sleep(2000, new AbortController().signal)];
  clock.stop();
  await expect(Promise.all(sleeping)).resolves.toBeDefined();
  await expect(clock.sleep(1000)).resolves.toBeUndefined();
});

it("wakes whose signal aborts", async () => {
  const clock = stoppableClock(new FakeClock());
  const controller = new AbortController();
  const sleeping = clock.sleep(1000, controller.signal);
  controller.abort();
  await expect(sleeping).resolves.toBeUndefined();
  await expect(clock.sleep(1000, controller.signal)).resolves.toBeUndefined();
});

it("wakes when the time has passed", async () => {
  const fake = new FakeClock();
  const sleeping = stoppableClock(fake).sleep(1000);
  await fake.advance(1000);
  await expect(sleeping).resolves.toBeUndefined();
});
