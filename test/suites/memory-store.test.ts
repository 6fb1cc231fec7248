import { memoryTable } from "./memory-store/index.ts";
import { storeSuite } from "./store/index.ts";

storeSuite("the store in memory", async () => {
  const table = memoryTable();
  return { store: table.store(), rows: async () => table.rows().sort(), close: async () => {} };
});
