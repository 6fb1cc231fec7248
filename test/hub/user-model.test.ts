// The project's own connects, endings and sweeps, and what they tell of users, under random interleavings and deaths. A
// story is told by its seed:
//
//   MODEL_SEED=4711 MODEL_RUNS=1 npx vitest run test/hub/user-model.test.ts

import { it } from "vitest";
import { liveThrough } from "./user-world.ts";

const runs = Number(process.env.MODEL_RUNS ?? 125);
const first = Number(process.env.MODEL_SEED ?? 1);

it("tells that users come and go, whoever comes between and whoever dies", { timeout: 3_600_000 }, async () => {
  for (let seed = first; seed < first + runs; seed++) {
    await liveThrough(seed).catch(async (cause) => {
      const story: string[] = [];
      await liveThrough(seed, (line) => story.push(line)).catch(() => "It ends the same way.");
      throw new Error(`MODEL_SEED=${seed}: ${cause.message}\n${story.join("\n")}`, { cause });
    });
  }
});
