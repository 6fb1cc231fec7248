// A stock client with all three ways back, and what it notices.

import type { HubConnection } from "@microsoft/signalr";
import { calls } from "./running-service.ts";
import type { VirtualTime } from "./virtual-time.ts";

interface ResumableClient {
  readonly connection: HubConnection;
  /** `reconnecting`, `reconnected` with the id, `closed`. */
  readonly noticed: readonly string[];
  readonly told: ReturnType<typeof calls>;
}

/** Built, not started: key, automatic and stateful reconnect. */
export function resumableClient({ service, network }: VirtualTime, key: string): ResumableClient {
  const builder = service.build(`/chat?resume=${key.padEnd(32, "-")}`, network.options);
  const connection = service.track(builder.withAutomaticReconnect().withStatefulReconnect().build());
  const noticed: string[] = [];
  connection.onreconnecting(() => noticed.push("reconnecting"));
  connection.onreconnected((id) => noticed.push(`reconnected ${id}`));
  connection.onclose(() => noticed.push("closed"));
  return { connection, noticed, told: calls(connection, "told") };
}
