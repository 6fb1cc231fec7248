import type { Service } from "signalr-lambda";
import type { LocalServer } from "signalr-lambda/local";
import { core } from "signalr-lambda/protocol";
import { dynamoDBStore } from "../../lambdas/aws/index.ts";
import { sweep } from "../../lambdas/hub/index.ts";
import { systemRandom } from "../../lambdas/system.ts";
import { NO_WORKERS } from "../no-workers.ts";
import { recordingLog } from "../recording-log.ts";

/**
 * What the sweeper does in the next minutes, at once, for a table that nobody is connected by any more: it ends the
 * sockets that never shook hands, and clears what was taken over.
 */
export async function sweepAhead(service: Service, table: LocalServer["table"], now: number): Promise<void> {
  let time = now;
  await sweep({
    service,
    store: dynamoDBStore(table.client, table.name),
    transports: { post: async () => "gone", close: async () => undefined, look: async () => "unknown" },
    dialect: core,
    workers: NO_WORKERS,
    clock: {
      now: () => time,
      async sleep(milliseconds, signal) {
        if (signal === undefined) time += milliseconds;
        else await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    },
    log: recordingLog([]),
    random: systemRandom,
  });
}
