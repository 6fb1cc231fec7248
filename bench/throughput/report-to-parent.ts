// The server's end of a ServerProcess.

import type { FromServer, ToServer } from "./server-process.ts";

/** Tells where the server listens, answers how much processor time it took, and ends with its parent. */
export function reportToParent(url: string): void {
  const tell = (message: FromServer) => process.send?.(message);
  process.on("message", (message: ToServer) => {
    const { user, system } = process.cpuUsage();
    if (message === "cpu") tell({ cpuMilliseconds: (user + system) / 1000 });
  });
  process.on("disconnect", () => process.exit());
  tell({ url });
}
