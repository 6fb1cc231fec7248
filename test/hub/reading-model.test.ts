// The project's own outbox and reader under random interleavings, deaths and lost answers. A story is told by its seed:
//
//   MODEL_SEED=4711 MODEL_RUNS=1 npx vitest run test/hub/reading-model.test.ts

import { it } from "vitest";
import { readThrough } from "./reading-world.ts";

const runs = Number(process.env.MODEL_RUNS ?? 100);
const first = Number(process.env.MODEL_SEED ?? 1);

it("hands over every message, in the order of its sender, and once", { timeout: 3_600_000 }, async () => {
  for (let seed = first; seed < first + runs; seed++) {
    await readThrough(seed).catch((cause) => {
      throw new Error(`MODEL_SEED=${seed}: ${cause.message}`, { cause });
    });
  }
});
