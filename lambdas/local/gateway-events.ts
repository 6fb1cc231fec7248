// What the gateway does for a client that has named itself, told to whoever watches: the page of the lifetime lab.

import type { Clock } from "../hub/index.ts";

/** Query parameter in which a client names itself: `/lifetime?lab=a1`. Those that do not are watched by nobody. */
const CLIENT_PARAMETER = "lab";

export type GatewayEvent =
  | { readonly kind: "negotiated"; readonly status: number }
  /** A socket was refused. */
  | { readonly kind: "refused"; readonly status: number }
  | { readonly kind: "accepted" }
  | { readonly kind: "closed"; readonly code: number }
  /** `$disconnect` was handed to its function, or got lost. */
  | { readonly kind: "disconnect"; readonly delivered: boolean };

/** With its client and the time of the gateway, epoch milliseconds. */
export type ToldEvent = GatewayEvent & { readonly client: string; readonly at: number };

/** How a client names itself in its query. */
export function clientOf(query: string): string | undefined {
  return new URLSearchParams(query).get(CLIENT_PARAMETER) || undefined;
}

/** What narrows a fault to the requests of one client. */
export function queryOfClient(client: string): Readonly<Record<string, string>> {
  return { [CLIENT_PARAMETER]: client };
}

export class GatewayEvents {
  readonly #clock: Clock;
  readonly #watchers = new Set<(event: ToldEvent) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns how to stop watching. */
  watch(watcher: (event: ToldEvent) => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  tell(client: string | undefined, event: GatewayEvent): void {
    if (client === undefined) return;
    const told = { ...event, client, at: this.#clock.now() };
    for (const watcher of this.#watchers) watcher(told);
  }
}
