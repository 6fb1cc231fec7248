// Who is in a hub, a user and a group. A membership is written before it is known to be allowed, and taken back.

import type { Audience, Member, Store } from "../../../lambdas/hub/index.ts";
import { isHttpTransport } from "../../../lambdas/hub/index.ts";
import { compareBytes, key, lastPart, nameOf, rowKeys } from "./keys.ts";
import { type MemoryRows, ofKind } from "./rows.ts";

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

export function membershipRows(table: MemoryRows): MembershipVerbs {
  const { access, get, lives, put, query, remove, removeIf, rows, update } = table;

  async function leave(verb: keyof Store, connectionId: string, hub: string, group: string): Promise<void> {
    await remove(verb, rowKeys.membership({ kind: "group", hub, group }, connectionId));
    await remove(verb, rowKeys.groupOf(connectionId, group));
  }

  return {
    async enter({ connectionId, transportId }, hub, user) {
      const audiences: Audience[] = [{ kind: "hub", hub }];
      if (user !== undefined) audiences.push({ kind: "user", hub, user });
      const names = audiences.map((audience) => rowKeys.membership(audience, connectionId));
      await Promise.all(names.map((name) => put("enter", name, { connectionId, transportId })));
      if (await lives("enter", connectionId)) return true;
      await Promise.all(names.map((name) => remove("enter", name)));
      return false;
    },
    async join({ connectionId, transportId }, hub, group) {
      await put("join", rowKeys.groupOf(connectionId, group), {});
      const name = rowKeys.membership({ kind: "group", hub, group }, connectionId);
      await put("join", name, { connectionId, transportId });
      if (await lives("join", connectionId)) return true;
      await leave("join", connectionId, hub, group);
      return false;
    },
    leave: (connectionId, hub, group) => leave("leave", connectionId, hub, group),
    async groups(connectionId) {
      const names = await query("groups", key("groupOf", connectionId));
      return names.map(lastPart).sort(compareBytes);
    },
    member: (connectionId, hub) => get("member", rowKeys.membership({ kind: "hub", hub }, connectionId)),
    async *members(audience) {
      const prefix = key("member", ...nameOf(audience));
      yield await access("members", prefix, () => structuredClone(ofKind<Member>(rows, prefix)));
    },
    async connectionIds(audience, after, limit) {
      const ids = (await query("connectionIds", key("member", ...nameOf(audience)))).map(lastPart).sort(compareBytes);
      return ids.filter((id) => after === undefined || compareBytes(id, after) > 0).slice(0, limit);
    },
    async countMembers(audience, except) {
      const names = await query("countMembers", key("member", ...nameOf(audience)));
      return names.filter((name) => lastPart(name) !== except).length;
    },
    async redirect(audience, { connectionId, transportId }, to) {
      await update<Member>(
        "redirect",
        rowKeys.membership(audience, connectionId),
        (row) => row.transportId === transportId,
        (row) => {
          row.transportId = to;
        },
      );
    },
    forget: (audience, { connectionId, transportId }) =>
      removeIf<Member>("forget", rowKeys.membership(audience, connectionId), (row) => row.transportId === transportId),
    async clear({ connectionId, transportId, hub, userIdentifier, resumeKey, stateful, outbox }, keepsOutbox = false) {
      const groups = await query("clear", key("groupOf", connectionId));
      const names = await query("clear", key("frame", connectionId));
      for (const kind of ["work", "upload", "uploadItem"])
        names.push(...(await query("clear", key(kind, connectionId))));
      names.push(rowKeys.membership({ kind: "hub", hub }, connectionId));
      if (userIdentifier !== undefined) {
        names.push(rowKeys.membership({ kind: "user", hub, user: userIdentifier }, connectionId));
      }
      for (const name of groups) await leave("clear", connectionId, hub, lastPart(name));
      for (const name of names) await remove("clear", name);
      const hasOutbox = resumeKey !== undefined || stateful || isHttpTransport(transportId);
      if (keepsOutbox || !hasOutbox) return;
      const messages = await query("clear", key("message", connectionId));
      const left = messages.filter((name) => Number(lastPart(name)) > outbox.acknowledged);
      for (const name of left) await remove("clear", name);
    },
  };
}
