// `onUserOnline` and `onUserOffline`: a user has the first connection to a hub, or has had none for a while. Who is
// connected is what the memberships say; a row per user only says what the author was told, and who is telling.
//
//   a connection opens   enter memberships → onConnected → arrive (row) ── was offline ──▶ onUserOnline → settle
//   a connection ends    clear memberships → none left? say in the row when to look (unless somebody arrived)
//   the sweeper, then    row is due → none left? claim (unless somebody arrived) → onUserOffline → settle
//
// The arrival comes after the membership, the claim after the look at the memberships: so either the look finds the
// connection, or the claim is refused, or the arrival finds the user leaving, and whoever tells that tells the return
// afterwards. A holder that dies leaves a lease, and the sweeper tells again, `redelivered`.

import type { CallerPorts } from "./caller.ts";
import type { SweeperLease } from "./connection-state.ts";
import { createHubServer } from "./create-hub-server.ts";
import type { UserEvent } from "./define-hub.ts";
import type { HubEntry } from "./define-service.ts";
import { LEASE, RUN_LIMIT } from "./lease.ts";
import { runLimited } from "./run-limited.ts";
import type { UserState } from "./user-store.ts";

/** How long a user may have no connection before that is told, unless the hub says otherwise. Milliseconds. */
const GRACE = 10_000;
/** How often it is looked whether an online user is connected, though nobody said they left. Milliseconds. */
const CHECK = 60 * 60_000;

/** Whether anybody wants to know. */
export function tellsUsers({ definition }: HubEntry): boolean {
  return definition.onUserOnline !== undefined || definition.onUserOffline !== undefined;
}

/** A connection of the user's is open but for its turn, which its function holds. `stopAt`: epoch milliseconds. */
export async function userArrived(
  ports: CallerPorts,
  hub: HubEntry,
  user: string | undefined,
  stopAt: number,
): Promise<void> {
  if (user === undefined || !tellsUsers(hub)) return;
  const id = ports.random.id();
  const now = ports.clock.now();
  const until = hub.definition.onUserOnline === undefined ? undefined : now + LEASE;
  const state = await ports.store.arriveUser(hub.path, user, { id, until, checkAt: now + CHECK });
  if (state.phase === "coming" && state.holder === id) await tell(ports, hub, state, false, stopAt);
}

/** The memberships of a connection of the user's are cleared. */
export async function userDeparted(ports: CallerPorts, hub: HubEntry, user: string | undefined): Promise<void> {
  if (user === undefined || !tellsUsers(hub)) return;
  // In this order: whoever arrives after the look, and leaves again, says so for itself.
  const seen = await ports.store.user(hub.path, user);
  if (seen === undefined || (await isConnected(ports, hub.path, user))) return;
  await ports.store.departUser(seen, ports.clock.now() + (hub.definition.presence?.grace ?? GRACE));
}

/** The sweeper found that a user is to be looked at, or that somebody died telling. */
export async function repairUser(
  ports: CallerPorts,
  hub: HubEntry,
  seen: UserState,
  { lastTick }: SweeperLease,
): Promise<void> {
  const { store, clock, random } = ports;
  if (seen.phase === "online" && (await isConnected(ports, seen.hub, seen.user))) {
    // A grace of a second or more keeps a departure that is told meanwhile from naming the time that was seen.
    return store.keepUser(seen, lastTick + CHECK);
  }
  const phase = seen.phase === "online" ? "leaving" : seen.phase;
  const claim = { phase, holder: random.id(), until: clock.now() + LEASE };
  const claimed = await store.claimUser(seen, claim);
  if (claimed !== undefined) await tell(ports, hub, claimed, seen.phase !== "online");
}

async function isConnected({ store }: CallerPorts, hub: string, user: string): Promise<boolean> {
  return (await store.connectionIds({ kind: "user", hub, user }, undefined, 1)).length > 0;
}

async function tell(
  ports: CallerPorts,
  hub: HubEntry,
  claimed: UserState,
  redelivered: boolean,
  stopAt = Number.POSITIVE_INFINITY,
): Promise<void> {
  await runUserEvent(ports, hub, claimed, redelivered, stopAt);
  if ((await ports.store.settleUser(claimed)) || claimed.phase === "coming") return;
  // Back while that was told.
  const claim = { phase: "coming", holder: claimed.holder, until: ports.clock.now() + LEASE } as const;
  const back = await ports.store.claimUser(claimed, claim);
  if (back !== undefined) await tell(ports, hub, back, false);
}

/** What it throws is logged, and nothing more: it was told. */
async function runUserEvent(
  ports: CallerPorts,
  hub: HubEntry,
  { phase, user: userIdentifier }: UserState,
  redelivered: boolean,
  stopAt: number,
): Promise<void> {
  const name = phase === "coming" ? "onUserOnline" : "onUserOffline";
  const run: UserEvent | undefined = hub.definition[name];
  if (run === undefined) return;
  const server = createHubServer(ports, hub.path, redelivered);
  const limit = Math.max(0, Math.min(RUN_LIMIT, stopAt - ports.clock.now()));
  const outcome = await runLimited(ports.clock, limit, server, () =>
    run.call(hub.definition, server.hub, { userIdentifier }),
  );
  if ("error" in outcome) server.hub.log.error(`${name} failed.`, { error: outcome.error, userIdentifier });
}
