// The project's own receive, disconnect and sweep under random interleavings and deaths. A story is told by its seed:
//
//   MODEL_SEED=4711 MODEL_RUNS=1 npx vitest run test/hub/turn-model.test.ts

import { it } from "vitest";
import { liveThrough } from "./turn-world.ts";

const runs = Number(process.env.MODEL_RUNS ?? 250);
const first = Number(process.env.MODEL_SEED ?? 1);

it.each([
  ["turn, order and events", 1],
  ["the same with three methods at a time", 3],
])("keeps %s right, whoever comes between and whoever dies", { timeout: 3_600_000 }, async (_what, parallel) => {
  for (let seed = first; seed < first + runs; seed++) {
    await liveThrough(seed, parallel).catch(async (cause) => {
      const story: string[] = [];
      await liveThrough(seed, parallel, (line) => story.push(line)).catch(() => "It ends the same way.");
      throw new Error(`MODEL_SEED=${seed}: ${cause.message}\n${story.join("\n")}`, { cause });
    });
  }
});
