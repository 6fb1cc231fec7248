// The state port in memory, row by row as the table has it, so that a model can come between any two rows and lose a
// function there. Every access to rows goes through `access`, which decides when it happens and when, if at all, its
// answer arrives.

import {
  type Audience,
  type ConnectionState,
  isSilent,
  type Member,
  type Phase,
  type Session,
  type Store,
  type SweeperLease,
  type TransportState,
  type Turn,
  type WaitingFrame,
} from "../../lambdas/hub/index.ts";

/** `rows` names what is looked at: a row, or the beginning that all rows of a query share. */
export type Access = <Result>(verb: keyof Store, rows: string, run: () => Result) => Promise<Result>;

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** Rows by key. Those with `expiresAt` (epoch milliseconds) are garbage after it. */
type Rows = Map<string, { readonly expiresAt?: number }>;

export interface MemoryTable {
  /** A function's own way to the rows. */
  store(access?: Access): Store;
  /** The keys of all rows. */
  rows(): string[];
  transports(): readonly TransportState[];
  /** What time to live does, as early as it may. */
  collectGarbage(now: number): void;
}

export const rowKeys = {
  transport: (transportId: string) => key("transport", transportId),
  session: (transportId: string) => key("session", transportId),
  connection: (connectionId: string) => key("connection", connectionId),
  groupOf: (connectionId: string, group: string) => key("groupOf", connectionId, group),
  frame: (connectionId: string, frame: string) => key("frame", connectionId, frame),
  membership: (audience: Audience, connectionId: string) => key("member", ...nameOf(audience), connectionId),
  sweeper: key("sweeper"),
} as const;

const atOnce: Access = async (_verb, _rows, run) => run();

export function memoryTable(): MemoryTable {
  const rows: Rows = new Map();
  return {
    store: (access = atOnce) => memoryStore(rows, access),
    rows: () => [...rows.keys()],
    transports: () => ofKind<TransportState>(rows, key("transport")),
    collectGarbage(now) {
      for (const [name, { expiresAt }] of rows) if (expiresAt !== undefined && expiresAt <= now) rows.delete(name);
    },
  };
}

