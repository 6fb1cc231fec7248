// The contract of the state port, for every store: each verb, and each race that somebody could lose twice.

import { describe } from "vitest";
import { absentRowsSuite } from "./absent-rows.ts";
import { acceptingSuite } from "./accepting.ts";
import { acknowledgingSuite } from "./acknowledging.ts";
import { countingSuite } from "./counting.ts";
import { endingSuite } from "./ending.ts";
import { framesSuite } from "./frames.ts";
import { freezingSuite } from "./freezing.ts";
import { type OpenStore, openHarness } from "./harness.ts";
import { membershipSuite } from "./membership.ts";
import { outboxSuite } from "./outbox.ts";
import { pagingSuite } from "./paging.ts";
import { presenceSuite } from "./presence.ts";
import { questionsSuite } from "./questions.ts";
import { readingSuite } from "./reading.ts";
import { reopeningSuite } from "./reopening.ts";
import { sessionSuite } from "./session.ts";
import { sweepingSuite } from "./sweeping.ts";
import { takingOverSuite } from "./taking-over.ts";
import { trimmingSuite } from "./trimming.ts";
import { turnSuite } from "./turn.ts";
import { uploadsSuite } from "./uploads.ts";
import { workSuite } from "./work.ts";

export type { OpenStore };

export function storeSuite(name: string, openStore: () => Promise<OpenStore>): void {
  describe(name, () => {
    const harness = openHarness(openStore);
    // First, because it looks at every row each time.
    absentRowsSuite(harness);
    acceptingSuite(harness);
    framesSuite(harness);
    turnSuite(harness);
    sessionSuite(harness);
    membershipSuite(harness);
    presenceSuite(harness);
    endingSuite(harness);
    freezingSuite(harness);
    takingOverSuite(harness);
    reopeningSuite(harness);
    countingSuite(harness);
    trimmingSuite(harness);
    outboxSuite(harness);
    readingSuite(harness);
    acknowledgingSuite(harness);
    workSuite(harness);
    uploadsSuite(harness);
    questionsSuite(harness);
    sweepingSuite(harness, openStore);
    pagingSuite(openStore);
  });
}
