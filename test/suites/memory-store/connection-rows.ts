// Connection, session and waiting frames.

import type { ConnectionState, Session, Store, TransportState, WaitingFrame } from "../../../lambdas/hub/index.ts";
import { isHttpTransport } from "../../../lambdas/hub/index.ts";
import { NOTHING_READ } from "../store/samples.ts";
import { compareBytes, key, rowKeys } from "./keys.ts";
import { type ConnectionRow, type MemoryRows, ofKind, putNew, toConnection } from "./rows.ts";
import { NOTHING_COUNTED } from "./transport-rows.ts";

type ConnectionVerbs = Pick<
  Store,
  | "accept"
  | "connection"
  | "session"
  | "saveItems"
  | "renewSession"
  | "enqueue"
  | "waiting"
  | "claimFrame"
  | "bury"
  | "dropSession"
>;

/** How long a waiting frame that nobody ran may lie about. Milliseconds. */
const FRAME_GARBAGE = 3_600_000;

export function connectionRows(table: MemoryRows): ConnectionVerbs {
  const { access, get, put, remove, removeIf, rows, update, updateConnection } = table;

  return {
    async accept({
      transportId,
      connectionId,
      hub,
      deadline,
      rotateAt,
      session,
      resumeKey,
      stateful,
      issuedAt,
      authenticatedUntil,
      protocol,
    }) {
      const row: TransportState = {
        transportId,
        connectionId,
        hub,
        phase: "accepted",
        deadline,
        previousDeadline: deadline,
        rotateAt,
        authenticatedUntil,
        turn: undefined,
        waiting: 0,
        end: undefined,
        ender: undefined,
        resumable: resumeKey !== undefined || stateful,
        lost: false,
        left: false,
        resuming: false,
        next: undefined,
        stateful,
        protocol,
        handshakes: 1,
        tally: NOTHING_COUNTED,
        base: 0,
        replay: { after: 0, upTo: 0 },
      };
      const connection: ConnectionRow = {
        connectionId,
        hub,
        transportId,
        userIdentifier: session.userIdentifier,
        ended: false,
        resumeKey,
        stateful,
        issuedAt,
        handshakes: 1,
        outbox: {
          last: 0,
          sent: 0,
          acknowledged: 0,
          bytes: 0,
          flusher: isHttpTransport(transportId) ? transportId : undefined,
          flushingSince: 0,
        },
        protocol,
        reading: NOTHING_READ,
        room: undefined,
        nonce: undefined,
      };
      await access("accept", rowKeys.transport(transportId), () => putNew(rows, rowKeys.transport(transportId), row));
      const [holder] = await Promise.all([
        access("accept", rowKeys.connection(connectionId), () => {
          putNew(rows, rowKeys.connection(connectionId), connection);
          return structuredClone(rows.get(rowKeys.connection(connectionId)) as ConnectionState);
        }),
        put("accept", rowKeys.session(transportId), session),
      ]);
      if (holder.transportId === transportId && !holder.ended) {
        if (resumeKey !== undefined) await putResumeKey(table, resumeKey, connectionId);
        return "accepted";
      }
      await remove("accept", rowKeys.session(transportId));
      await remove("accept", rowKeys.transport(transportId));
      return "taken";
    },
    async connection(id) {
      const row = await get<ConnectionRow>("connection", rowKeys.connection(id));
      return row === undefined ? undefined : toConnection(row);
    },
    async session(transportId) {
      const session = await get<Session>("session", rowKeys.session(transportId));
      return session && { ...session, items: withoutPrototype(Object.entries(session.items)) };
    },
    async saveItems(transportId, changes) {
      return changeItems(table, "saveItems", transportId, Object.entries(changes));
    },
    async renewSession(transportId, { user, request }) {
      const row = await update<Session>(
        "renewSession",
        rowKeys.session(transportId),
        () => true,
        (each) => Object.assign(each, { user, request }),
      );
      return row !== undefined;
    },
    async enqueue(connectionId, frame) {
      const expiresAt = frame.receivedAt + FRAME_GARBAGE;
      await put("enqueue", rowKeys.frame(connectionId, frame.key), { ...frame, expiresAt });
    },
    waiting: (connectionId) =>
      access("waiting", key("frame", connectionId), () =>
        ofKind<WaitingFrame>(rows, key("frame", connectionId))
          .map(({ key, text, receivedAt, transportId, handshakes, repeated, reconnected, refreshed }) => ({
            key,
            text,
            receivedAt,
            transportId,
            handshakes,
            repeated,
            reconnected: reconnected === true,
            refreshed: refreshed === true,
          }))
          .sort((one, other) => compareBytes(one.key, other.key)),
      ),
    claimFrame: (connectionId, frame) => remove("claimFrame", rowKeys.frame(connectionId, frame)),
    async bury(id, expiresAt) {
      const buried = await updateConnection(
        "bury",
        id,
        () => true,
        (row) => {
          row.ended = true;
          row.expiresAt = expiresAt;
        },
      );
      if (buried?.resumeKey === undefined) return buried;
      const own = rowKeys.resumeKey(buried.resumeKey);
      await removeIf<{ connectionId: string }>("bury", own, (row) => row.connectionId === id);
      return buried;
    },
    async dropSession(transportId) {
      await remove("dropSession", rowKeys.session(transportId));
    },
  };
}

/** Deletes those without a value. False when there is no session. */
export async function changeItems(
  { update }: MemoryRows,
  verb: keyof Store,
  transportId: string,
  changes: readonly (readonly [string, string | undefined])[],
): Promise<boolean> {
  const row = await update<Session>(
    verb,
    rowKeys.session(transportId),
    () => true,
    (each) => {
      const items = new Map(Object.entries(each.items));
      for (const [name, value] of changes) {
        if (value === undefined) items.delete(name);
        else items.set(name, value);
      }
      each.items = withoutPrototype([...items]);
    },
  );
  return row !== undefined;
}

function withoutPrototype<Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> {
  const values: Record<string, Value> = Object.create(null);
  for (const [name, value] of entries) values[name] = value;
  return values;
}

async function putResumeKey(
  { get, put, removeIf }: MemoryRows,
  resumeKey: string,
  connectionId: string,
): Promise<void> {
  const own = rowKeys.resumeKey(resumeKey);
  await put("accept", own, { connectionId });
  const connection = await get<ConnectionRow>("accept", rowKeys.connection(connectionId));
  if (connection?.ended)
    await removeIf<{ connectionId: string }>("accept", own, (row) => row.connectionId === connectionId);
}
