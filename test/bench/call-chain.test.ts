import { setTimeout } from "node:timers/promises";
import { expect, it } from "vitest";
import { CallChain } from "../../bench/units/call-chain.ts";

const call = () => setTimeout(1);

it("counts calls that wait for each other", async () => {
  const chain = new CallChain();
  await chain.follow(call);
  await chain.follow(call);
  expect(chain.length).toBe(2);
});

it("counts calls beside each other once", async () => {
  const chain = new CallChain();
  await Promise.all([chain.follow(call), chain.follow(call)]);
  await chain.follow(call);
  expect(chain.length).toBe(2);
});

it("counts the longer of two ways", async () => {
  const chain = new CallChain();
  let answer = () => {};
  const slow = chain.follow(() => new Promise<void>((resolve) => (answer = resolve)));
  await chain.follow(call);
  await chain.follow(call);
  answer();
  await slow;
  await chain.follow(call);
  expect(chain.length).toBe(3);
});

it("counts a call that fails", async () => {
  const chain = new CallChain();
  await chain.follow(() => Promise.reject(new Error("no"))).catch(() => {});
  expect(chain.length).toBe(1);
});
