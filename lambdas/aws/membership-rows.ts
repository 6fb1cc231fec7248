// Who belongs to what: hub, user, groups. A join and an ending may race; the join looks at the connection row after
// its writes, the ending marks that row before it looks for memberships, so one of the two removes them.
//
//   join:    put (connection, group) → put (group, connection) → read connection: ended? take both back
//   ending:  mark connection ended   → … → query (connection, *) → delete each pair

import type { Audience, Member, Store } from "../hub/index.ts";
import { forEachLimit, isHttpTransport } from "../hub/index.ts";
import { lives } from "./connection-rows.ts";
import { type Key, keys, memberPartitions } from "./table.ts";
import type { Page, TableClient } from "./table-client.ts";

type MembershipVerbs = Pick<
  Store,
  | "enter"
  | "join"
  | "leave"
  | "groups"
  | "member"
  | "members"
  | "connectionIds"
  | "countMembers"
  | "redirect"
  | "forget"
  | "clear"
>;

const DELETES_AT_ONCE = 16;
/** Longest sort key. */
const KEY_BYTES = 1024;

export function membershipRows(table: TableClient): MembershipVerbs {
  const hubOf = (hub: string): Audience => ({ kind: "hub", hub });
  const userOf = (hub: string, user: string): Audience => ({ kind: "user", hub, user });
  const groupOf = (hub: string, group: string): Audience => ({ kind: "group", hub, group });

  async function leave(connectionId: string, hub: string, group: string): Promise<void> {
    await table.delete(keys.membership(groupOf(hub, group), connectionId));
    await table.delete(keys.groupOf(connectionId, group));
  }

  return {
    async enter({ connectionId, transportId }, hub, user) {
      const audiences = user === undefined ? [hubOf(hub)] : [hubOf(hub), userOf(hub, user)];
      const rows = audiences.map((audience) => keys.membership(audience, connectionId));
      await Promise.all(rows.map((row) => table.put(row, { transport: transportId })));
      if (await lives(table, connectionId)) return true;
      await Promise.all(rows.map((row) => table.delete(row)));
      return false;
    },
    async join({ connectionId, transportId }, hub, group) {
      await table.put(keys.groupOf(connectionId, group), {});
      await table.put(keys.membership(groupOf(hub, group), connectionId), { transport: transportId });
      if (await lives(table, connectionId)) return true;
      await leave(connectionId, hub, group);
      return false;
    },
    leave,
    groups: (connectionId) => groupsOf(table, connectionId),
    async member(connectionId, hub) {
      // No connection has such an id, and a key cannot have it either.
      if (connectionId === "" || Buffer.byteLength(connectionId) > KEY_BYTES) return undefined;
      const row = await table.get(keys.membership(hubOf(hub), connectionId));
      return row === undefined ? undefined : { connectionId, transportId: String(row.transport) };
    },
    members: (audience) => members(table, audience),
    connectionIds: (audience, after, limit) => connectionIds(table, audience, after, limit),
    countMembers: (audience, except) => countMembers(table, audience, except),
    async redirect(audience, { connectionId, transportId }, to) {
      const values = { ":old": transportId, ":new": to };
      await table.update(keys.membership(audience, connectionId), "SET #transport = :new", "#transport = :old", values);
    },
    async forget(audience, { connectionId, transportId }) {
      await table.delete(keys.membership(audience, connectionId), "#transport = :transport", {
        ":transport": transportId,
      });
    },
    async clear({ connectionId, transportId, hub, userIdentifier, resumeKey, stateful, outbox }, keepsOutbox = false) {
      const own = await ownRows(table, connectionId);
      await forEachLimit(own.groups, DELETES_AT_ONCE, (group) => leave(connectionId, hub, group));
      const rows: Key[] = own.others.map((sk) => ({ pk: keys.connection(connectionId).pk, sk }));
      rows.push(keys.membership(hubOf(hub), connectionId));
      if (userIdentifier !== undefined) rows.push(keys.membership(userOf(hub, userIdentifier), connectionId));
      await forEachLimit(rows, DELETES_AT_ONCE, async (row) => {
        await table.delete(row);
      });
      const hasOutbox = resumeKey !== undefined || stateful || isHttpTransport(transportId);
      if (keepsOutbox || !hasOutbox) return;
      // What a client has acknowledged is left to time to live, which costs nothing.
      const messages = await rowsOf(table, keys.message(connectionId, outbox.acknowledged));
      await forEachLimit(messages, DELETES_AT_ONCE, async (row) => {
        await table.delete(row);
      });
    },
  };
}

