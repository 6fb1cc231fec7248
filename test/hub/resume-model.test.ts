// The project's own connect, receive, disconnect, sweep and delivery with clients that come back. A story is told by
// its seed:
//
//   MODEL_SEED=4711 MODEL_RUNS=1 npx vitest run test/hub/resume-model.test.ts

import { it } from "vitest";
import { resumeThrough } from "./resume-world.ts";

const runs = Number(process.env.MODEL_RUNS ?? 60);
const first = Number(process.env.MODEL_SEED ?? 1);

it("keeps a connection one, and its messages in order, however often its client comes back", {
  timeout: 3_600_000,
}, async () => {
  for (let seed = first; seed < first + runs; seed++) {
    await resumeThrough(seed).catch(async (cause) => {
      const story: string[] = [];
      await resumeThrough(seed, (line) => story.push(line)).catch(() => "It ends the same way.");
      throw new Error(`MODEL_SEED=${seed}: ${cause.message}\n${story.join("\n")}`, { cause });
    });
  }
});
