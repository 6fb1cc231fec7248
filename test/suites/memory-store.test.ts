import { memoryTable } from "./memory-store.ts";
import { storeSuite } from "./store.ts";

storeSuite("the store in memory", async () => {
  const table = memoryTable();
  return { store: table.store(), rows: async () => table.rows().sort(), close: async () => {} };
});
