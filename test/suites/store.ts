// The contract of the state port, for every store: each verb, and each race that somebody could lose twice.

import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type {
  Audience,
  ConnectionState,
  EndClaim,
  EndReason,
  Member,
  NewConnection,
  OutboxHead,
  Session,
  Store,
  Takeover,
  TransportState,
  Turn,
  WaitingFrame,
} from "../../lambdas/hub/index.ts";

export interface OpenStore {
  readonly store: Store;
  /** The keys of all rows, however the store calls them. */
  rows(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const NOW = Date.UTC(2026, 0, 1);
const HUB = "chat";
const LOST: EndReason = { stopCalled: false, code: "transport_lost" };
const STOPPED: EndReason = { stopCalled: true, code: "stopped", message: "Bye." };
const FAILED: EndReason = { stopCalled: false, code: "handshake_failed" };

const EMPTY: OutboxHead = { last: 0, sent: 0, flusher: undefined, flushingSince: 0 };

/** Names that mean something to a prototype, to a key, or to a parser. All of them are different names. */
const HOSTILE_NAMES: readonly string[] = [
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "toString",
  "#",
  "##",
  "C",
  "C#x",
  "I#",
  "I#x",
  "G#x",
  "G#chat#x",
  "H#0#chat",
  "chat#x",
  "SWEEP",
  ":v0",
  "i:x",
  " ",
  " x",
  "x ",
  '" "',
  'x" ',
  "\\",
  "\u0000",
  "\u001e",
  "é",
  "e\u0301",
  "\u{1f600}",
  "\uffff",
  "x".repeat(900),
  "é".repeat(450),
  "\u{1f600}".repeat(225),
];

export function storeSuite(name: string, openStore: () => Promise<OpenStore>): void {
  describe(name, () => {
    let opened: OpenStore;
    let store: Store;
    let tests = 0;

    async function open(): Promise<() => Promise<void>> {
      const own = await openStore();
      opened = own;
      store = own.store;
      return () => own.close();
    }

    beforeAll(open);
    // One table for all tests, so every test has names of its own.
    beforeEach(() => {
      tests += 1;
    });

    const id = (text: string) => `${text}.${tests}`;
    const turnOf = (holder: string, until = NOW + 35_000): Turn => ({ holder, until, invocations: [] });

    function newConnection(changes: Partial<NewConnection> & { userIdentifier?: string } = {}): NewConnection {
      const { userIdentifier, ...others } = changes;
      return {
        transportId: id("transport"),
        connectionId: id("connection"),
        hub: HUB,
        deadline: NOW + 15_000,
        rotateAt: NOW + 6_600_000,
        session: sessionOf({ userIdentifier }),
        resumeKey: undefined,
        ...others,
      };
    }

    async function accept(changes: Parameters<typeof newConnection>[0] = {}): Promise<NewConnection> {
      const connection = newConnection(changes);
      expect(await store.accept(connection)).toBe("accepted");
      return connection;
    }

    /** Accepted, entered and open, with nobody in turn. */
    async function connect(changes: Parameters<typeof newConnection>[0] = {}): Promise<NewConnection> {
      const connection = await accept(changes);
      const { transportId, hub, session } = connection;
      await store.take(transportId, NOW + 30_000, turnOf("opener"));
      expect(await store.enter(connection, hub, session.userIdentifier)).toBe(true);
      expect(await store.release(transportId, "opener", 0, true)).toBe(true);
      return connection;
    }

    function claimOf(connection: NewConnection, changes: Partial<EndClaim> = {}): EndClaim {
      return {
        transportId: connection.transportId,
        from: { phase: "open" },
        ender: "ender",
        until: NOW + 35_000,
        reason: LOST,
        ...changes,
      };
    }

    /** The whole ending, as one who is never interrupted does it. */
    async function end(connection: NewConnection, ender = "ender"): Promise<void> {
      expect(await store.claimEnd(claimOf(connection, { ender }))).toBeDefined();
      const buried = await store.bury(connection.connectionId, NOW + 60_000);
      await store.dropSession(connection.transportId);
      if (buried !== undefined) await store.clear(buried);
      await store.dropTransport(connection.transportId, ender);
    }

    async function membersOf(audience: Audience): Promise<readonly Member[]> {
      const members: Member[] = [];
      for await (const page of store.members(audience)) members.push(...page);
      return members.sort((one, other) => (one.connectionId < other.connectionId ? -1 : 1));
    }

    async function dueAt(now: number): Promise<readonly TransportState[]> {
      const due: TransportState[] = [];
      for await (const { transports } of store.due(now)) due.push(...transports);
      return due.filter(({ transportId }) => transportId.endsWith(`.${tests}`));
    }

    async function total(): Promise<number> {
      let sum = 0;
      for await (const page of store.due(NOW)) sum += page.total;
      return sum;
    }

    const userOf = (user: string): Audience => ({ kind: "user", hub: HUB, user });
    const groupOf = (group: string): Audience => ({ kind: "group", hub: HUB, group });
    const memberOf = ({ connectionId, transportId }: NewConnection): Member => ({ connectionId, transportId });

    describe("accept", () => {
      it("keeps what it is given", async () => {
        const session = sessionOf({ userIdentifier: "ada" });
        const connection = await accept({ session });
        const { transportId, connectionId, deadline, rotateAt } = connection;
        expect(await store.transport(transportId)).toStrictEqual({
          transportId,
          connectionId,
          hub: HUB,
          phase: "accepted",
          deadline,
          previousDeadline: deadline,
          rotateAt,
          turn: undefined,
          waiting: 0,
          end: undefined,
          ender: undefined,
          resumable: false,
          lost: false,
          resuming: false,
          next: undefined,
        });
        expect(await store.connection(connectionId)).toStrictEqual({
          connectionId,
          hub: HUB,
          transportId,
          userIdentifier: "ada",
          ended: false,
          resumeKey: undefined,
          outbox: EMPTY,
        });
        expect(await store.session(transportId)).toEqual(session);
      });

      it("makes nobody a member yet", async () => {
        const connection = await accept({ userIdentifier: id("ada") });
        expect(await store.member(connection.connectionId, HUB)).toBeUndefined();
        expect(await membersOf(userOf(id("ada")))).toEqual([]);
      });

      it("leaves nothing behind of the second with one connection id, and the first as it was", async () => {
        const first = await accept();
        const before = await opened.rows();
        const second = newConnection({ transportId: id("second"), session: sessionOf({ userIdentifier: "eve" }) });
        expect(await store.accept(second)).toBe("taken");
        expect(await opened.rows()).toEqual(before);
        expect((await store.connection(first.connectionId))?.transportId).toBe(first.transportId);
      });

      it("lets one of 50 in", async () => {
        const attempts = Array.from({ length: 50 }, (_, index) => newConnection({ transportId: id(`t${index}`) }));
        const before = await opened.rows();
        const outcomes = await Promise.all(attempts.map((attempt) => store.accept(attempt)));
        expect(outcomes.filter((outcome) => outcome === "accepted")).toHaveLength(1);
        expect(await opened.rows()).toHaveLength(before.length + 3);
        const winner = attempts[outcomes.indexOf("accepted")];
        expect((await store.connection(id("connection")))?.transportId).toBe(winner?.transportId);
        expect(await store.session(winner?.transportId ?? "")).toBeDefined();
      });

      it("takes no connection id that has ended", async () => {
        const first = await connect();
        await end(first);
        const before = await opened.rows();
        expect(await store.accept(newConnection({ transportId: id("second") }))).toBe("taken");
        expect(await opened.rows()).toEqual(before);
        expect(await store.connection(first.connectionId)).toMatchObject({ ended: true });
      });

      it("is one accept when it is made twice, as by a retry of the SDK", async () => {
        const connection = await accept();
        expect(await store.accept(connection)).toBe("accepted");
        expect(await store.transport(connection.transportId)).toBeDefined();
        expect(await store.session(connection.transportId)).toBeDefined();
      });
    });

    describe("touch", () => {
      it("moves the deadline and remembers the one before", async () => {
        const { transportId } = await accept();
        expect(await store.touch(transportId, NOW + 30_000)).toMatchObject({
          deadline: NOW + 30_000,
          previousDeadline: NOW + 15_000,
          turn: undefined,
        });
        expect(await store.transport(transportId)).toMatchObject({ deadline: NOW + 30_000 });
      });

      it("leaves the turn where it is", async () => {
        const { transportId } = await accept();
        const turn = turnOf("holder");
        await store.take(transportId, NOW + 30_000, turn);
        expect((await store.touch(transportId, NOW + 40_000))?.turn).toStrictEqual(turn);
      });
    });

    describe("take", () => {
      it("takes the turn if nobody has it, with the notes of what it runs", async () => {
        const { transportId } = await accept();
        const turn: Turn = { ...turnOf("first"), invocations: [{ id: "1", target: "__proto__" }] };
        expect(await store.take(transportId, NOW + 30_000, turn)).toMatchObject({ turn, deadline: NOW + 30_000 });
      });

      it("says who has it", async () => {
        const { transportId } = await accept();
        const turn: Turn = { ...turnOf("first"), invocations: [{ id: "1", target: "a" }] };
        await store.take(transportId, NOW + 30_000, turn);
        const late: Turn = { ...turnOf("second", NOW + 99_000), invocations: [{ id: "2", target: "b" }] };
        expect(await store.take(transportId, NOW + 31_000, late)).toMatchObject({ turn, deadline: NOW + 31_000 });
      });

      it("does not give a dead holder's turn away: that is stolen", async () => {
        const { transportId } = await accept();
        await store.take(transportId, NOW, turnOf("dead", NOW - 1));
        expect((await store.take(transportId, NOW, turnOf("next")))?.turn?.holder).toBe("dead");
      });

      it("has one winner among 50", async () => {
        const { transportId } = await accept();
        const states = await Promise.all(
          Array.from({ length: 50 }, (_, index) => store.take(transportId, NOW, turnOf(`holder ${index}`))),
        );
        expect(new Set(states.map((state) => state?.turn?.holder)).size).toBe(1);
      });

      it("is one turn when it is made twice, as by a retry of the SDK", async () => {
        const { transportId } = await accept();
        await store.take(transportId, NOW, turnOf("holder"));
        expect((await store.take(transportId, NOW, turnOf("holder")))?.turn?.holder).toBe("holder");
      });
    });

    describe("count", () => {
      it("counts every one of 50", async () => {
        const { transportId } = await accept();
        await store.take(transportId, NOW, turnOf("holder"));
        const states = await Promise.all(Array.from({ length: 50 }, () => store.count(transportId)));
        expect(states.map((state) => state?.waiting).sort((a = 0, b = 0) => a - b)).toEqual(
          Array.from({ length: 50 }, (_, index) => index + 1),
        );
      });

      it("says whether somebody has the turn", async () => {
        const { transportId } = await connect();
        expect((await store.count(transportId))?.turn).toBeUndefined();
        await store.take(transportId, NOW, turnOf("holder"));
        expect((await store.count(transportId))?.turn?.holder).toBe("holder");
      });
    });

    describe("steal", () => {
      it("takes the turn of the dead holder that was seen", async () => {
        const { transportId } = await accept();
        const dead = turnOf("dead", NOW - 1);
        await store.take(transportId, NOW, dead);
        expect(await store.steal(transportId, turnOf("thief"), dead)).toBe(true);
        expect((await store.transport(transportId))?.turn).toStrictEqual(turnOf("thief"));
      });

      it("takes a turn that is free, whoever was seen", async () => {
        const { transportId } = await accept();
        expect(await store.steal(transportId, turnOf("thief"), undefined)).toBe(true);
        const { transportId: other } = await accept({ transportId: id("other"), connectionId: id("other") });
        expect(await store.steal(other, turnOf("thief"), turnOf("seen"))).toBe(true);
      });

      it("is refused once the turn has moved on", async () => {
        const { transportId } = await accept();
        const dead = turnOf("dead", NOW - 1);
        await store.take(transportId, NOW, dead);
        expect(await store.steal(transportId, turnOf("thief"), undefined)).toBe(false);
        expect(await store.steal(transportId, turnOf("thief"), turnOf("another", NOW - 1))).toBe(false);
        expect(await store.steal(transportId, turnOf("thief"), turnOf("dead", NOW))).toBe(false);
        expect((await store.transport(transportId))?.turn).toStrictEqual(dead);
      });

      it("has one winner among 50", async () => {
        const { transportId } = await accept();
        const dead = turnOf("dead", NOW - 1);
        await store.take(transportId, NOW, dead);
        const thieves = Array.from({ length: 50 }, (_, index) => turnOf(`thief ${index}`));
        const won = await Promise.all(thieves.map((thief) => store.steal(transportId, thief, dead)));
        expect(won.filter(Boolean)).toHaveLength(1);
        expect((await store.transport(transportId))?.turn).toStrictEqual(thieves[won.indexOf(true)]);
      });

      it("forgets no frame that was counted", async () => {
        const { transportId } = await connect();
        await store.count(transportId);
        await store.steal(transportId, turnOf("thief"), undefined);
        expect((await store.transport(transportId))?.waiting).toBe(1);
        expect(await store.release(transportId, "thief", 0, false)).toBe(false);
      });

      it("is one theft when it is made twice, as by a retry of the SDK", async () => {
        const { transportId } = await accept();
        const dead = turnOf("dead", NOW - 1);
        await store.take(transportId, NOW, dead);
        await store.steal(transportId, turnOf("thief"), dead);
        expect(await store.steal(transportId, turnOf("thief"), dead)).toBe(true);
      });
    });

    describe("release", () => {
      it("lets go of the turn, its notes and the count", async () => {
        const { transportId } = await connect();
        await store.take(transportId, NOW, { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] });
        await store.count(transportId);
        expect(await store.release(transportId, "holder", 1, false)).toBe(true);
        expect(await store.transport(transportId)).toMatchObject({ turn: undefined, waiting: 0, phase: "open" });
      });

      it("is refused while a frame was counted that it has not seen", async () => {
        const { transportId } = await connect();
        await store.take(transportId, NOW, turnOf("holder"));
        await store.count(transportId);
        expect(await store.release(transportId, "holder", 0, false)).toBe(false);
        await store.count(transportId);
        expect(await store.release(transportId, "holder", 1, false)).toBe(false);
        expect(await store.transport(transportId)).toMatchObject({ turn: turnOf("holder"), waiting: 2 });
        expect(await store.release(transportId, "holder", 2, false)).toBe(true);
      });

      it("is refused to whoever does not have the turn", async () => {
        const { transportId } = await connect();
        expect(await store.release(transportId, "nobody", 0, false)).toBe(false);
        await store.take(transportId, NOW, turnOf("holder"));
        expect(await store.release(transportId, "another", 0, false)).toBe(false);
        expect((await store.transport(transportId))?.turn?.holder).toBe("holder");
      });

      it("loses no count to a race: it is seen, or the turn is found free", async () => {
        const { transportId } = await connect();
        for (let round = 0; round < 20; round++) {
          const holder = `holder ${round}`;
          await store.take(transportId, NOW, turnOf(holder));
          const [released, counted] = await Promise.all([
            store.release(transportId, holder, 0, false),
            store.count(transportId),
          ]);
          expect(counted?.turn === undefined).toBe(released);
          const state = await store.transport(transportId);
          if (!released) expect(await store.release(transportId, holder, state?.waiting ?? 0, false)).toBe(true);
          else await store.steal(transportId, turnOf(holder), undefined);
          if (released) expect(await store.release(transportId, holder, 1, false)).toBe(true);
        }
      });

      it("opens in the same step", async () => {
        const { transportId } = await accept();
        await store.take(transportId, NOW, turnOf("holder"));
        expect(await store.release(transportId, "holder", 0, true)).toBe(true);
        expect(await store.transport(transportId)).toMatchObject({ phase: "open", turn: undefined });
      });

      it("opens nothing that is to end", async () => {
        const { transportId } = await accept();
        await store.take(transportId, NOW, turnOf("holder"));
        await store.markEnd(transportId, LOST, 0);
        expect(await store.release(transportId, "holder", 0, true)).toBe(false);
        expect(await store.transport(transportId)).toMatchObject({ phase: "accepted", turn: turnOf("holder") });
      });
    });

    describe("open", () => {
      it("opens and keeps the turn", async () => {
        const { transportId } = await accept();
        await store.take(transportId, NOW, turnOf("holder"));
        await store.count(transportId);
        expect(await store.open(transportId, "holder")).toBe(true);
        expect(await store.transport(transportId)).toMatchObject({
          phase: "open",
          turn: turnOf("holder"),
          waiting: 1,
        });
      });

      it("is refused to whoever does not have the turn", async () => {
        const { transportId } = await accept();
        expect(await store.open(transportId, "nobody")).toBe(false);
        await store.take(transportId, NOW, turnOf("holder"));
        expect(await store.open(transportId, "another")).toBe(false);
        expect((await store.transport(transportId))?.phase).toBe("accepted");
      });

      it("is refused when the connection is to end, or has", async () => {
        const connection = await accept();
        const { transportId } = connection;
        await store.take(transportId, NOW, turnOf("holder"));
        await store.markEnd(transportId, LOST, 0);
        expect(await store.open(transportId, "holder")).toBe(false);
        await store.claimEnd(claimOf(connection, { from: { phase: "accepted", turn: turnOf("holder") } }));
        expect(await store.open(transportId, "holder")).toBe(false);
        expect((await store.transport(transportId))?.phase).toBe("ended");
      });

      it("is one opening when it is made twice, as by a retry of the SDK", async () => {
        const { transportId } = await accept();
        await store.take(transportId, NOW, turnOf("holder"));
        await store.open(transportId, "holder");
        expect(await store.open(transportId, "holder")).toBe(true);
      });
    });

    describe("abandon", () => {
      it("leaves the turn to the next, with nothing to answer for", async () => {
        const { transportId } = await connect();
        await store.take(transportId, NOW, { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] });
        await store.abandon(transportId, "holder");
        const left = await store.transport(transportId);
        expect(left?.turn).toStrictEqual({ holder: "holder", until: 0, invocations: [] });
        expect(await store.steal(transportId, turnOf("next"), left?.turn)).toBe(true);
      });

      it("changes nothing of another's turn", async () => {
        const { transportId } = await connect();
        await store.take(transportId, NOW, turnOf("holder"));
        await store.abandon(transportId, "another");
        expect((await store.transport(transportId))?.turn).toStrictEqual(turnOf("holder"));
      });
    });

    describe("waiting frames", () => {
      const frame = (key: string, text = "{}") => ({
        key,
        text,
        receivedAt: NOW,
        transportId: id("transport"),
        reconnected: false,
      });

      it("are seen in the order of their keys, and only by their connection", async () => {
        const { connectionId } = await connect();
        const other = await connect({ transportId: id("other"), connectionId: id("other") });
        for (const key of ["3", "1#b", "2", "1#a"]) await store.enqueue(connectionId, frame(key, `text of ${key}`));
        await store.enqueue(other.connectionId, frame("0"));
        expect(await store.waiting(connectionId)).toStrictEqual(
          ["1#a", "1#b", "2", "3"].map((key) => frame(key, `text of ${key}`)),
        );
      });

      it("are claimed by one of 50", async () => {
        const { connectionId } = await connect();
        await store.enqueue(connectionId, frame("1"));
        const claims = await Promise.all(Array.from({ length: 50 }, () => store.claimFrame(connectionId, "1")));
        expect(claims.filter(Boolean)).toHaveLength(1);
        expect(await store.waiting(connectionId)).toEqual([]);
      });

      it("are all seen when there are more than fit a page", async () => {
        const { connectionId } = await connect();
        const text = "x".repeat(30_000);
        const keys = Array.from({ length: 80 }, (_, index) => String(index).padStart(3, "0"));
        await Promise.all(keys.map((key) => store.enqueue(connectionId, frame(key, text))));
        const frames = await store.waiting(connectionId);
        expect(frames.map(({ key }) => key)).toEqual(keys);
        expect(frames.every((each) => each.text === text)).toBe(true);
      });

      it("are not taken for groups, nor groups for them", async () => {
        const connection = await connect();
        await store.enqueue(connection.connectionId, frame("G#x"));
        await store.join(memberOf(connection), HUB, "I#x");
        expect((await store.waiting(connection.connectionId)).map(({ key }) => key)).toEqual(["G#x"]);
        expect(await store.groups(connection.connectionId)).toEqual(["I#x"]);
        await end(connection);
        expect(await membersOf(groupOf("I#x"))).toEqual([]);
      });
    });

    describe("items", () => {
      it("are set, changed and deleted key by key", async () => {
        const { transportId } = await accept();
        await store.saveItems(transportId, { a: "1", b: "2", c: "3" });
        await store.saveItems(transportId, { a: undefined, b: '"two"', d: "{}" });
        expect({ ...(await store.session(transportId))?.items }).toStrictEqual({ b: '"two"', c: "3", d: "{}" });
      });

      it("of different keys do not overwrite each other", async () => {
        const { transportId } = await accept();
        const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`);
        await Promise.all(keys.map((key) => store.saveItems(transportId, { [key]: "1" })));
        expect(Object.keys((await store.session(transportId))?.items ?? {}).sort()).toEqual(keys.sort());
      });

      it("may have any key", async () => {
        const connection = await accept();
        const items: [string, string][] = HOSTILE_NAMES.map((name) => [name, JSON.stringify(name)]);
        await store.saveItems(connection.transportId, withoutPrototype(items));
        const session = await store.session(connection.transportId);
        expect(Object.entries(session?.items ?? {}).sort()).toEqual(items.sort());
        expect(session).toMatchObject({ user: connection.session.user, request: connection.session.request });
        await store.saveItems(connection.transportId, withoutPrototype(items.map(([name]) => [name, undefined])));
        expect(Object.keys((await store.session(connection.transportId))?.items ?? {})).toEqual([]);
      });

      it("may be as many as 4 KB hold, all replaced at once", async () => {
        const { transportId } = await accept();
        const many = (prefix: string) => Array.from({ length: 550 }, (_, index) => prefix + index.toString(36));
        await store.saveItems(transportId, Object.fromEntries(many("").map((key) => [key, "1"])));
        const others = many("ü").map((key): [string, string] => [key, "2"]);
        await store.saveItems(
          transportId,
          Object.fromEntries([...others, ...many("").map((key) => [key, undefined] as const)]),
        );
        expect(Object.entries((await store.session(transportId))?.items ?? {}).sort()).toEqual(others.sort());
      });

      it("bring back no session that was dropped", async () => {
        const { transportId } = await accept();
        await store.dropSession(transportId);
        await store.saveItems(transportId, { a: "1", b: undefined });
        expect(await store.session(transportId)).toBeUndefined();
      });
    });

    describe("a session", () => {
      it("keeps hostile names of claims, query and headers as names", async () => {
        const values: [string, string][] = HOSTILE_NAMES.map((name) => [name, name]);
        const request = { query: withoutPrototype(values), headers: withoutPrototype(values) };
        const user = {
          isAuthenticated: true,
          name: "__proto__",
          roles: ["constructor"],
          claims: withoutPrototype(values),
        };
        const { transportId } = await accept({ session: { userIdentifier: "__proto__", user, request, items: {} } });
        const session = await store.session(transportId);
        expect(session?.userIdentifier).toBe("__proto__");
        expect(session?.user).toMatchObject({ isAuthenticated: true, name: "__proto__", roles: ["constructor"] });
        expect(Object.entries(session?.user.claims ?? {}).sort()).toEqual(values.sort());
        expect(Object.entries(session?.request.query ?? {}).sort()).toEqual(values.sort());
        expect(Object.entries(session?.request.headers ?? {}).sort()).toEqual(values.sort());
      });
    });

    describe("membership", () => {
      it("of hub and user begins with enter", async () => {
        const connection = await accept({ userIdentifier: id("ada") });
        expect(await store.enter(memberOf(connection), HUB, id("ada"))).toBe(true);
        expect(await store.member(connection.connectionId, HUB)).toStrictEqual(memberOf(connection));
        expect(await store.member(connection.connectionId, "another")).toBeUndefined();
        expect(await membersOf(userOf(id("ada")))).toStrictEqual([memberOf(connection)]);
        expect(await membersOf({ kind: "hub", hub: HUB })).toContainEqual(memberOf(connection));
      });

      it("is in the hub alone for a connection without a user", async () => {
        const connection = await connect();
        expect(await store.member(connection.connectionId, HUB)).toStrictEqual(memberOf(connection));
        expect(await membersOf(userOf("undefined"))).toEqual([]);
      });

      it("of a group lasts from join to leave, however often they are said", async () => {
        const connection = await connect();
        const group = id("group");
        expect(await store.join(memberOf(connection), HUB, group)).toBe(true);
        expect(await store.join(memberOf(connection), HUB, group)).toBe(true);
        expect(await membersOf(groupOf(group))).toStrictEqual([memberOf(connection)]);
        expect(await store.groups(connection.connectionId)).toStrictEqual([group]);
        await store.leave(connection.connectionId, HUB, group);
        await store.leave(connection.connectionId, HUB, group);
        expect(await membersOf(groupOf(group))).toEqual([]);
        expect(await store.groups(connection.connectionId)).toEqual([]);
      });

      it("is per hub", async () => {
        const connection = await connect();
        await store.join(memberOf(connection), HUB, id("group"));
        expect(await membersOf({ kind: "group", hub: "another", group: id("group") })).toEqual([]);
      });

      it("is refused to a connection that has ended or never was, and leaves nothing of it", async () => {
        const connection = await connect();
        await end(connection);
        const before = await opened.rows();
        const never = { connectionId: id("never"), transportId: id("never") };
        for (const member of [memberOf(connection), never]) {
          expect(await store.join(member, HUB, id("group"))).toBe(false);
          expect(await store.enter(member, HUB, id("ada"))).toBe(false);
        }
        expect(await opened.rows()).toEqual(before);
      });

      it("takes any name for a group", async () => {
        const connection = await connect();
        for (const name of HOSTILE_NAMES) expect(await store.join(memberOf(connection), HUB, name)).toBe(true);
        expect(await store.groups(connection.connectionId)).toEqual([...HOSTILE_NAMES].sort(compareBytes));
        for (const name of HOSTILE_NAMES) expect(await membersOf(groupOf(name))).toStrictEqual([memberOf(connection)]);
        expect(await store.connection(connection.connectionId)).toMatchObject({ ended: false });
        await end(connection);
        for (const name of HOSTILE_NAMES) expect(await membersOf(groupOf(name))).toEqual([]);
      });

      it("takes any name for a user", async () => {
        const connections = HOSTILE_NAMES.map((user, index) =>
          newConnection({ transportId: id(`t${index}`), connectionId: id(`c${index}`), userIdentifier: user }),
        );
        for (const connection of connections) await connect({ ...connection });
        for (const connection of connections) {
          const { userIdentifier = "" } = connection.session;
          expect(await membersOf(userOf(userIdentifier))).toStrictEqual([memberOf(connection)]);
          expect((await store.connection(connection.connectionId))?.userIdentifier).toBe(userIdentifier);
        }
        for (const connection of connections) await end(connection);
        for (const user of HOSTILE_NAMES) expect(await membersOf(userOf(user))).toEqual([]);
      });

      it("is forgotten only while it names the transport that was found gone", async () => {
        const connection = await connect();
        const group = groupOf(id("group"));
        await store.join(memberOf(connection), HUB, id("group"));
        await store.forget(group, { ...memberOf(connection), transportId: "another" });
        expect(await membersOf(group)).toHaveLength(1);
        await store.forget(group, memberOf(connection));
        expect(await membersOf(group)).toEqual([]);
        await store.forget(group, memberOf(connection));
        expect(await membersOf(group)).toEqual([]);
      });
    });

    describe("markEnd", () => {
      it("asks the next sweep to end it, and refuses every further frame", async () => {
        const { transportId } = await connect();
        const marked = await store.markEnd(transportId, STOPPED, 0);
        expect(marked).toMatchObject({ phase: "open", deadline: 0, end: STOPPED });
        expect(await store.touch(transportId, NOW + 30_000)).toBeUndefined();
        expect(await store.take(transportId, NOW + 30_000, turnOf("holder"))).toBeUndefined();
        expect(await store.count(transportId)).toBeUndefined();
        expect(await store.steal(transportId, turnOf("thief"), undefined)).toBe(false);
        expect(await store.transport(transportId)).toStrictEqual(marked);
      });

      it("keeps the first of 50 reasons", async () => {
        const { transportId } = await connect();
        const reasons = Array.from({ length: 50 }, (_, index): EndReason => ({ ...LOST, message: String(index) }));
        const marks = await Promise.all(reasons.map((reason) => store.markEnd(transportId, reason, 0)));
        const [winner, ...others] = marks.filter((mark) => mark !== undefined);
        expect(others).toEqual([]);
        expect((await store.transport(transportId))?.end).toStrictEqual(winner?.end);
      });

      it("lets the holder of the turn finish", async () => {
        const { transportId } = await connect();
        await store.take(transportId, NOW, turnOf("holder"));
        await store.markEnd(transportId, LOST, 0);
        expect(await store.release(transportId, "holder", 0, false)).toBe(true);
      });
    });

    describe("markLost", () => {
      it("asks the next sweep to end it, unless a frame proves otherwise", async () => {
        const { transportId } = await connect();
        await store.markLost(transportId);
        expect(await store.transport(transportId)).toMatchObject({ deadline: 0, end: undefined });
        expect(await store.touch(transportId, NOW + 30_000)).toMatchObject({ deadline: NOW + 30_000 });
      });

      it("takes no lease from the one who ends it", async () => {
        const connection = await connect();
        const claimed = await store.claimEnd(claimOf(connection));
        await store.markLost(connection.transportId);
        expect(await store.transport(connection.transportId)).toStrictEqual(claimed);
      });
    });

    describe("claimEnd", () => {
      it("has one winner among 50", async () => {
        const connection = await connect();
        const claims = Array.from({ length: 50 }, (_, index) => claimOf(connection, { ender: `ender ${index}` }));
        const states = await Promise.all(claims.map((claim) => store.claimEnd(claim)));
        const winners = states.filter((state) => state !== undefined);
        expect(winners).toHaveLength(1);
        expect(winners[0]).toMatchObject({ phase: "ended", deadline: NOW + 35_000, end: LOST });
        expect(await store.transport(connection.transportId)).toStrictEqual(winners[0]);
      });

      it("is one claim when it is made twice, as by a retry of the SDK", async () => {
        const connection = await connect();
        const claimed = await store.claimEnd(claimOf(connection));
        expect(await store.claimEnd(claimOf(connection))).toStrictEqual(claimed);
      });

      it("refuses frames from then on", async () => {
        const connection = await connect();
        const { transportId } = connection;
        const claimed = await store.claimEnd(claimOf(connection));
        expect(await store.touch(transportId, NOW)).toBeUndefined();
        expect(await store.take(transportId, NOW, turnOf("holder"))).toBeUndefined();
        expect(await store.count(transportId)).toBeUndefined();
        expect(await store.steal(transportId, turnOf("thief"), undefined)).toBe(false);
        expect(await store.markEnd(transportId, STOPPED, 0)).toBeUndefined();
        expect(await store.transport(transportId)).toStrictEqual(claimed);
      });

      const dead = turnOf("dead", NOW - 1);
      it.each<[string, (connection: NewConnection) => Promise<unknown>, EndClaim["from"], boolean]>([
        ["open, when it is", async () => {}, { phase: "open" }, true],
        ["open with the deadline that was read", async () => {}, { phase: "open", deadline: NOW + 30_000 }, true],
        ["open with a deadline that has moved", async () => {}, { phase: "open", deadline: NOW + 29_999 }, false],
        ["accepted, when it is open", async () => {}, { phase: "accepted", turn: undefined }, false],
        [
          "accepted, by the opener that has let go",
          async () => {},
          { phase: "accepted", turn: turnOf("opener") },
          false,
        ],
        ["ended, when it is open", async () => {}, { phase: "ended", ender: undefined, deadline: NOW + 30_000 }, false],
        [
          "open, when somebody has the turn",
          ({ transportId }) => store.take(transportId, NOW, turnOf("holder")),
          { phase: "open" },
          true,
        ],
        [
          "open, when it is marked",
          ({ transportId }) => store.markEnd(transportId, STOPPED, 0),
          { phase: "open" },
          true,
        ],
        [
          "ended, with the ender's lease that was read",
          (connection) => store.claimEnd(claimOf(connection, { ender: "first", until: NOW - 1 })),
          { phase: "ended", ender: "first", deadline: NOW - 1 },
          true,
        ],
        [
          "ended, with another's lease",
          (connection) => store.claimEnd(claimOf(connection, { ender: "first", until: NOW - 1 })),
          { phase: "ended", ender: "another", deadline: NOW - 1 },
          false,
        ],
        [
          "ended, with a lease that was renewed",
          (connection) => store.claimEnd(claimOf(connection, { ender: "first", until: NOW })),
          { phase: "ended", ender: "first", deadline: NOW - 1 },
          false,
        ],
      ])("claims from %s", async (_title, before, from, claimed) => {
        const connection = await connect();
        await before(connection);
        expect((await store.claimEnd(claimOf(connection, { from }))) !== undefined).toBe(claimed);
      });

      it.each<[string, Turn | undefined, EndClaim["from"], boolean]>([
        ["without a turn, when nobody came", undefined, { phase: "accepted", turn: undefined }, true],
        ["without a turn, when one was taken", dead, { phase: "accepted", turn: undefined }, false],
        ["with the turn that was read", dead, { phase: "accepted", turn: dead }, true],
        ["with a turn of another time", dead, { phase: "accepted", turn: turnOf("dead", NOW) }, false],
        ["with another's turn", dead, { phase: "accepted", turn: turnOf("another", NOW - 1) }, false],
        ["as open", dead, { phase: "open" }, false],
      ])("claims from accepted %s", async (_title, turn, from, claimed) => {
        const connection = await accept();
        if (turn !== undefined) await store.take(connection.transportId, NOW, turn);
        expect((await store.claimEnd(claimOf(connection, { from }))) !== undefined).toBe(claimed);
      });

      it("keeps the reason that was marked, unless its own is silent", async () => {
        const marked = await connect();
        await store.markEnd(marked.transportId, STOPPED, 0);
        expect((await store.claimEnd(claimOf(marked)))?.end).toStrictEqual(STOPPED);

        const failed = await accept({ transportId: id("failed"), connectionId: id("failed") });
        await store.markEnd(failed.transportId, STOPPED, 0);
        const claim = claimOf(failed, { from: { phase: "accepted", turn: undefined }, reason: FAILED });
        expect((await store.claimEnd(claim))?.end).toStrictEqual(FAILED);
      });

      it("lets one of 50 finish for an ender whose lease has run out", async () => {
        const connection = await connect();
        await store.claimEnd(claimOf(connection, { ender: "first", until: NOW - 1 }));
        const from = { phase: "ended", ender: "first", deadline: NOW - 1 } as const;
        const claims = Array.from({ length: 50 }, (_, index) => claimOf(connection, { from, ender: `next ${index}` }));
        const states = await Promise.all(claims.map((claim) => store.claimEnd(claim)));
        expect(states.filter((state) => state !== undefined)).toHaveLength(1);
      });
    });

    /** Open, with a resume key of its own. */
    const connectResumable = (changes: Parameters<typeof newConnection>[0] = {}) =>
      connect({ resumeKey: id("key"), ...changes });

    async function freeze({ transportId }: NewConnection, next = id("next")): Promise<TransportState> {
      const frozen = await store.freeze(transportId, next, NOW + 35_000);
      if (frozen === undefined) throw new Error("It can not be frozen.");
      return frozen;
    }

    async function takeOver(connection: NewConnection, next = id("next")): Promise<TransportState> {
      expect(await store.takeOver(takeoverOf(await freeze(connection, next), next))).toBe(true);
      const taken = await store.transport(next);
      if (taken === undefined) throw new Error("Nothing has taken over.");
      return taken;
    }

    describe("a resume key", () => {
      it("names the connection that was opened with it, until it is cleared", async () => {
        const connection = await connectResumable();
        expect(await store.connectionOfKey(id("key"))).toBe(connection.connectionId);
        expect(await store.connection(connection.connectionId)).toMatchObject({ resumeKey: id("key"), outbox: EMPTY });
        expect(await store.transport(connection.transportId)).toMatchObject({ resumable: true, lost: false });
        await end(connection);
        expect(await store.connectionOfKey(id("key"))).toBeUndefined();
      });

      it("names the last of two connections, and the end of the first leaves it alone", async () => {
        const first = await connectResumable();
        const second = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
        await end(first);
        expect(await store.connectionOfKey(id("key"))).toBe(second.connectionId);
        await end(second, "another");
        expect(await store.connectionOfKey(id("key"))).toBeUndefined();
      });

      it("is not written by a connection id that is taken", async () => {
        await connect();
        expect(await store.accept(newConnection({ transportId: id("second"), resumeKey: id("key") }))).toBe("taken");
        expect(await store.connectionOfKey(id("key"))).toBeUndefined();
      });

      it.each(HOSTILE_NAMES)("may have any name: %j", async (name) => {
        const resumeKey = `${id("")}${name}`;
        const connection = await connectResumable({ resumeKey });
        expect(await store.connectionOfKey(resumeKey)).toBe(connection.connectionId);
        await end(connection);
        expect(await store.connectionOfKey(resumeKey)).toBeUndefined();
      });
    });

    describe("freeze", () => {
      it("stops a transport in favour of the next", async () => {
        const connection = await connectResumable();
        const before = await store.transport(connection.transportId);
        const frozen = await freeze(connection);
        expect(frozen).toStrictEqual({
          ...before,
          next: id("next"),
          deadline: NOW + 35_000,
          previousDeadline: frozen.previousDeadline,
        });
        expect(await store.transport(connection.transportId)).toStrictEqual(frozen);
      });

      it("has one winner among 50", async () => {
        const { transportId } = await connectResumable();
        const nexts = Array.from({ length: 50 }, (_, index) => id(`next ${index}`));
        const states = await Promise.all(nexts.map((next) => store.freeze(transportId, next, NOW + 35_000)));
        expect(states.filter((state) => state !== undefined)).toHaveLength(1);
        const winner = nexts[states.findIndex((state) => state !== undefined)];
        expect((await store.transport(transportId))?.next).toBe(winner);
      });

      it("is one freeze when it is made twice, as by a retry of the SDK", async () => {
        const connection = await connectResumable();
        expect(await freeze(connection)).toMatchObject({ next: id("next") });
        expect(await freeze(connection)).toMatchObject({ next: id("next") });
      });

      it.each<[string, () => Promise<NewConnection>]>([
        ["has no resume key", () => connect()],
        ["is not open yet", () => accept({ resumeKey: id("key") })],
        [
          "is to end",
          async () => {
            const connection = await connectResumable();
            await store.markEnd(connection.transportId, LOST, 0);
            return connection;
          },
        ],
        [
          "has ended",
          async () => {
            const connection = await connectResumable();
            await store.claimEnd(claimOf(connection));
            return connection;
          },
        ],
      ])("is refused when the connection %s", async (_title, open) => {
        const connection = await open();
        const before = await store.transport(connection.transportId);
        expect(await store.freeze(connection.transportId, id("next"), NOW + 35_000)).toBeUndefined();
        expect(await store.transport(connection.transportId)).toStrictEqual(before);
      });

      it("makes every verb refuse the transport, whoever has the turn", async () => {
        const connection = await connectResumable();
        const { transportId } = connection;
        const holder = turnOf("holder");
        await store.take(transportId, NOW + 30_000, holder);
        await store.count(transportId);
        const frozen = await freeze(connection);
        expect(await store.touch(transportId, NOW + 40_000)).toBeUndefined();
        expect(await store.take(transportId, NOW + 40_000, turnOf("next"))).toBeUndefined();
        expect(await store.count(transportId)).toBeUndefined();
        expect(await store.steal(transportId, turnOf("thief"), holder)).toBe(false);
        expect(await store.release(transportId, "holder", 1, false)).toBe(false);
        expect(await store.release(transportId, "holder", 1, true)).toBe(false);
        expect(await store.open(transportId, "holder")).toBe(false);
        expect(await store.reopen(transportId)).toBeUndefined();
        expect(await store.lose(transportId, NOW)).toBeUndefined();
        await store.yieldTurn(transportId, "holder");
        await store.markLost(transportId);
        expect(await store.markEnd(transportId, STOPPED, 0)).toBeUndefined();
        expect(await store.claimEnd(claimOf(connection))).toBeUndefined();
        expect(await store.freeze(transportId, id("another"), NOW)).toBeUndefined();
        expect(await store.transport(transportId)).toStrictEqual(frozen);
      });

      it("loses no count to a race: it goes along, or is refused", async () => {
        for (let round = 0; round < 10; round++) {
          const { transportId } = await connectResumable({
            transportId: id(`t${round}`),
            connectionId: id(`c${round}`),
          });
          const [frozen, ...counts] = await Promise.all([
            store.freeze(transportId, id(`n${round}`), NOW + 35_000),
            ...Array.from({ length: 5 }, () => store.count(transportId)),
          ]);
          expect(frozen?.waiting).toBe(counts.filter((state) => state !== undefined).length);
        }
      });

      it("lets one of freeze and claimEnd win", async () => {
        for (let round = 0; round < 10; round++) {
          const connection = await connectResumable({ transportId: id(`t${round}`), connectionId: id(`c${round}`) });
          const [frozen, claimed] = await Promise.all([
            store.freeze(connection.transportId, id(`n${round}`), NOW + 35_000),
            store.claimEnd(claimOf(connection)),
          ]);
          expect([frozen, claimed].filter((state) => state !== undefined)).toHaveLength(1);
        }
      });
    });

    describe("thaw", () => {
      it("takes back its own freeze, not another's", async () => {
        const connection = await connectResumable();
        const frozen = await freeze(connection);
        await store.thaw(connection.transportId, id("another"));
        expect(await store.transport(connection.transportId)).toStrictEqual(frozen);
        await store.thaw(connection.transportId, id("next"));
        expect(await store.transport(connection.transportId)).toStrictEqual({ ...frozen, next: undefined });
        expect(await store.touch(connection.transportId, NOW + 40_000)).toBeDefined();
      });
    });

    describe("takeOver", () => {
      it("brings a transport that waits for its handshake, with the turn and the count of the one before", async () => {
        const connection = await connectResumable();
        const { transportId, connectionId } = connection;
        await store.take(transportId, NOW, { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] });
        await store.count(transportId);
        const taken = await takeOver(connection);
        expect(taken).toStrictEqual({
          ...taken,
          transportId: id("next"),
          connectionId,
          hub: HUB,
          phase: "open",
          deadline: NOW + 15_000,
          rotateAt: NOW + 6_600_000,
          turn: turnOf("holder"),
          waiting: 1,
          resumable: true,
          resuming: true,
          lost: false,
          next: undefined,
          end: undefined,
        });
        expect(await store.connection(connectionId)).toMatchObject({
          transportId: id("next"),
          outbox: { last: 0, sent: 0, flusher: id("next"), flushingSince: NOW },
        });
      });

      it("takes the session over: who it is now, and the items as they were", async () => {
        const connection = await connectResumable();
        await store.saveItems(connection.transportId, { a: "1", b: "2" });
        const session = { ...sessionOf({ userIdentifier: "ada" }), request: { query: { room: "2" }, headers: {} } };
        const from = await freeze(connection);
        await store.takeOver({ ...takeoverOf(from, id("next")), session });
        expect(await store.session(id("next"))).toEqual({ ...session, items: { a: "1", b: "2" } });
        expect(await store.session(connection.transportId)).toBeUndefined();
        expect(await store.saveItems(connection.transportId, { c: "3" })).toBe(false);
      });

      it("is one when it is made twice, as by a retry", async () => {
        const connection = await connectResumable();
        const from = await freeze(connection);
        expect(await store.takeOver(takeoverOf(from, id("next")))).toBe(true);
        expect(await store.connection(connection.connectionId)).toMatchObject({ transportId: id("next") });
      });

      it("can go on from one transport to the next", async () => {
        const connection = await connectResumable();
        await takeOver(connection);
        const second = { ...connection, transportId: id("next") };
        await takeOver(second, id("third"));
        expect((await store.connection(connection.connectionId))?.transportId).toBe(id("third"));
        expect((await store.transport(id("next")))?.next).toBe(id("third"));
      });

      it("leaves nothing behind when the connection has ended or moved", async () => {
        const connection = await connectResumable();
        const from = await freeze(connection);
        const before = await opened.rows();
        await store.bury(connection.connectionId, NOW + 60_000);
        expect(await store.takeOver(takeoverOf(from, id("next")))).toBe(false);
        expect(await opened.rows()).toEqual(before);
        const moved = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
        await takeOver(moved, id("n2"));
        const rows = await opened.rows();
        const stale = { ...frozenOf(id("c2")), transportId: id("t2 before") };
        expect(await store.takeOver(takeoverOf(stale, id("n3")))).toBe(false);
        expect(await opened.rows()).toEqual(rows);
      });

      it("leaves nothing behind of a race with bury", { timeout: 60_000 }, async () => {
        for (let round = 0; round < 20; round++) {
          const before = (await opened.rows()).length;
          const connection = await connectResumable({
            transportId: id(`t${round}`),
            connectionId: id(`c${round}`),
            resumeKey: id(`k${round}`),
          });
          const next = id(`n${round}`);
          const from = await freeze(connection, next);
          const [taken, buried] = await Promise.all([
            store.takeOver(takeoverOf(from, next)),
            store.bury(connection.connectionId, NOW + 60_000),
          ]);
          if (buried === undefined) throw new Error("It is not buried.");
          expect((await store.transport(next)) !== undefined).toBe(taken);
          expect((await store.session(next)) !== undefined).toBe(taken);
          await store.clear(buried);
          await store.dropReplaced(connection.transportId);
          if (taken) await store.dropUnused(next);
          expect(await opened.rows()).toHaveLength(before + 1);
        }
      });

      it("loses no item that is written meanwhile", { timeout: 60_000 }, async () => {
        for (let round = 0; round < 20; round++) {
          const connection = await connectResumable({ transportId: id(`t${round}`), connectionId: id(`c${round}`) });
          await store.saveItems(connection.transportId, { old: "1", gone: "1" });
          const next = id(`n${round}`);
          const from = await freeze(connection, next);
          // As a caller does: to the transport it knows, then to the next.
          const save = async (changes: Record<string, string | undefined>): Promise<void> => {
            if (!(await store.saveItems(connection.transportId, changes))) await store.saveItems(next, changes);
          };
          const saves = async (): Promise<void> => {
            for (let index = 0; index < 10; index++) await save({ [`key ${index}`]: "1" });
            await save({ gone: undefined });
          };
          await Promise.all([store.takeOver(takeoverOf(from, next)), saves()]);
          const items = (await store.session(next))?.items ?? {};
          expect(Object.keys(items).sort()).toEqual(
            ["old", ...Array.from({ length: 10 }, (_, i) => `key ${i}`)].sort(),
          );
        }
      });
    });

    describe("reopen", () => {
      it("dispatches again, once", async () => {
        await takeOver(await connectResumable());
        const states = await Promise.all(Array.from({ length: 50 }, () => store.reopen(id("next"))));
        const winners = states.filter((state) => state !== undefined);
        expect(winners).toHaveLength(1);
        expect(winners[0]).toMatchObject({ resuming: false, phase: "open" });
      });

      it("is refused to a transport that nobody resumed, and to one that is to end, was lost, or taken over", async () => {
        const connection = await connectResumable();
        expect(await store.reopen(connection.transportId)).toBeUndefined();
        await takeOver(connection);
        await store.lose(id("next"), NOW + 30_000);
        expect(await store.reopen(id("next"))).toBeUndefined();
        await store.touch(id("next"), NOW + 30_000);
        await takeOver({ ...connection, transportId: id("next") }, id("third"));
        expect(await store.reopen(id("next"))).toBeUndefined();
        await store.markEnd(id("third"), LOST, 0);
        expect(await store.reopen(id("third"))).toBeUndefined();
      });
    });

    describe("lose", () => {
      it("says so to one of 50, and gives the client its time", async () => {
        const { transportId } = await connectResumable();
        const states = await Promise.all(Array.from({ length: 50 }, () => store.lose(transportId, NOW + 60_000)));
        const winners = states.filter((state) => state !== undefined);
        expect(winners).toHaveLength(1);
        expect(winners[0]).toMatchObject({ lost: true, deadline: NOW + 60_000 });
        expect(await store.transport(transportId)).toStrictEqual(winners[0]);
      });

      it.each<[string, (transportId: string) => Promise<TransportState | undefined>]>([
        ["a frame that passes the turn", (transportId) => store.touch(transportId, NOW + 30_000)],
        ["a frame that takes it", (transportId) => store.take(transportId, NOW + 30_000, turnOf("holder"))],
      ])("is taken back by %s", async (_title, arrive) => {
        const { transportId } = await connectResumable();
        await store.lose(transportId, NOW + 60_000);
        expect(await arrive(transportId)).toMatchObject({ lost: false, deadline: NOW + 30_000 });
        expect(await store.lose(transportId, NOW + 60_000)).toBeDefined();
      });

      it("is refused before it is open, and when it is to end", async () => {
        const { transportId } = await accept({ resumeKey: id("key") });
        expect(await store.lose(transportId, NOW)).toBeUndefined();
        const open = await connectResumable({ transportId: id("open"), connectionId: id("open") });
        await store.markEnd(open.transportId, LOST, 0);
        expect(await store.lose(open.transportId, NOW)).toBeUndefined();
      });

      it("does not keep its client from coming back", async () => {
        const connection = await connectResumable();
        await store.lose(connection.transportId, NOW + 60_000);
        expect(await takeOver(connection)).toMatchObject({ lost: false, resuming: true });
      });
    });

    describe("what a resume leaves", () => {
      it("is removed: a transport nobody took up, with its session, but none that was", async () => {
        await takeOver(await connectResumable());
        await store.reopen(id("next"));
        await store.dropUnused(id("next"));
        expect(await store.transport(id("next"))).toBeDefined();
        const other = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
        await takeOver(other, id("n2"));
        await store.dropUnused(id("n2"));
        expect(await store.transport(id("n2"))).toBeUndefined();
        expect(await store.session(id("n2"))).toBeUndefined();
      });

      it("is removed: a transport that was taken over, with a session that was left, but none that was not", async () => {
        const connection = await connectResumable();
        await freeze(connection);
        await store.dropReplaced(connection.transportId);
        expect(await store.transport(connection.transportId)).toBeUndefined();
        expect(await store.session(connection.transportId)).toBeUndefined();
        const other = await connect({ transportId: id("t2"), connectionId: id("c2") });
        await store.dropReplaced(other.transportId);
        expect(await store.transport(other.transportId)).toBeDefined();
      });
    });

    describe("yieldTurn", () => {
      it("gives up its own turn while the handshake is owed, and keeps the count", async () => {
        const connection = await connectResumable();
        await store.take(connection.transportId, NOW, turnOf("holder"));
        await store.count(connection.transportId);
        await takeOver(connection);
        await store.yieldTurn(id("next"), "another");
        expect((await store.transport(id("next")))?.turn?.holder).toBe("holder");
        await store.yieldTurn(id("next"), "holder");
        expect(await store.transport(id("next"))).toMatchObject({ turn: undefined, waiting: 1 });
      });

      it("is refused once the handshake has come, which may rely on the holder", async () => {
        const connection = await connectResumable();
        await store.take(connection.transportId, NOW, turnOf("holder"));
        await takeOver(connection);
        await store.reopen(id("next"));
        await store.yieldTurn(id("next"), "holder");
        expect((await store.transport(id("next")))?.turn?.holder).toBe("holder");
      });
    });

    describe("redirect", () => {
      it("corrects a hint that is as it was read", async () => {
        const connection = await connect();
        await store.join(memberOf(connection), HUB, id("group"));
        const group = groupOf(id("group"));
        await store.redirect(group, { ...memberOf(connection), transportId: "another" }, id("next"));
        expect(await membersOf(group)).toStrictEqual([memberOf(connection)]);
        await store.redirect(group, memberOf(connection), id("next"));
        expect(await membersOf(group)).toStrictEqual([{ ...memberOf(connection), transportId: id("next") }]);
        await store.leave(connection.connectionId, HUB, id("group"));
        await store.redirect(group, { ...memberOf(connection), transportId: id("next") }, id("third"));
        expect(await membersOf(group)).toEqual([]);
      });
    });

    describe("the outbox", () => {
      const LIMIT = 100_000;
      const next = (connectionId: string, flusher: string, bytes = 10) =>
        store.nextNumber(connectionId, flusher, NOW, bytes, LIMIT);

      it("gives out numbers from 1, and makes the first sender the flusher", async () => {
        const { connectionId } = await connectResumable();
        expect(await next(connectionId, "first")).toMatchObject({
          connectionId,
          outbox: { last: 1, sent: 0, flusher: "first", flushingSince: NOW },
        });
        expect(await store.nextNumber(connectionId, "second", NOW + 1, 10, LIMIT)).toMatchObject({
          outbox: { last: 2, sent: 0, flusher: "first", flushingSince: NOW },
        });
      });

      it("gives each of 50 a number of its own, and all of them one flusher", async () => {
        const { connectionId } = await connectResumable();
        const heads = await Promise.all(
          Array.from({ length: 50 }, (_, index) => next(connectionId, `sender ${index}`)),
        );
        const outboxes = heads.map((head) => (typeof head === "object" ? head.outbox : undefined));
        expect(outboxes.map((outbox) => outbox?.last).sort((a = 0, b = 0) => a - b)).toEqual(
          Array.from({ length: 50 }, (_, index) => index + 1),
        );
        expect(new Set(outboxes.map((outbox) => outbox?.flusher)).size).toBe(1);
      });

      it("is full when as many bytes wait as it holds, and has room again when all is sent", async () => {
        const { connectionId } = await connectResumable();
        await next(connectionId, "first", LIMIT - 1);
        await next(connectionId, "second", LIMIT);
        expect(await next(connectionId, "third")).toBe("full");
        expect(await store.finishFlush(connectionId, "first", 2)).toBe(true);
        expect(await next(connectionId, "third")).toMatchObject({ outbox: { last: 3, sent: 2, flusher: "third" } });
      });

      it("gives no number of a connection that has ended", async () => {
        const connection = await connectResumable();
        await store.bury(connection.connectionId, NOW + 60_000);
        expect(await next(connection.connectionId, "first")).toBeUndefined();
        const { transportId, connectionId } = connection;
        expect(await store.startFlush(connectionId, transportId, "first", undefined, NOW)).toBeUndefined();
      });

      it("keeps messages in the order of their numbers, and only behind the one that was asked for", async () => {
        const { connectionId } = await connectResumable();
        const other = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
        for (const number of [10, 2, 9, 1]) {
          expect(await store.putMessage(connectionId, { number, record: `message ${number}` }, NOW)).toBe(true);
        }
        await store.putMessage(other.connectionId, { number: 3, record: "another's" }, NOW);
        expect(await store.queued(connectionId, 1)).toStrictEqual(
          [2, 9, 10].map((number) => ({ number, record: `message ${number}` })),
        );
        await store.dropMessage(connectionId, 9);
        await store.dropMessage(connectionId, 9);
        expect((await store.queued(connectionId, 0)).map(({ number }) => number)).toEqual([1, 2, 10]);
      });

      it("keeps more than fits a page", async () => {
        const { connectionId } = await connectResumable();
        const record = "x".repeat(120_000);
        const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
        await Promise.all(numbers.map((number) => store.putMessage(connectionId, { number, record }, NOW)));
        const messages = await store.queued(connectionId, 0);
        expect(messages.map(({ number }) => number)).toEqual(numbers);
        expect(messages.every((message) => message.record === record)).toBe(true);
      });

      it("refuses a message over a hole that was filled", async () => {
        const { connectionId } = await connectResumable();
        expect(await store.putMessage(connectionId, { number: 1, record: undefined }, NOW)).toBe(true);
        expect(await store.putMessage(connectionId, { number: 1, record: "late" }, NOW)).toBe(false);
        expect(await store.queued(connectionId, 0)).toStrictEqual([{ number: 1, record: undefined }]);
      });

      it("lets one of a message and the filler of its hole win", async () => {
        const { connectionId } = await connectResumable();
        for (let number = 1; number <= 20; number++) {
          const won = await Promise.all([
            store.putMessage(connectionId, { number, record: undefined }, NOW),
            store.putMessage(connectionId, { number, record: "message" }, NOW),
          ]);
          expect(won.filter(Boolean)).toHaveLength(1);
          const [message] = await store.queued(connectionId, number - 1);
          expect(message).toStrictEqual({ number, record: won[1] ? "message" : undefined });
        }
      });

      it("is not left by a flusher while numbers were given out, nor by anybody else", async () => {
        const { connectionId } = await connectResumable();
        await next(connectionId, "first");
        await next(connectionId, "second");
        expect(await store.finishFlush(connectionId, "first", 1)).toBe(false);
        expect(await store.finishFlush(connectionId, "second", 2)).toBe(false);
        expect((await store.connection(connectionId))?.outbox.flusher).toBe("first");
        expect(await store.finishFlush(connectionId, "first", 2)).toBe(true);
        expect((await store.connection(connectionId))?.outbox).toStrictEqual({ ...EMPTY, last: 2, sent: 2 });
      });

      it("has no message that nobody posts: a number is seen by the flusher, or makes one", async () => {
        const { connectionId } = await connectResumable();
        for (let number = 1; number <= 20; number++) {
          const flusher = `flusher ${number}`;
          const head = await store.connection(connectionId);
          await next(connectionId, flusher);
          const known = head?.outbox.last ?? 0;
          const [finished, late] = await Promise.all([
            store.finishFlush(connectionId, flusher, known + 1),
            next(connectionId, "late"),
          ]);
          const outbox = typeof late === "object" ? late.outbox : undefined;
          expect(outbox?.flusher).toBe(finished ? "late" : flusher);
          expect(await store.finishFlush(connectionId, outbox?.flusher ?? "", outbox?.last ?? 0)).toBe(true);
        }
      });

      it("can be finished when nothing was ever sent", async () => {
        const { connectionId, transportId } = await connectResumable();
        await store.startFlush(connectionId, transportId, "flusher", undefined, NOW);
        expect(await store.finishFlush(connectionId, "flusher", 1)).toBe(false);
        expect(await store.finishFlush(connectionId, "flusher", 0)).toBe(true);
      });

      it("has one of 50 flushers in place of the one that was seen, and only for the transport it has", async () => {
        const { connectionId, transportId } = await connectResumable();
        await next(connectionId, "dead");
        expect(await store.startFlush(connectionId, "another", "late", "dead", NOW)).toBeUndefined();
        expect(await store.startFlush(connectionId, transportId, "late", undefined, NOW)).toBeUndefined();
        expect(await store.startFlush(connectionId, transportId, "late", "unseen", NOW)).toBeUndefined();
        const heads = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            store.startFlush(connectionId, transportId, `flusher ${index}`, "dead", NOW + 1),
          ),
        );
        const [winner, ...others] = heads.filter((head) => head !== undefined);
        expect(others).toEqual([]);
        expect(winner?.outbox.flushingSince).toBe(NOW + 1);
        expect((await store.connection(connectionId))?.outbox).toStrictEqual(winner?.outbox);
      });

      it("is stopped by its flusher alone, and forgets nothing then", async () => {
        const { connectionId } = await connectResumable();
        await next(connectionId, "first");
        await store.putMessage(connectionId, { number: 1, record: "message" }, NOW);
        await store.stopFlush(connectionId, "another");
        expect((await store.connection(connectionId))?.outbox.flusher).toBe("first");
        await store.stopFlush(connectionId, "first");
        expect((await store.connection(connectionId))?.outbox).toStrictEqual({ ...EMPTY, last: 1 });
        expect(await store.queued(connectionId, 0)).toHaveLength(1);
        expect(await next(connectionId, "second")).toMatchObject({ outbox: { last: 2, sent: 0, flusher: "second" } });
      });

      it("waits for the handshake of a transport that takes over", async () => {
        const connection = await connectResumable();
        const { connectionId } = connection;
        await next(connectionId, "first");
        await takeOver(connection);
        expect(await store.finishFlush(connectionId, "first", 1)).toBe(false);
        await store.stopFlush(connectionId, "first");
        expect(await next(connectionId, "second")).toMatchObject({ outbox: { last: 2, flusher: id("next") } });
        expect(await store.startFlush(connectionId, id("next"), "new", id("next"), NOW)).toMatchObject({
          outbox: { last: 2, sent: 0, flusher: "new" },
        });
      });

      it("goes with the connection", async () => {
        const before = (await opened.rows()).length;
        const connection = await connectResumable();
        for (let number = 1; number <= 3; number++) {
          await next(connection.connectionId, "sender");
          await store.putMessage(connection.connectionId, { number, record: "message" }, NOW);
        }
        await end(connection);
        expect(await opened.rows()).toHaveLength(before + 1);
        expect(await store.queued(connection.connectionId, 0)).toEqual([]);
        expect(await store.finishFlush(connection.connectionId, "sender", 2)).toBe(false);
      });
    });

    describe("an ending", () => {
      it("leaves the tombstone alone", async () => {
        const before = await opened.rows();
        const connection = await connect({ userIdentifier: id("ada") });
        await store.join(memberOf(connection), HUB, id("group"));
        await store.enqueue(connection.connectionId, frameOf(connection));
        await end(connection);
        expect(await opened.rows()).toHaveLength(before.length + 1);
        expect(await store.connection(connection.connectionId)).toStrictEqual({
          connectionId: connection.connectionId,
          hub: HUB,
          transportId: connection.transportId,
          userIdentifier: id("ada"),
          ended: true,
          resumeKey: undefined,
          outbox: EMPTY,
        });
      });

      it("can be done twice over", async () => {
        const connection = await connect({ userIdentifier: id("ada") });
        await end(connection);
        const after = await opened.rows();
        const buried = await store.bury(connection.connectionId, NOW + 90_000);
        expect(buried).toMatchObject({ ended: true, userIdentifier: id("ada") });
        await store.dropSession(connection.transportId);
        if (buried !== undefined) await store.clear(buried);
        await store.dropTransport(connection.transportId, "ender");
        expect(await opened.rows()).toEqual(after);
      });

      it("drops the transport of its own claim only", async () => {
        const connection = await connect();
        await store.claimEnd(claimOf(connection, { ender: "ender" }));
        await store.dropTransport(connection.transportId, "another");
        expect(await store.transport(connection.transportId)).toBeDefined();
        await store.dropTransport(connection.transportId, "ender");
        expect(await store.transport(connection.transportId)).toBeUndefined();
      });

      it("drops no transport that nobody claimed", async () => {
        const connection = await connect();
        await store.dropTransport(connection.transportId, "ender");
        expect(await store.transport(connection.transportId)).toBeDefined();
      });

      it("leaves nothing of joins that race it", { timeout: 60_000 }, async () => {
        for (let round = 0; round < 20; round++) {
          const before = await opened.rows();
          const names = { transportId: id(`t${round}`), connectionId: id(`c${round}`), userIdentifier: id("ada") };
          const connection = await connect(names);
          const joins = Array.from({ length: 10 }, (_, index) =>
            store.join(memberOf(connection), HUB, `race ${index}`),
          );
          const enter = store.enter(memberOf(connection), HUB, id("ada"));
          await Promise.all([...joins, enter, end(connection)]);
          expect(await opened.rows()).toHaveLength(before.length + 1);
          expect(await store.groups(connection.connectionId)).toEqual([]);
        }
      });
    });

    describe("a row that is not there", () => {
      const turn = turnOf("holder");
      const verbs: readonly [string, (name: string) => Promise<unknown>, unknown][] = [
        ["touch", (name) => store.touch(name, NOW), undefined],
        ["take", (name) => store.take(name, NOW, turn), undefined],
        ["count", (name) => store.count(name), undefined],
        ["steal", (name) => store.steal(name, turn, undefined), false],
        ["steal from somebody", (name) => store.steal(name, turn, turnOf("dead", 0)), false],
        ["release", (name) => store.release(name, "holder", 0, false), false],
        ["release and open", (name) => store.release(name, "holder", 0, true), false],
        ["open", (name) => store.open(name, "holder"), false],
        ["abandon", (name) => store.abandon(name, "holder"), undefined],
        ["waiting", (name) => store.waiting(name), []],
        ["claimFrame", (name) => store.claimFrame(name, "1"), false],
        ["transport", (name) => store.transport(name), undefined],
        ["connection", (name) => store.connection(name), undefined],
        ["session", (name) => store.session(name), undefined],
        ["saveItems", (name) => store.saveItems(name, { a: "1", b: undefined }), false],
        ["saveItems that deletes", (name) => store.saveItems(name, { b: undefined }), false],
        ["enter", (name) => store.enter({ connectionId: name, transportId: name }, HUB, name), false],
        ["join", (name) => store.join({ connectionId: name, transportId: name }, HUB, name), false],
        ["leave", (name) => store.leave(name, HUB, name), undefined],
        ["groups", (name) => store.groups(name), []],
        ["member", (name) => store.member(name, HUB), undefined],
        ["members of a group", (name) => membersOf(groupOf(name)), []],
        ["members of a user", (name) => membersOf(userOf(name)), []],
        ["members of a hub", (name) => membersOf({ kind: "hub", hub: name }), []],
        ["forget", (name) => store.forget(groupOf(name), { connectionId: name, transportId: name }), undefined],
        [
          "redirect",
          (name) => store.redirect(groupOf(name), { connectionId: name, transportId: name }, "t"),
          undefined,
        ],
        ["connectionOfKey", (name) => store.connectionOfKey(name), undefined],
        ["freeze", (name) => store.freeze(name, "next", NOW), undefined],
        ["thaw", (name) => store.thaw(name, "next"), undefined],
        ["takeOver", (name) => store.takeOver(takeoverOf(frozenOf(name), `${name} next`)), false],
        ["reopen", (name) => store.reopen(name), undefined],
        ["lose", (name) => store.lose(name, NOW), undefined],
        ["dropUnused", (name) => store.dropUnused(name), undefined],
        ["dropReplaced", (name) => store.dropReplaced(name), undefined],
        ["yieldTurn", (name) => store.yieldTurn(name, "holder"), undefined],
        ["nextNumber", (name) => store.nextNumber(name, "flusher", NOW, 1, 10), undefined],
        ["queued", (name) => store.queued(name, 0), []],
        ["dropMessage", (name) => store.dropMessage(name, 1), undefined],
        ["startFlush", (name) => store.startFlush(name, name, "flusher", undefined, NOW), undefined],
        ["finishFlush", (name) => store.finishFlush(name, "flusher", 0), false],
        ["stopFlush", (name) => store.stopFlush(name, "flusher"), undefined],
        ["markEnd", (name) => store.markEnd(name, LOST, 0), undefined],
        ["markLost", (name) => store.markLost(name), undefined],
        ["bury", (name) => store.bury(name, NOW), undefined],
        ["dropSession", (name) => store.dropSession(name), undefined],
        ["dropTransport", (name) => store.dropTransport(name, "ender"), undefined],
        ...(["open", "accepted", "ended"] as const).map((phase): (typeof verbs)[number] => [
          `claimEnd from ${phase}`,
          (transportId) => {
            const from =
              phase === "open"
                ? { phase }
                : phase === "accepted"
                  ? { phase, turn: undefined }
                  : { phase, ender: undefined, deadline: NOW };
            return store.claimEnd({ transportId, from, ender: "ender", until: NOW, reason: FAILED });
          },
          undefined,
        ]),
        ["clear", (name) => store.clear(endedOf(name)), undefined],
      ];

      it.each(verbs)("is not brought into being by %s", async (_title, verb, answer) => {
        const before = await opened.rows();
        expect(await verb(id("absent"))).toEqual(answer);
        expect(await opened.rows()).toEqual(before);
      });

      it.each(verbs)("is not brought back by %s", async (_title, verb) => {
        const connection = await connect({ transportId: id("ended"), connectionId: id("ended") });
        await end(connection);
        const before = await opened.rows();
        await verb(id("ended"));
        expect(await opened.rows()).toEqual(before);
      });
    });

    describe("due", () => {
      it("finds exactly what is due, past its time and not at it", async () => {
        const at = NOW + 1_000;
        const names = (text: string) => ({ transportId: id(text), connectionId: id(text), deadline: at + 1 });
        await accept({ ...names("silent"), deadline: at - 1 });
        await accept({ ...names("just in time"), deadline: at });
        await accept({ ...names("to rotate"), rotateAt: at - 1 });
        await accept({ ...names("not to rotate"), rotateAt: at });
        for (const [name, until] of Object.entries({ dead: at - 1, alive: at })) {
          await accept(names(name));
          await store.take(id(name), at + 1, turnOf("holder", until));
        }
        await connect(names("marked"));
        await store.markEnd(id("marked"), LOST, 0);
        await connect(names("lost"));
        await store.markLost(id("lost"));
        const ending = await connect(names("ending"));
        await store.claimEnd(claimOf(ending, { until: at }));
        const unfinished = await connect(names("unfinished"));
        await store.claimEnd(claimOf(unfinished, { until: at - 1 }));
        const due = await dueAt(at);
        expect(due.map(({ transportId }) => transportId).sort()).toEqual(
          ["dead", "lost", "marked", "silent", "to rotate", "unfinished"].map(id),
        );
        for (const state of due) expect(state).toStrictEqual(await store.transport(state.transportId));
      });

      it("counts all transports beside those", async () => {
        const before = await total();
        await accept();
        await accept({ transportId: id("due"), connectionId: id("due"), deadline: NOW - 1 });
        expect(await total()).toBe(before + 2);
      });

      it("finds a frame that was counted when nobody had the turn", async () => {
        const { transportId } = await connect();
        await store.touch(transportId, NOW + 30_000);
        expect(await dueAt(NOW)).toEqual([]);
        await store.count(transportId);
        expect(await dueAt(NOW)).toHaveLength(1);
        await store.steal(transportId, turnOf("holder"), undefined);
        expect(await dueAt(NOW)).toEqual([]);
      });
    });

    describe("the sweeper's lease", () => {
      it("gives each of 20 sweepers a generation of its own, and keeps the last one's", async () => {
        const leases = await Promise.all(Array.from({ length: 20 }, () => store.beginSweep()));
        const generations = leases.map(({ generation }) => generation).sort((a, b) => a - b);
        expect(new Set(generations).size).toBe(20);
        const outcomes = await Promise.all(
          leases.map((lease) => store.keepSweeping(lease, { ...lease, lastTick: NOW + lease.generation })),
        );
        const [kept, ...others] = leases.filter((_, index) => outcomes[index]);
        expect(others).toEqual([]);
        expect(kept?.generation).toBe(generations.at(-1));
      });

      it("carries the last tick and the end of an outage over to the next generation", async () => {
        const first = await store.beginSweep();
        await store.keepSweeping(first, { ...first, lastTick: NOW, notBefore: NOW + 30_000 });
        expect(await store.beginSweep()).toStrictEqual({
          generation: first.generation + 1,
          lastTick: NOW,
          notBefore: NOW + 30_000,
        });
      });

      it("is kept only as it was seen", async () => {
        const lease = await store.beginSweep();
        const next = { ...lease, lastTick: lease.lastTick + 1 };
        expect(await store.keepSweeping(lease, next)).toBe(true);
        // Written twice, as by a retry of the SDK, it is one tick.
        expect(await store.keepSweeping(lease, next)).toBe(true);
        const later = { ...next, lastTick: next.lastTick + 1 };
        expect(await store.keepSweeping(lease, later)).toBe(false);
        expect(await store.keepSweeping(next, later)).toBe(true);
      });

      it("is not made by keeping it", async () => {
        const unswept = await openStore();
        const lease = { generation: 0, lastTick: 0, notBefore: 0 };
        expect(await unswept.store.keepSweeping(lease, lease)).toBe(false);
        expect(await unswept.rows()).toEqual([]);
        expect(await unswept.store.beginSweep()).toStrictEqual({ ...lease, generation: 1 });
        await unswept.close();
      });
    });

    // In a store of its own, which the other tests need not scan.
    describe("more rows than fit a page of 1 MB", { timeout: 60_000 }, () => {
      beforeAll(open);

      it("are all read when they are members", async () => {
        const connectionIds = Array.from({ length: 1_200 }, (_, index) => `${index}.${"m".repeat(900)}`).sort();
        await inBatches(connectionIds, async (connectionId) => {
          const member = { connectionId, transportId: connectionId.slice(0, 5) };
          await accept(member);
          expect(await store.join(member, HUB, id("group"))).toBe(true);
        });
        const members = await membersOf(groupOf(id("group")));
        expect(members.map((member) => member.connectionId)).toEqual(connectionIds);
      });

      it("are all read and cleared when they are groups", async () => {
        const connection = await connect();
        const before = (await opened.rows()).length;
        const groups = Array.from({ length: 1_500 }, (_, index) => `${index}.${"g".repeat(800)}`).sort();
        await inBatches(groups, async (group) => void (await store.join(memberOf(connection), HUB, group)));
        expect(await store.groups(connection.connectionId)).toEqual(groups);
        await end(connection);
        expect(await store.groups(connection.connectionId)).toEqual([]);
        // Of four rows (transport, session, connection, membership) the tombstone is left.
        expect(await opened.rows()).toHaveLength(before - 3);
      });

      it("are all found when they are transports with something due", async () => {
        const ids = Array.from({ length: 300 }, (_, index) => id(String(index)));
        const turn: Turn = { ...turnOf("dead", NOW - 1), invocations: [{ id: "1", target: "n".repeat(90_000) }] };
        await inBatches(ids, async (name) => {
          await accept({ transportId: name, connectionId: name });
          await store.take(name, NOW + 30_000, turn);
        });
        expect((await dueAt(NOW)).map(({ transportId }) => transportId).sort()).toEqual([...ids].sort());
      });
    });
  });
}

function sessionOf({ userIdentifier }: { readonly userIdentifier?: string | undefined }): Session {
  return {
    userIdentifier,
    user: { isAuthenticated: true, name: undefined, roles: ["admin"], claims: { sub: "ada", level: 3 } },
    request: { query: { room: "1" }, headers: { "user-agent": "test" } },
    items: {},
  };
}

function frameOf({ transportId }: Pick<NewConnection, "transportId">, key = "1"): WaitingFrame {
  return { key, text: "{}", receivedAt: NOW, transportId };
}

/** An ended connection, all of whose names are one. */
function endedOf(name: string): ConnectionState {
  return {
    connectionId: name,
    hub: HUB,
    transportId: name,
    userIdentifier: name,
    ended: true,
    resumeKey: name,
    outbox: EMPTY,
  };
}

/** A frozen transport that was there once, of a connection of the same name. */
function frozenOf(name: string): TransportState {
  return {
    transportId: name,
    connectionId: name,
    hub: HUB,
    phase: "open",
    deadline: NOW,
    previousDeadline: NOW,
    rotateAt: NOW,
    turn: undefined,
    waiting: 0,
    end: undefined,
    ender: undefined,
    resumable: true,
    lost: false,
    resuming: false,
    next: `${name} next`,
  };
}

function takeoverOf(from: TransportState, transportId: string): Takeover {
  const times = { deadline: NOW + 15_000, rotateAt: NOW + 6_600_000, now: NOW };
  return { from, transportId, session: sessionOf({}), ...times };
}

/** All at once would be more sockets than an engine over HTTP takes. */
async function inBatches<Item>(items: readonly Item[], action: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += 50) {
    await Promise.all(items.slice(start, start + 50).map(action));
  }
}

function withoutPrototype<Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> {
  const values: Record<string, Value> = Object.create(null);
  for (const [name, value] of entries) values[name] = value;
  return values;
}

function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}
