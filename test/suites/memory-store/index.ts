// The state port in memory, row by row as the table has it, so that a model can come between any two rows and lose a
// function there. Every access to rows goes through `access`, which decides when it happens and when, if at all, its
// answer arrives.

import type { Store, TransportState } from "../../../lambdas/hub/index.ts";
import { connectionRows } from "./connection-rows.ts";
import { key, rowKeys } from "./keys.ts";
import { membershipRows } from "./membership-rows.ts";
import { outboxRows } from "./outbox-rows.ts";
import { questionRows } from "./question-rows.ts";
import { readingRows } from "./reading-rows.ts";
import { resumeRows } from "./resume-rows.ts";
import { type Access, memoryRows, ofKind, type Rows } from "./rows.ts";
import { sweeperRow } from "./sweeper-row.ts";
import { transportRows } from "./transport-rows.ts";
import { uploadRows } from "./upload-rows.ts";
import { userRows } from "./user-rows.ts";
import { workRows } from "./work-rows.ts";

export { type Access, rowKeys };

export interface MemoryTable {
  /** A function's own way to the rows. */
  store(access?: Access): Store;
  /** The keys of all rows. */
  rows(): string[];
  transports(): readonly TransportState[];
  /** What time to live does, as early as it may. */
  collectGarbage(now: number): void;
}

const atOnce: Access = async (_verb, _rows, run) => run();

export function memoryTable(): MemoryTable {
  const rows: Rows = new Map();
  return {
    store: (access = atOnce) => memoryStore(rows, access),
    rows: () => [...rows.keys()],
    transports: () => ofKind<TransportState>(rows, key("transport")),
    collectGarbage(now) {
      for (const [name, { expiresAt }] of rows) if (expiresAt !== undefined && expiresAt <= now) rows.delete(name);
    },
  };
}

function memoryStore(rows: Rows, access: Access): Store {
  const table = memoryRows(rows, access);
  return {
    ...connectionRows(table),
    ...transportRows(table),
    ...resumeRows(table),
    ...outboxRows(table),
    ...readingRows(table),
    ...membershipRows(table),
    ...userRows(table),
    ...sweeperRow(table),
    ...workRows(table),
    ...uploadRows(table),
    ...questionRows(table),
  };
}
