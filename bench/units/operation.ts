// One line of the table of units.

import type { Bill } from "./meter.ts";

export interface Operation {
  readonly name: string;
  /** Calls that others cross say nothing of the time that one takes, and are left out. */
  readonly measured: Omit<Bill, "callsInSequence"> & Partial<Bill>;
  /** The most it may take. What is left out has no budget. */
  readonly budget: Partial<Bill>;
}

/** WebSocket close codes. */
export const NORMAL = 1000;
export const LOST = 1006;

/** What one took more than another. */
export function beyond(known: Bill, whole: Bill): Bill {
  return {
    writeUnits: whole.writeUnits - known.writeUnits,
    readUnits: whole.readUnits - known.readUnits,
    callsInSequence: whole.callsInSequence - known.callsInSequence,
  };
}

/** What two took together, one after the other. */
export function sum(first: Bill, second: Bill): Bill {
  return {
    writeUnits: first.writeUnits + second.writeUnits,
    readUnits: first.readUnits + second.readUnits,
    callsInSequence: first.callsInSequence + second.callsInSequence,
  };
}