function memoryStore(rows: Rows, access: Access): Store {
  const get = <Row extends object>(verb: keyof Store, name: string) =>
    access(verb, name, () => structuredClone(rows.get(name) as Row | undefined));
  const put = (verb: keyof Store, name: string, row: object) =>
    access(verb, name, () => void rows.set(name, structuredClone(row)));
  const remove = (verb: keyof Store, name: string) => access(verb, name, () => rows.delete(name));
  const query = (verb: keyof Store, prefix: string) => access(verb, prefix, () => namesUnder(rows, prefix));

  /** Changes a row where it is, if it is there and as `condition` wants it. */
  function update<Row extends object>(
    verb: keyof Store,
    name: string,
    condition: (row: Row) => boolean,
    change: (row: Mutable<Row>) => void,
  ): Promise<Row | undefined> {
    return access(verb, name, () => {
      const row = rows.get(name) as Row | undefined;
      if (row === undefined || !condition(row)) return undefined;
      change(row);
      return structuredClone(row);
    });
  }

  const transport = (
    verb: keyof Store,
    id: string,
    condition: (row: TransportState) => boolean,
    change: (row: Mutable<TransportState>) => void,
  ) => update<TransportState>(verb, rowKeys.transport(id), condition, change);

  async function lives(verb: keyof Store, connectionId: string): Promise<boolean> {
    const row = await get<ConnectionState>(verb, rowKeys.connection(connectionId));
    return row !== undefined && !row.ended;
  }

  async function leave(verb: keyof Store, connectionId: string, hub: string, group: string): Promise<void> {
    await remove(verb, rowKeys.membership({ kind: "group", hub, group }, connectionId));
    await remove(verb, rowKeys.groupOf(connectionId, group));
  }

  return {
    async accept({ transportId, connectionId, hub, deadline, rotateAt, session }) {
      const row: TransportState = {
        transportId,
        connectionId,
        hub,
        phase: "accepted",
        deadline,
        previousDeadline: deadline,
        rotateAt,
        turn: undefined,
        waiting: 0,
        end: undefined,
        ender: undefined,
      };
      const connection: ConnectionState = {
        connectionId,
        hub,
        transportId,
        userIdentifier: session.userIdentifier,
        ended: false,
      };
      await access("accept", rowKeys.transport(transportId), () => putNew(rows, rowKeys.transport(transportId), row));
      const [holder] = await Promise.all([
        access("accept", rowKeys.connection(connectionId), () => {
          putNew(rows, rowKeys.connection(connectionId), connection);
          return structuredClone(rows.get(rowKeys.connection(connectionId)) as ConnectionState);
        }),
        put("accept", rowKeys.session(transportId), session),
      ]);
      if (holder.transportId === transportId && !holder.ended) return "accepted";
      await remove("accept", rowKeys.session(transportId));
      await remove("accept", rowKeys.transport(transportId));
      return "taken";
    },

    touch: (id, deadline) => transport("touch", id, isNotToEnd, (row) => moveDeadline(row, deadline)),
    take: (id, deadline, turn) =>
      transport("take", id, isNotToEnd, (row) => {
        moveDeadline(row, deadline);
        row.turn ??= turn;
      }),
    async enqueue(connectionId, frame) {
      const expiresAt = frame.receivedAt + FRAME_GARBAGE;
      await put("enqueue", rowKeys.frame(connectionId, frame.key), { ...frame, expiresAt });
    },
    count: (id) =>
      transport("count", id, isNotToEnd, (row) => {
        row.waiting += 1;
      }),
    async steal(id, turn, seen) {
      const state = await transport(
        "steal",
        id,
        (row) => isNotToEnd(row) && (row.turn === undefined || isSame(row.turn, seen) || isSame(row.turn, turn)),
        (row) => {
          row.turn = turn;
        },
      );
      return state !== undefined;
    },
    async release(id, holder, seen, open) {
      const state = await transport(
        "release",
        id,
        (row) => row.turn?.holder === holder && row.waiting === seen && (!open || isNotToEnd(row)),
        (row) => {
          if (open) row.phase = "open";
          row.turn = undefined;
          row.waiting = 0;
        },
      );
      return state !== undefined;
    },
    async open(id, holder) {
      const state = await transport(
        "open",
        id,
        (row) => row.turn?.holder === holder && isNotToEnd(row),
        (row) => {
          row.phase = "open";
        },
      );
      return state !== undefined;
    },
    async abandon(id, holder) {
      await transport(
        "abandon",
        id,
        (row) => row.turn?.holder === holder,
        (row) => {
          row.turn = { holder, until: 0, invocations: [] };
        },
      );
    },
    waiting: (connectionId) =>
      access("waiting", key("frame", connectionId), () =>
        ofKind<WaitingFrame>(rows, key("frame", connectionId))
          .map(({ key, text, receivedAt }) => ({ key, text, receivedAt }))
          .sort((one, other) => compareBytes(one.key, other.key)),
      ),
    claimFrame: (connectionId, frame) => remove("claimFrame", rowKeys.frame(connectionId, frame)),

    transport: (id) => get("transport", rowKeys.transport(id)),
    async connection(id) {
      const row = await get<ConnectionState>("connection", rowKeys.connection(id));
      return row === undefined ? undefined : toConnection(row);
    },
    async session(transportId) {
      const session = await get<Session>("session", rowKeys.session(transportId));
      return session && { ...session, items: withoutPrototype(Object.entries(session.items)) };
    },
    async saveItems(transportId, changes) {
      await update<Session>(
        "saveItems",
        rowKeys.session(transportId),
        () => true,
        (row) => {
          const items = new Map(Object.entries(row.items));
          for (const [name, value] of Object.entries(changes)) {
            if (value === undefined) items.delete(name);
            else items.set(name, value);
          }
          row.items = withoutPrototype([...items]);
        },
      );
    },

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
    async forget(audience, { connectionId, transportId }) {
      const name = rowKeys.membership(audience, connectionId);
      await access("forget", name, () => {
        if ((rows.get(name) as Member | undefined)?.transportId === transportId) rows.delete(name);
      });
    },

    markEnd: (id, reason, deadline) =>
      transport("markEnd", id, isNotToEnd, (row) => {
        row.end = reason;
        row.deadline = deadline;
      }),
    claimEnd: ({ transportId, from, ender, until, reason }) =>
      transport(
        "claimEnd",
        transportId,
        (row) => {
          if (row.ender === ender) return true;
          if (row.phase !== from.phase) return false;
          if (from.phase === "open") return from.deadline === undefined || row.deadline === from.deadline;
          if (from.phase === "accepted") return from.turn ? isSame(row.turn, from.turn) : row.turn === undefined;
          return row.ender === from.ender && row.deadline === from.deadline;
        },
        (row) => {
          row.phase = "ended" satisfies Phase;
          row.ender = ender;
          row.deadline = until;
          row.end = isSilent(reason) ? reason : (row.end ?? reason);
        },
      ),
    async bury(id, expiresAt) {
      const row = await update<ConnectionState & { expiresAt?: number }>(
        "bury",
        rowKeys.connection(id),
        () => true,
        (row) => {
          row.ended = true;
          row.expiresAt = expiresAt;
        },
      );
      return row === undefined ? undefined : toConnection(row);
    },
    async dropSession(transportId) {
      await remove("dropSession", rowKeys.session(transportId));
    },
    async clear({ connectionId, hub, userIdentifier }) {
      const groups = await query("clear", key("groupOf", connectionId));
      const names = await query("clear", key("frame", connectionId));
      names.push(rowKeys.membership({ kind: "hub", hub }, connectionId));
      if (userIdentifier !== undefined) {
        names.push(rowKeys.membership({ kind: "user", hub, user: userIdentifier }, connectionId));
      }
      for (const name of groups) await leave("clear", connectionId, hub, lastPart(name));
      for (const name of names) await remove("clear", name);
    },
    async dropTransport(id, ender) {
      await access("dropTransport", rowKeys.transport(id), () => {
        const row = rows.get(rowKeys.transport(id)) as TransportState | undefined;
        if (row?.ender === ender) rows.delete(rowKeys.transport(id));
      });
    },
    async markLost(id) {
      await transport("markLost", id, isNotToEnd, (row) => {
        row.deadline = 0;
      });
    },

    beginSweep: () =>
      access("beginSweep", rowKeys.sweeper, () => {
        const last = (rows.get(rowKeys.sweeper) as SweeperLease | undefined) ?? NEVER_SWEPT;
        const lease = { ...last, generation: last.generation + 1 };
        rows.set(rowKeys.sweeper, lease as object);
        return { ...lease };
      }),
    async keepSweeping(seen, next) {
      const row = await update<SweeperLease>(
        "keepSweeping",
        rowKeys.sweeper,
        (row) => row.generation === seen.generation && [seen.lastTick, next.lastTick].includes(row.lastTick),
        (row) => {
          row.lastTick = next.lastTick;
          row.notBefore = next.notBefore;
        },
      );
      return row !== undefined;
    },
    async *due(now) {
      yield await access("due", key("transport"), () => {
        const all = ofKind<TransportState>(rows, key("transport"));
        return { transports: structuredClone(all.filter((row) => isDue(row, now))), total: all.length };
      });
    },
  };
}

