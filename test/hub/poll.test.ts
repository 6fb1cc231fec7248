// Many polls at once: each waits in a function of its own on Lambda, and all of them in one process of a local server.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { poll } from "../../lambdas/hub/poll.ts";
import { admissionPorts, requestFor } from "./requests.ts";

const MANY = 10_000;
/** Of the table in memory, the request and what waits. Bytes each. */
const MOST = 20_000;

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

function heap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

it(`${MANY} that are held take little memory, and are all answered`, async () => {
  const { ports, tokens } = admissionPorts();
  let now = ports.clock.now();
  let wakeAll = (): void => undefined;
  const asleep = new Promise<void>((resolve) => {
    wakeAll = resolve;
  });
  let sleepers = 0;
  const clock = {
    now: () => now,
    sleep: () => {
      sleepers += 1;
      return asleep;
    },
  };
  const ask = async (connectionId: string) => {
    const id = await tokens.issue({ hub: "chat", connectionId, stateful: false, issuedAt: ports.clock.now() });
    return poll({ ...ports, clock }, { ...requestFor({ query: { id } }), method: "GET" });
  };
  const ids = Array.from({ length: MANY }, (_, index) => `connection${index}`);
  const before = heap();
  for (const id of ids) expect((await ask(id)).status).toBe(200);
  const held = ids.map(ask);
  while (sleepers < MANY) await new Promise((resolve) => setImmediate(resolve));
  expect((heap() - before) / MANY).toBeLessThan(MOST);
  now += 25_000;
  wakeAll();
  const answers = await Promise.all(held);
  expect(answers.filter(({ status, body }) => status === 200 && body === "")).toHaveLength(MANY);
});
