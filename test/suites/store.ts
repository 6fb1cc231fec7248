// The contract of the state port, for every store: each verb, and each race that somebody could lose twice.

import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type {
  Audience,
  EndClaim,
  EndReason,
  Member,
  NewConnection,
  Session,
  Store,
  TransportState,
  Turn,
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
        });
        expect(await store.connection(connectionId)).toStrictEqual({
          connectionId,
          hub: HUB,
          transportId,
          userIdentifier: "ada",
          ended: false,
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
      const frame = (key: string, text = "{}") => ({ key, text, receivedAt: NOW });

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

    describe("an ending", () => {
      it("leaves the tombstone alone", async () => {
        const before = await opened.rows();
        const connection = await connect({ userIdentifier: id("ada") });
        await store.join(memberOf(connection), HUB, id("group"));
        await store.enqueue(connection.connectionId, { key: "1", text: "{}", receivedAt: NOW });
        await end(connection);
        expect(await opened.rows()).toHaveLength(before.length + 1);
        expect(await store.connection(connection.connectionId)).toStrictEqual({
          connectionId: connection.connectionId,
          hub: HUB,
          transportId: connection.transportId,
          userIdentifier: id("ada"),
          ended: true,
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
        ["saveItems", (name) => store.saveItems(name, { a: "1", b: undefined }), undefined],
        ["saveItems that deletes", (name) => store.saveItems(name, { b: undefined }), undefined],
        ["enter", (name) => store.enter({ connectionId: name, transportId: name }, HUB, name), false],
        ["join", (name) => store.join({ connectionId: name, transportId: name }, HUB, name), false],
        ["leave", (name) => store.leave(name, HUB, name), undefined],
        ["groups", (name) => store.groups(name), []],
        ["member", (name) => store.member(name, HUB), undefined],
        ["members of a group", (name) => membersOf(groupOf(name)), []],
        ["members of a user", (name) => membersOf(userOf(name)), []],
        ["members of a hub", (name) => membersOf({ kind: "hub", hub: name }), []],
        ["forget", (name) => store.forget(groupOf(name), { connectionId: name, transportId: name }), undefined],
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
        [
          "clear",
          (name) => store.clear({ connectionId: name, hub: HUB, transportId: name, userIdentifier: name, ended: true }),
          undefined,
        ],
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
