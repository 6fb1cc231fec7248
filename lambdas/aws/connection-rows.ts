// Connection, session and waiting frames.

import {
  type ConnectionState,
  isHttpTransport,
  type NewConnection,
  type RequestInfo,
  type Session,
  type Store,
  type User,
} from "../hub/index.ts";
import { keys, TIME_TO_LIVE } from "./table.ts";
import type { Row, TableClient } from "./table-client.ts";

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

export const NEW = "attribute_not_exists(pk)";
/** How long a waiting frame that nobody ran may lie about. Milliseconds. */
const FRAME_GARBAGE = 3_600_000;

export function connectionRows(table: TableClient): ConnectionVerbs {
  return {
    accept: (connection) => accept(table, connection),
    async connection(id) {
      const row = await table.get(keys.connection(id));
      return row === undefined ? undefined : toConnection(id, row);
    },
    async session(transportId) {
      const row = await table.get(keys.session(transportId));
      return row === undefined ? undefined : toSession(row);
    },
    async saveItems(transportId, changes) {
      const names = Object.keys(changes);
      const changed = names.filter((name) => changes[name] !== undefined);
      const removed = names.filter((name) => changes[name] === undefined);
      return table.amend(
        keys.session(transportId),
        Object.fromEntries(changed.map((name) => [itemAttribute(name), changes[name]])),
        removed.map(itemAttribute),
      );
    },
    renewSession: (transportId, session) => table.amend(keys.session(transportId), { data: toData(session) }, []),
    async enqueue(connectionId, { key, text, receivedAt, transportId, handshakes, repeated, ...flags }) {
      const expiresAt = toSeconds(receivedAt + FRAME_GARBAGE);
      const places = repeated.length === 0 ? undefined : repeated;
      const frame = { text, receivedAt, transport: transportId, handshakes, repeated: places, ...flags };
      await table.put(keys.waiting(connectionId, key), { ...frame, [TIME_TO_LIVE]: expiresAt });
    },
    async waiting(connectionId) {
      const { pk, sk } = keys.waiting(connectionId, "");
      const frames = [];
      for await (const page of table.query(pk, { prefix: sk, consistent: true })) {
        for (const row of page.rows) {
          frames.push({
            key: String(row.sk).slice(sk.length),
            text: String(row.text),
            receivedAt: Number(row.receivedAt),
            transportId: String(row.transport),
            handshakes: Number(row.handshakes),
            repeated: (row.repeated ?? []) as readonly number[],
            reconnected: row.reconnected === true,
            refreshed: row.refreshed === true,
          });
        }
      }
      return frames;
    },
    async claimFrame(connectionId, key) {
      return (await table.delete(keys.waiting(connectionId, key))) !== undefined;
    },
    async bury(id, expiresAt) {
      const row = await table.update(
        keys.connection(id),
        `SET #ended = :true, #${TIME_TO_LIVE} = :expiresAt`,
        "attribute_exists(#pk)",
        { ":true": true, ":expiresAt": toSeconds(expiresAt) },
      );
      if (row === undefined) return undefined;
      const connection = toConnection(id, row);
      if (connection.resumeKey !== undefined) await dropResumeKey(table, connection.resumeKey, id);
      return connection;
    },
    async dropSession(transportId) {
      await table.delete(keys.session(transportId));
    },
  };
}

/** The transport row first: a crash after any of these writes leaves it for the sweeper to find. */
async function accept(table: TableClient, connection: NewConnection): Promise<"accepted" | "taken"> {
  const {
    transportId,
    connectionId,
    hub,
    deadline,
    rotateAt,
    session,
    resumeKey,
    issuedAt,
    authenticatedUntil: authUntil,
    protocol,
  } = connection;
  const transport = keys.transport(transportId);
  const stateful = connection.stateful || undefined;
  const resumable = resumeKey !== undefined || stateful;
  const row: Row = {
    connection: connectionId,
    hub,
    phase: "accepted",
    deadline,
    rotateAt,
    authUntil,
    stateful,
    protocol,
  };
  await table.put(transport, { ...row, ...(resumable && { resumable }) }, NEW);
  const user = session.userIdentifier;
  // A client that comes for its messages finds all of them in the outbox.
  const flusher = isHttpTransport(transportId) ? transportId : undefined;
  const head: Row = { hub, transport: transportId, user, resumeKey, stateful, issuedAt, flusher, protocol };
  const [first] = await Promise.all([
    table.put(keys.connection(connectionId), head, NEW),
    table.put(keys.session(transportId), fromSession(session)),
  ]);
  if (first || (await isOwn(table, connection))) {
    if (resumeKey !== undefined) await putResumeKey(table, resumeKey, connectionId);
    return "accepted";
  }
  await table.delete(keys.session(transportId));
  await table.delete(transport);
  return "taken";
}

