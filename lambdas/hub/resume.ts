// Resume keys: a client that comes back with the secret it chose finds its connection again.

import { queryValue } from "./admission.ts";
import { type ClosingPorts, sayGoodbye } from "./closing.ts";
import type { ConnectionState, Session } from "./connection-state.ts";
import type { Service } from "./define-service.ts";
import type { ClientRequest, ConnectionTokens, Log } from "./ports.ts";
import { protocolOf } from "./protocols.ts";

/** Query parameter with which a client brings its key: `/chat?resume=<secret>`. */
export const RESUME_PARAMETER = "resume";
/** What the older of two clients with one key is told. */
export const REPLACED = "The connection was resumed by another client with the same resume key.";
/** Shorter keys could be guessed, and are ignored. */
const KEY_LENGTH = 32;
/** How long a connect function may take to move a connection, before the old transport counts again. Milliseconds. */
const MOVE_TIMEOUT = 35_000;

/** The name of the key that a request brings; undefined without a key, or with one that is too short. */
export async function resumeKeyOf(
  { tokens, log }: { readonly tokens: ConnectionTokens; readonly log: Log },
  request: ClientRequest,
  hub: string,
  userIdentifier: string | undefined,
): Promise<string | undefined> {
  const key = queryValue(request.query, RESUME_PARAMETER);
  if (key === undefined) return undefined;
  if (key.length >= KEY_LENGTH) return tokens.nameOfKey(hub, userIdentifier, key);
  log.warn(`A resume key is ignored: it needs at least ${KEY_LENGTH} characters.`, { length: key.length });
  return undefined;
}

export interface ResumeRequest {
  /** Whether it may be another client: it brings the key, not the token of the connection. */
  readonly isOther: boolean;
  readonly connection: ConnectionState;
  readonly transportId: string;
  readonly deadline: number;
  readonly rotateAt: number;
  readonly authenticatedUntil: number | undefined;
  readonly session: Session;
  readonly stateful: boolean;
  readonly issuedAt: number;
}

/** Moves a connection to the transport that asks for it. False when it has ended, or somebody else is moving it. */
export async function resume(
  ports: ClosingPorts & { readonly service: Service },
  { connection, transportId, isOther, ...times }: ResumeRequest,
): Promise<boolean> {
  const { store, clock, service } = ports;
  const now = clock.now();
  // Whoever heard nothing for so long, its client has given up by its own server time-out. A stock client opens one
  // more socket then, and forgets it: let in, it would break the next one when it is closed.
  const heardAfter = isOther ? undefined : now + service.lifetime.clientTimeoutInterval / 6;
  const from = await store.freeze(connection.transportId, transportId, now + MOVE_TIMEOUT, heardAfter);
  if (from === undefined) return false;
  if (!(await store.takeOver({ ...times, from, transportId, now }))) return false;
  // A half-open socket would go on swallowing posts. A second page with this key is told to stay away; a client that
  // resumes by its own token, or never got through before, would take that for itself.
  if (from.lost) return true;
  const goodbye =
    isOther && !from.resuming ? protocolOf(ports, from).encode({ kind: "close", error: REPLACED }) : undefined;
  await sayGoodbye(ports, from.transportId, goodbye);
  return true;
}
