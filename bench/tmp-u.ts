import { measureResumableOperations } from "/work/main/bench/units/resumable-operations.ts";
for (const { name, measured: m, budget: b } of await measureResumableOperations()) console.log(name.padEnd(60), m.writeUnits, "/", b.writeUnits, "|", m.readUnits, "/", b.readUnits, "|", m.callsInSequence, "/", b.callsInSequence);
import { measureRowSizes } from "/work/main/bench/units/row-sizes.ts";
console.log(await measureRowSizes());