/** How long a waiting frame that nobody ran may lie about. Milliseconds. */
const FRAME_GARBAGE = 3_600_000;
const NEVER_SWEPT: SweeperLease = { generation: 0, lastTick: 0, notBefore: 0 };

function isNotToEnd(row: TransportState): boolean {
  return row.end === undefined;
}

function isSame(turn: Turn | undefined, other: Turn | undefined): boolean {
  return turn?.holder === other?.holder && turn?.until === other?.until;
}

function isDue({ deadline, turn, waiting, rotateAt }: TransportState, now: number): boolean {
  return deadline < now || rotateAt < now || (turn === undefined ? waiting > 0 : turn.until < now);
}

function moveDeadline(row: Mutable<TransportState>, deadline: number): void {
  row.previousDeadline = row.deadline;
  row.deadline = deadline;
}

function putNew(rows: Rows, name: string, row: object): void {
  if (!rows.has(name)) rows.set(name, structuredClone(row));
}

function toConnection({ connectionId, hub, transportId, userIdentifier, ended }: ConnectionState): ConnectionState {
  return { connectionId, hub, transportId, userIdentifier, ended };
}

/** A JSON array without its end: what begins like a key belongs to it, and no name reaches into another row's key. */
function key(...parts: readonly string[]): string {
  return `${JSON.stringify(parts).slice(0, -1)},`;
}

function lastPart(name: string): string {
  return JSON.parse(`${name.slice(0, -1)}]`).at(-1);
}

function nameOf(audience: Audience): readonly string[] {
  switch (audience.kind) {
    case "hub":
      return ["hub", audience.hub];
    case "user":
      return ["user", audience.hub, audience.user];
    case "group":
      return ["group", audience.hub, audience.group];
  }
}

function namesUnder(rows: Rows, prefix: string): string[] {
  return [...rows.keys()].filter((name) => name.startsWith(prefix));
}

function ofKind<Row>(rows: Rows, prefix: string): readonly Row[] {
  return namesUnder(rows, prefix).map((name) => rows.get(name) as Row);
}

/** As DynamoDB sorts: by UTF-8 bytes. */
function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function withoutPrototype<Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> {
  const values: Record<string, Value> = Object.create(null);
  for (const [name, value] of entries) values[name] = value;
  return values;
}
