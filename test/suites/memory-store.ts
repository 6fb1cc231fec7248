// The state port in memory, row by row as the table has it, so that a model can come between any two rows and lose a
// function there. Every access to rows goes through `access`, which decides when it happens and when, if at all, its
// answer arrives.

import {
  type Audience,
  type ConnectionState,
  isSilent,
  type Member,
  type Phase,
  type QueuedMessage,
  type Receipt,
  type Session,
  type Store,
  type SweeperLease,
  type Tally,
  type TransportState,
  type Trim,
  type Turn,
  type WaitingFrame,
} from "../../lambdas/hub/index.ts";

/** `rows` names what is looked at: a row, or the beginning that all rows of a query share. */
export type Access = <Result>(verb: keyof Store, rows: string, run: () => Result) => Promise<Result>;

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

interface ConnectionRow extends ConnectionState {
  /** How many bytes there may be. */
  readonly room: number | undefined;
  readonly expiresAt?: number;
}

interface MessageRow extends QueuedMessage {
  readonly bytes: number;
}

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
  message: (connectionId: string, number: number) => key("message", connectionId, String(number).padStart(15, "0")),
  resumeKey: (name: string) => key("resumeKey", name),
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

  async function connection(
    verb: keyof Store,
    id: string,
    condition: (row: ConnectionRow) => boolean,
    change: (row: Mutable<ConnectionRow>) => void,
  ): Promise<ConnectionState | undefined> {
    const row = await update<ConnectionRow>(verb, rowKeys.connection(id), condition, change);
    return row === undefined ? undefined : toConnection(row);
  }

  async function changeItems(
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

  async function removeTransport(
    verb: keyof Store,
    id: string,
    condition: (row: TransportState) => boolean,
  ): Promise<void> {
    await access(verb, rowKeys.transport(id), () => {
      const row = rows.get(rowKeys.transport(id)) as TransportState | undefined;
      if (row !== undefined && condition(row)) rows.delete(rowKeys.transport(id));
    });
  }

  async function lives(verb: keyof Store, connectionId: string): Promise<boolean> {
    const row = await get<ConnectionState>(verb, rowKeys.connection(connectionId));
    return row !== undefined && !row.ended;
  }

  async function leave(verb: keyof Store, connectionId: string, hub: string, group: string): Promise<void> {
    await remove(verb, rowKeys.membership({ kind: "group", hub, group }, connectionId));
    await remove(verb, rowKeys.groupOf(connectionId, group));
  }

  return {
    async accept({ transportId, connectionId, hub, deadline, rotateAt, session, resumeKey, stateful, issuedAt }) {
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
        resumable: resumeKey !== undefined || stateful,
        lost: false,
        resuming: false,
        next: undefined,
        stateful,
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
        outbox: { last: 0, sent: 0, acknowledged: 0, bytes: 0, flusher: undefined, flushingSince: 0 },
        room: undefined,
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
        if (resumeKey !== undefined) await put("accept", rowKeys.resumeKey(resumeKey), { connectionId });
        return "accepted";
      }
      await remove("accept", rowKeys.session(transportId));
      await remove("accept", rowKeys.transport(transportId));
      return "taken";
    },

    async connectionOfKey(resumeKey) {
      const row = await get<{ connectionId: string }>("connectionOfKey", rowKeys.resumeKey(resumeKey));
      return row?.connectionId;
    },
    freeze: (id, next, until) =>
      transport(
        "freeze",
        id,
        (row) =>
          row.end === undefined &&
          row.phase === "open" &&
          row.resumable &&
          (row.next === undefined || row.next === next),
        (row) => {
          row.next = next;
          row.deadline = until;
        },
      ),
    async thaw(id, next) {
      await transport(
        "thaw",
        id,
        (row) => row.next === next,
        (row) => {
          row.next = undefined;
        },
      );
    },
    async takeOver({ from, transportId, deadline, rotateAt, session, now, stateful, issuedAt }) {
      const { connectionId, hub, waiting, handshakes, tally, base } = from;
      const row: TransportState = {
        transportId,
        connectionId,
        hub,
        phase: "open",
        deadline,
        previousDeadline: deadline,
        rotateAt,
        turn: from.turn && { ...from.turn, invocations: from.stateful ? from.turn.invocations : [] },
        waiting,
        end: undefined,
        ender: undefined,
        resumable: true,
        lost: false,
        resuming: true,
        next: undefined,
        stateful,
        handshakes,
        tally: { ...tally, quietUntil: 0 },
        base,
        replay: from.replay,
      };
      await access("takeOver", rowKeys.transport(transportId), () => putNew(rows, rowKeys.transport(transportId), row));
      const before = (await get<Session>("takeOver", rowKeys.session(from.transportId)))?.items ?? {};
      await put("takeOver", rowKeys.session(transportId), { ...session, items: before });
      const moved = await update<ConnectionRow>(
        "takeOver",
        rowKeys.connection(connectionId),
        (each) => !each.ended && [from.transportId, transportId].includes(each.transportId),
        (each) => {
          each.transportId = transportId;
          each.stateful = stateful;
          each.issuedAt = issuedAt;
          each.outbox = { ...each.outbox, flusher: transportId, flushingSince: now };
        },
      );
      if (moved === undefined) {
        await remove("takeOver", rowKeys.session(transportId));
        await remove("takeOver", rowKeys.transport(transportId));
        return false;
      }
      const old = rowKeys.session(from.transportId);
      const last = await access("takeOver", old, () => {
        const session = rows.get(old) as Session | undefined;
        rows.delete(old);
        return session?.items;
      });
      const changes = changesOf(before, last ?? before);
      if (changes.length > 0) await changeItems("takeOver", transportId, changes);
      return true;
    },
    reopen: (id, by, turn, quietUntil) =>
      transport(
        "reopen",
        id,
        (row) => isNotToEnd(row) && row.resuming && !row.lost,
        (row) => {
          row.resuming = false;
          row.turn ??= turn;
          if ("expected" in by) {
            row.tally = { ...row.tally, recent: [], expected: by.expected, quietUntil };
            row.replay = by.replay;
            return;
          }
          row.tally = { ...NOTHING_COUNTED, quietUntil };
          row.handshakes += 1;
          row.base = by.base;
          row.replay = { after: by.base, upTo: by.base };
          row.turn = { ...row.turn, invocations: [] };
        },
      ),
    lose: (id, deadline) =>
      transport(
        "lose",
        id,
        (row) => isNotToEnd(row) && row.phase === "open" && !row.lost,
        (row) => {
          row.lost = true;
          row.deadline = deadline;
        },
      ),
    async dropUnused(id) {
      await remove("dropUnused", rowKeys.session(id));
      await removeTransport("dropUnused", id, (row) => row.resuming);
    },
    async dropReplaced(id) {
      await remove("dropReplaced", rowKeys.session(id));
      await removeTransport("dropReplaced", id, (row) => row.next !== undefined);
    },
    async yieldTurn(id, holder) {
      await transport(
        "yieldTurn",
        id,
        (row) => row.turn?.holder === holder && row.resuming && row.next === undefined,
        (row) => {
          row.turn = undefined;
        },
      );
    },

    async nextNumber(connectionId, { flusher, now, bytes, limit, handshakes }) {
      const row = await connection(
        "nextNumber",
        connectionId,
        (each) =>
          !each.ended &&
          each.outbox.bytes < (each.room ?? limit) &&
          (handshakes === undefined || each.handshakes === handshakes),
        (each) => {
          const head = each.outbox;
          each.room ??= limit;
          each.outbox = {
            ...head,
            last: head.last + 1,
            bytes: head.bytes + bytes,
            flusher: head.flusher ?? flusher,
            flushingSince: head.flusher === undefined ? now : head.flushingSince,
          };
        },
      );
      if (row !== undefined) return row;
      const present = await get<ConnectionState>("nextNumber", rowKeys.connection(connectionId));
      if (present === undefined || present.ended) return undefined;
      return handshakes === undefined || present.handshakes === handshakes ? "full" : undefined;
    },
    putMessage: (connectionId, message, bytes, now) => {
      const name = rowKeys.message(connectionId, message.number);
      const row = { ...message, bytes, expiresAt: now + MESSAGE_GARBAGE };
      return access("putMessage", name, () => putNew(rows, name, row));
    },
    queued: (connectionId, after) =>
      access("queued", key("message", connectionId), () =>
        ofKind<QueuedMessage>(rows, key("message", connectionId))
          .filter(({ number }) => number > after)
          .map(({ number, record, handshakes }) => ({
            number,
            record,
            ...(handshakes !== undefined && { handshakes }),
          }))
          .sort((one, other) => one.number - other.number),
      ),
    async dropMessage(connectionId, number) {
      await remove("dropMessage", rowKeys.message(connectionId, number));
    },
    async acknowledge(connectionId, transportId, number, limit) {
      const message = await get<MessageRow>("acknowledge", rowKeys.message(connectionId, number));
      await connection(
        "acknowledge",
        connectionId,
        (row) =>
          !row.ended &&
          row.transportId === transportId &&
          row.outbox.last >= number &&
          row.outbox.acknowledged < number,
        (row) => {
          row.outbox = { ...row.outbox, acknowledged: number };
          if (message !== undefined && message.bytes > 0) row.room = message.bytes + limit;
        },
      );
    },
    startFlush: (connectionId, transportId, { flusher, seen, now, handshakes }) =>
      connection(
        "startFlush",
        connectionId,
        (row) =>
          !row.ended &&
          row.transportId === transportId &&
          (row.outbox.flusher === seen || row.outbox.flusher === flusher),
        (row) => {
          row.handshakes = handshakes;
          row.outbox = { ...row.outbox, flusher, flushingSince: now };
        },
      ),
    async finishFlush(connectionId, flusher, sent, limit) {
      const row = await connection(
        "finishFlush",
        connectionId,
        ({ outbox }) => outbox.flusher === flusher && outbox.last === sent,
        (each) => {
          if (limit !== undefined) each.room = each.outbox.bytes + limit;
          const acknowledged = limit === undefined ? each.outbox.acknowledged : sent;
          each.outbox = { ...each.outbox, sent, acknowledged, ...NO_FLUSHER };
        },
      );
      return row !== undefined;
    },
    async leaveFlush(connectionId, flusher, sent, next) {
      await connection(
        "leaveFlush",
        connectionId,
        ({ outbox }) => outbox.flusher === flusher,
        (each) => {
          each.outbox = { ...each.outbox, sent, flusher: next };
        },
      );
    },

    touch: (id, deadline, receipts = []) =>
      transport(
        "touch",
        id,
        (row) => takesFrames(row, receipts),
        (row) => {
          moveDeadline(row, deadline);
          countReceipts(row, receipts);
        },
      ),
    take: (id, deadline, turn, receipts = []) =>
      transport(
        "take",
        id,
        (row) => takesFrames(row, receipts),
        (row) => {
          moveDeadline(row, deadline);
          countReceipts(row, receipts);
          row.turn ??= turn;
        },
      ),
    tally: (id, seen, { deadline, turn, received, recent, expected }) =>
      transport(
        "tally",
        id,
        (row) =>
          isNotToEnd(row) &&
          row.tally.received === seen.tally.received &&
          row.tally.expected.join() === seen.tally.expected.join() &&
          row.lost === seen.lost &&
          row.resuming === seen.resuming,
        (row) => {
          row.tally = { ...row.tally, received, recent, expected };
          if (deadline !== undefined) moveDeadline(row, deadline);
          if (turn !== undefined) row.turn ??= turn;
        },
      ),
    async trim(id, trim) {
      await transport(
        "trim",
        id,
        (row) => isNotToEnd(row) && isTallyAsSeen(row, trim),
        (row) => applyTrim(row, trim),
      );
    },
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
    async release(id, holder, seen, open, tally) {
      const state = await transport(
        "release",
        id,
        (row) =>
          row.turn?.holder === holder &&
          row.waiting === seen &&
          row.next === undefined &&
          (!open || (isNotToEnd(row) && row.phase === "accepted")),
        (row) => {
          if (open) row.phase = "open";
          if (tally === "forget") row.tally = { ...row.tally, recent: [] };
          else if (tally !== undefined) row.tally = { ...row.tally, acknowledged: tally.acknowledged };
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
          .map(({ key, text, receivedAt, transportId, handshakes, repeated, reconnected }) => ({
            key,
            text,
            receivedAt,
            transportId,
            handshakes,
            repeated,
            reconnected: reconnected === true,
          }))
          .sort((one, other) => compareBytes(one.key, other.key)),
      ),
    claimFrame: (connectionId, frame) => remove("claimFrame", rowKeys.frame(connectionId, frame)),

    transport: (id) => get("transport", rowKeys.transport(id)),
    async connection(id) {
      const row = await get<ConnectionRow>("connection", rowKeys.connection(id));
      return row === undefined ? undefined : toConnection(row);
    },
    async session(transportId) {
      const session = await get<Session>("session", rowKeys.session(transportId));
      return session && { ...session, items: withoutPrototype(Object.entries(session.items)) };
    },
    async saveItems(transportId, changes) {
      return changeItems("saveItems", transportId, Object.entries(changes));
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
          if (row.next !== undefined) return false;
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
      const buried = await connection(
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
      await access("bury", own, () => {
        if ((rows.get(own) as { connectionId: string } | undefined)?.connectionId === id) rows.delete(own);
      });
      return buried;
    },
    async dropSession(transportId) {
      await remove("dropSession", rowKeys.session(transportId));
    },
    async clear({ connectionId, hub, userIdentifier, resumeKey, stateful, outbox }) {
      const groups = await query("clear", key("groupOf", connectionId));
      const names = await query("clear", key("frame", connectionId));
      names.push(rowKeys.membership({ kind: "hub", hub }, connectionId));
      if (userIdentifier !== undefined) {
        names.push(rowKeys.membership({ kind: "user", hub, user: userIdentifier }, connectionId));
      }
      for (const name of groups) await leave("clear", connectionId, hub, lastPart(name));
      for (const name of names) await remove("clear", name);
      if (resumeKey === undefined && !stateful) return;
      const messages = await query("clear", key("message", connectionId));
      const left = messages.filter((name) => Number(lastPart(name)) > outbox.acknowledged);
      for (const name of left) await remove("clear", name);
    },
    dropTransport: (id, ender) => removeTransport("dropTransport", id, (row) => row.ender === ender),
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
/** How long a message that nobody came for may lie about. Milliseconds. */
const MESSAGE_GARBAGE = 24 * 3_600_000;
const NO_FLUSHER = { flusher: undefined, flushingSince: 0 };
const NEVER_SWEPT: SweeperLease = { generation: 0, lastTick: 0, notBefore: 0 };

/** And no other transport has taken over. */
function isNotToEnd(row: TransportState): boolean {
  return row.end === undefined && row.next === undefined;
}

function isSame(turn: Turn | undefined, other: Turn | undefined): boolean {
  return turn?.holder === other?.holder && turn?.until === other?.until;
}

function isDue({ deadline, turn, waiting, rotateAt }: TransportState, now: number): boolean {
  return deadline < now || rotateAt < now || (turn === undefined ? waiting > 0 : turn.until < now);
}

const NOTHING_COUNTED: Tally = { received: 0, acknowledged: 0, recent: [], expected: [], quietUntil: 0 };

/** Messages that could have come before are counted by nobody who has not looked. */
function takesFrames(row: TransportState, receipts: readonly Receipt[]): boolean {
  const [first] = receipts;
  const isCountedAlready = row.tally.recent.some(
    ({ fingerprint, receivedAt, frame }) =>
      fingerprint === first?.fingerprint && receivedAt === first.receivedAt && frame === first.frame,
  );
  const counts = receipts.length === 0 || (row.tally.expected.length === 0 && !isCountedAlready);
  return isNotToEnd(row) && !row.lost && !row.resuming && counts;
}

function countReceipts(row: Mutable<TransportState>, receipts: readonly Receipt[]): void {
  const { tally } = row;
  row.tally = { ...tally, received: tally.received + receipts.length, recent: [...tally.recent, ...receipts] };
}

function isTallyAsSeen({ tally }: TransportState, { seen, acknowledged }: Trim): boolean {
  return (
    tally.received === seen.received && tally.recent.length === seen.recent.length && tally.acknowledged <= acknowledged
  );
}

function applyTrim(row: Mutable<TransportState>, { acknowledged, drop }: Trim): void {
  row.tally = { ...row.tally, acknowledged, recent: row.tally.recent.slice(drop) };
}

/** A frame has come, so the transport is there. */
function moveDeadline(row: Mutable<TransportState>, deadline: number): void {
  row.previousDeadline = row.deadline;
  row.deadline = deadline;
}

function putNew(rows: Rows, name: string, row: object): boolean {
  if (rows.has(name)) return false;
  rows.set(name, structuredClone(row));
  return true;
}

function toConnection(row: ConnectionRow): ConnectionState {
  const { room: _, expiresAt: __, ...connection } = row;
  return connection;
}

function changesOf(before: Session["items"], after: Session["items"]): [string, string | undefined][] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).map((name) => [name, after[name]]);
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