async function rowsOf(table: TableClient, { pk, sk }: Key): Promise<readonly Key[]> {
  const rows: Key[] = [];
  for await (const page of table.query(pk, { after: sk, consistent: true }))
    rows.push(...page.rows.map((row) => ({ pk, sk: String(row.sk) })));
  return rows;
}

async function groupsOf(table: TableClient, connectionId: string): Promise<readonly string[]> {
  const { pk, sk } = keys.groupOf(connectionId, "");
  const groups: string[] = [];
  for await (const page of table.query(pk, { prefix: sk, consistent: true })) {
    groups.push(...page.rows.map((row) => String(row.sk).slice(sk.length)));
  }
  return groups;
}

/** Everything under a connection but the connection itself, in one query. */
async function ownRows(table: TableClient, connectionId: string): Promise<{ groups: string[]; others: string[] }> {
  const group = keys.groupOf(connectionId, "").sk;
  const connection = keys.connection(connectionId);
  const own = { groups: [] as string[], others: [] as string[] };
  for await (const page of table.query(connection.pk, { consistent: true })) {
    for (const sk of page.rows.map((row) => String(row.sk))) {
      if (sk.startsWith(group)) own.groups.push(sk.slice(group.length));
      else if (sk !== connection.sk) own.others.push(sk);
    }
  }
  return own;
}

/** The first pages of all partitions come as one, so that a small hub is one page. */
async function* members(table: TableClient, audience: Audience): AsyncGenerator<readonly Member[]> {
  const partitions = memberPartitions(audience).map((pk) =>
    table.query(pk, { consistent: true })[Symbol.asyncIterator](),
  );
  const first = await Promise.all(partitions.map((partition) => partition.next()));
  yield first.flatMap(({ value }) => toMembers(value));
  for (const partition of partitions) {
    for (let page = await partition.next(); !page.done; page = await partition.next()) yield toMembers(page.value);
  }
}

/** Partition by partition. Which one an id is in follows from the id, so the last one says where to go on. */
async function connectionIds(
  table: TableClient,
  audience: Audience,
  after: string | undefined,
  limit: number,
): Promise<readonly string[]> {
  const partitions = memberPartitions(audience);
  const first = after === undefined ? 0 : partitions.indexOf(keys.membership(audience, after).pk);
  const ids: string[] = [];
  for (const [index, pk] of partitions.slice(first).entries()) {
    const behind = index === 0 && after !== undefined ? { after } : {};
    for await (const { rows } of table.query(pk, { ...behind, consistent: true, limit: limit - ids.length })) {
      ids.push(...rows.map(({ sk }) => String(sk)));
      if (ids.length >= limit) return ids.slice(0, limit);
    }
  }
  return ids;
}

/** A sort key can not be filtered, so the one to be left out is counted around. */
async function countMembers(table: TableClient, audience: Audience, except: string | undefined): Promise<number> {
  const home = except === undefined ? undefined : keys.membership(audience, except).pk;
  const counts = memberPartitions(audience).flatMap((pk) =>
    except === undefined || pk !== home
      ? [table.count(pk, { consistent: true })]
      : [table.count(pk, { before: except, consistent: true }), table.count(pk, { after: except, consistent: true })],
  );
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

function toMembers(page: Page | undefined): readonly Member[] {
  return (page?.rows ?? []).map((row) => ({ connectionId: String(row.sk), transportId: String(row.transport) }));
}