/** An ending frees the key after it has marked the connection: so one of the two sees the other. */
async function putResumeKey(table: TableClient, resumeKey: string, connectionId: string): Promise<void> {
  await table.put(keys.resumeKey(resumeKey), { connection: connectionId });
  const connection = await table.get(keys.connection(connectionId));
  if (connection?.ended === true) await dropResumeKey(table, resumeKey, connectionId);
}

async function dropResumeKey(table: TableClient, resumeKey: string, connectionId: string): Promise<void> {
  await table.delete(keys.resumeKey(resumeKey), "#connection = :connection", { ":connection": connectionId });
}

/** Whether the connection is there and nobody has ended it. */
export async function lives(table: TableClient, connectionId: string): Promise<boolean> {
  const row = await table.get(keys.connection(connectionId));
  return row !== undefined && row.ended !== true;
}

/** Whether the row that was in the way is this very accept's, made twice as by a retry of the SDK. */
async function isOwn(table: TableClient, { connectionId, transportId }: NewConnection): Promise<boolean> {
  const row = await table.get(keys.connection(connectionId));
  return row?.transport === transportId && row.ended !== true;
}

export function toConnection(connectionId: string, row: Row): ConnectionState {
  return {
    connectionId,
    hub: String(row.hub),
    transportId: String(row.transport),
    userIdentifier: textOf(row.user),
    ended: row.ended === true,
    resumeKey: textOf(row.resumeKey),
    stateful: row.stateful === true,
    issuedAt: Number(row.issuedAt ?? 0),
    handshakes: Number(row.handshakes ?? 1),
    outbox: {
      last: Number(row.last ?? 0),
      sent: Number(row.sent ?? 0),
      acknowledged: Number(row.acknowledged ?? 0),
      bytes: Number(row.bytes ?? 0),
      flusher: textOf(row.flusher),
      flushingSince: Number(row.flushingSince ?? 0),
    },
    protocol: textOf(row.protocol),
    reading: {
      reader: textOf(row.reader),
      greeting: textOf(row.greeting),
      greeted: textOf(row.greeted),
      handed: row.handed === undefined ? undefined : { number: Number(row.handed), bytes: Number(row.handedBytes) },
      closed: textOf(row.closed),
    },
  };
}

function textOf(value: unknown): string | undefined {
  return value === undefined ? undefined : String(value);
}

const ITEM = "i:";

/** Items are attributes of their own, so that changes of different keys do not overwrite each other. */
function itemAttribute(key: string): string {
  return ITEM + key;
}

export function fromSession({ userIdentifier, ...session }: Session): Row {
  return { user: userIdentifier, data: toData(session) };
}

/** JSON, because names in here come from tokens and requests: `__proto__` has to stay a name. */
function toData({ user, request }: Pick<Session, "user" | "request">): string {
  return JSON.stringify({ user, request });
}

/** The attributes of a session row that are items. */
export function itemsOf(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => name.startsWith(ITEM)));
}

function toSession(row: Row): Session {
  const { user, request } = JSON.parse(String(row.data)) as { user: User; request: RequestInfo };
  const items: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(itemsOf(row))) items[name.slice(ITEM.length)] = String(value);
  return {
    userIdentifier: row.user === undefined ? undefined : String(row.user),
    user: { ...user, name: user.name },
    request,
    items,
  };
}

export function toSeconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000);
}
