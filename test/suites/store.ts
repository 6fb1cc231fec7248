// The contract of the state port, for every store: each verb, and each race that somebody could lose twice.

import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type {
  Audience,
  ConnectionState,
  EndClaim,
  EndReason,
  Member,
  NewConnection,
  NumberRequest,
  OutboxHead,
  Receipt,
  Replay,
  Session,
  Store,
  Takeover,
  Tally,
  TallyChange,
  TransportState,
  Trim,
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

const EMPTY: OutboxHead = { last: 0, sent: 0, acknowledged: 0, bytes: 0, flusher: undefined, flushingSince: 0 };
const HANDSHAKE = { base: 0 };

/** Of a transport that was reopened. */
const QUIET_UNTIL = NOW + 2_000;
const NO_REPLAY: Replay = { after: 0, upTo: 0 };
const NOTHING_COUNTED: Tally = { received: 0, acknowledged: 0, recent: [], expected: [], quietUntil: 0 };

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
        stateful: false,
        issuedAt: 0,
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
          stateful: false,
          handshakes: 1,
          tally: NOTHING_COUNTED,
          base: 0,
          replay: NO_REPLAY,
        });
        expect(await store.connection(connectionId)).toStrictEqual({
          connectionId,
          hub: HUB,
          transportId,
          userIdentifier: "ada",
          ended: false,
          resumeKey: undefined,
          stateful: false,
          issuedAt: 0,
          handshakes: 1,
          outbox: EMPTY,
        });
        expect(await store.session(transportId)).toEqual(session);
      });

      it("makes nobody a member yet", async () => {
        const connection = await accept({ userIdentifier: id("ada") });
        expect(await store.member(connection.connectionId, HUB)).toBeUndefined();
        expect(await membersOf(userOf(id("ada")))).toEqual([]);
      });

      it("keeps that its client counts messages, and may come back by the same token", async () => {
        const connection = await accept({ stateful: true, issuedAt: NOW - 1 });
        expect(await store.transport(connection.transportId)).toMatchObject({ stateful: true, resumable: true });
        expect(await store.connection(connection.connectionId)).toMatchObject({ stateful: true, issuedAt: NOW - 1 });
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

      it("leaves no room for the notes of a frame that comes before it is stolen", async () => {
        const { transportId } = await connect();
        await store.take(transportId, NOW, { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] });
        await store.abandon(transportId, "holder");
        const late: Turn = { ...turnOf("late"), invocations: [{ id: "2", target: "b" }] };
        const left = { holder: "holder", until: 0, invocations: [] };
        expect((await store.take(transportId, NOW, late))?.turn).toStrictEqual(left);
      });

      it("changes nothing of another's turn", async () => {
        const { transportId } = await connect();
        await store.take(transportId, NOW, turnOf("holder"));
        await store.abandon(transportId, "another");
        expect((await store.transport(transportId))?.turn).toStrictEqual(turnOf("holder"));
      });
    });

    describe("waiting frames", () => {
      const frame = (key: string, text = "{}"): WaitingFrame => ({
        ...frameOf({ transportId: id("transport") }, key),
        text,
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

      it("keep the handshake they came after, what is not to be run, and what they stand for", async () => {
        const { connectionId } = await connect();
        const frames = [
          { ...frame("1"), handshakes: 7 },
          { ...frame("2"), repeated: [0, 2, 31] },
          { ...frame("3", ""), reconnected: true },
        ];
        for (const each of frames) await store.enqueue(connectionId, each);
        expect(await store.waiting(connectionId)).toStrictEqual(frames);
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
        if (marked === undefined) throw new Error("It is not marked.");
        expect(marked).toMatchObject({ phase: "open", deadline: 0, end: STOPPED });
        expect(await store.tally(transportId, marked, changeOf(marked))).toBeUndefined();
        await store.trim(transportId, trimOf(marked, 0, 1));
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
        if (claimed === undefined) throw new Error("It is not claimed.");
        expect(await store.tally(transportId, claimed, changeOf(claimed))).toBeUndefined();
        await store.trim(transportId, trimOf(claimed, 0, 1));
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

    /** Open, with a client that counts. */
    const connectStateful = (changes: Parameters<typeof newConnection>[0] = {}) =>
      connect({ stateful: true, issuedAt: NOW, ...changes });

    /** With that many messages counted, the first of them the oldest. */
    async function counted(transportId: string, messages: number): Promise<TransportState> {
      const receipts = Array.from({ length: messages }, (_, index) => receiptOf(index));
      const state = await store.touch(transportId, NOW + 30_000, receipts);
      if (state === undefined) throw new Error("They are not counted.");
      return state;
    }

    async function numberAndPut(connectionId: string, flusher: string, bytes: number, limit = 1_000): Promise<number> {
      const head = await store.nextNumber(connectionId, { flusher, now: NOW, bytes, limit });
      if (typeof head !== "object") throw new Error(`There is no number: ${head}.`);
      const { last, bytes: all } = head.outbox;
      expect(await store.putMessage(connectionId, { number: last, record: `message ${last}` }, all, NOW)).toBe(true);
      return last;
    }

    /** By somebody who takes the turn if nobody has it. */
    const reopen = (
      transportId: string,
      by: { readonly base: number } | { readonly expected: readonly string[]; readonly replay?: Replay },
    ) => store.reopen(transportId, "base" in by ? by : { replay: NO_REPLAY, ...by }, turnOf("reopener"), QUIET_UNTIL);

    async function freeze({ transportId }: NewConnection, next = id("next")): Promise<TransportState> {
      const frozen = await store.freeze(transportId, next, NOW + 35_000);
      if (frozen === undefined) throw new Error("It can not be frozen.");
      return frozen;
    }

    async function takeOver(
      connection: NewConnection,
      next = id("next"),
      changes: Partial<Takeover> = {},
    ): Promise<TransportState> {
      const { stateful, issuedAt } = connection;
      const takeover = { ...takeoverOf(await freeze(connection, next), next), stateful, issuedAt, ...changes };
      expect(await store.takeOver(takeover)).toBe(true);
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

      it("names nothing any more from the moment its connection is buried", async () => {
        const connection = await connectResumable();
        const first = await store.bury(connection.connectionId, NOW + 60_000);
        expect(first).toMatchObject({ ended: true, resumeKey: id("key") });
        expect(await store.connectionOfKey(id("key"))).toBeUndefined();
        const second = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
        expect(await store.bury(connection.connectionId, NOW + 60_000)).toStrictEqual(first);
        expect(await store.connectionOfKey(id("key"))).toBe(second.connectionId);
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
        await store.take(transportId, NOW + 30_000, holder, [receiptOf(1)]);
        await store.count(transportId);
        const frozen = await freeze(connection);
        expect(await store.touch(transportId, NOW + 40_000)).toBeUndefined();
        expect(await store.touch(transportId, NOW + 40_000, [receiptOf(2)])).toBeUndefined();
        expect(await store.take(transportId, NOW + 40_000, turnOf("next"))).toBeUndefined();
        expect(await store.take(transportId, NOW + 40_000, turnOf("next"), [receiptOf(2)])).toBeUndefined();
        expect(await store.tally(transportId, frozen, changeOf(frozen, { received: 2 }))).toBeUndefined();
        await store.trim(transportId, trimOf(frozen, 1));
        expect(await store.count(transportId)).toBeUndefined();
        expect(await store.steal(transportId, turnOf("thief"), holder)).toBe(false);
        expect(await store.release(transportId, "holder", 1, false)).toBe(false);
        expect(await store.release(transportId, "holder", 1, false, trimOf(frozen, 1))).toBe(false);
        expect(await store.release(transportId, "holder", 1, true)).toBe(false);
        expect(await store.open(transportId, "holder")).toBe(false);
        expect(await reopen(transportId, HANDSHAKE)).toBeUndefined();
        expect(await reopen(transportId, { expected: [] })).toBeUndefined();
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

      it("loses no message to a race: its count goes along, or it is refused", async () => {
        for (let round = 0; round < 10; round++) {
          const { transportId } = await connectStateful({
            transportId: id(`t${round}`),
            connectionId: id(`c${round}`),
          });
          const [frozen, ...states] = await Promise.all([
            store.freeze(transportId, id(`n${round}`), NOW + 35_000),
            ...Array.from({ length: 5 }, (_, index) => store.touch(transportId, NOW, [receiptOf(index)])),
          ]);
          const counted = [0, 1, 2, 3, 4].filter((index) => states[index] !== undefined).map(printOf);
          expect(frozen?.tally.received).toBe(counted.length);
          expect(frozen?.tally.recent.map(({ fingerprint }) => fingerprint).sort()).toEqual(counted.sort());
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

      it("takes the counts of a stateful client over, and the notes of what it still waits for", async () => {
        const connection = await connectStateful();
        const { transportId, connectionId } = connection;
        const invocations = HOSTILE_NAMES.slice(0, 8).map((name) => ({ id: name, target: name }));
        await store.take(transportId, NOW, { ...turnOf("holder"), invocations });
        await store.trim(transportId, trimOf(await counted(transportId, 5), 2, 3));
        const taken = await takeOver(connection, id("next"), { issuedAt: NOW + 1 });
        const tally = {
          received: 5,
          acknowledged: 3,
          recent: [2, 3, 4].map((index) => receiptOf(index)),
          expected: [],
          quietUntil: 0,
        };
        expect(taken).toMatchObject({
          stateful: true,
          handshakes: 1,
          base: 0,
          turn: { holder: "holder", invocations },
        });
        expect(taken.tally).toStrictEqual(tally);
        expect(await store.connection(connectionId)).toMatchObject({
          stateful: true,
          issuedAt: NOW + 1,
          handshakes: 1,
        });
      });

      it("takes over what is expected still, where the outbox begins, and how many handshakes there were", async () => {
        const connection = await connectStateful();
        await takeOver(connection);
        await reopen(id("next"), { base: 7 });
        await counted(id("next"), 3);
        const second = await takeOver({ ...connection, transportId: id("next") }, id("third"));
        expect(second).toMatchObject({
          handshakes: 2,
          base: 7,
          replay: { after: 7, upTo: 7 },
          tally: { received: 3, expected: [] },
        });
        const replay = { after: 8, upTo: 11 };
        const reopened = await reopen(id("third"), { expected: ["*2", "1x2y"], replay });
        const third = await takeOver({ ...connection, transportId: id("third") }, id("fourth"));
        expect(third).toMatchObject({ handshakes: 2, base: 7, replay });
        const tally = { ...NOTHING_COUNTED, received: 3, expected: ["*2", "1x2y"] };
        expect(reopened?.tally).toStrictEqual({ ...tally, quietUntil: QUIET_UNTIL });
        expect(third.tally).toStrictEqual(tally);
      });

      it.each([
        [false, true],
        [true, false],
      ])("may bring a client that counts, or no longer does: before %s, now %s", async (before, now) => {
        const connection = await connectResumable({ stateful: before, issuedAt: NOW });
        const invocations = [{ id: "1", target: "a" }];
        await store.take(connection.transportId, NOW, { ...turnOf("holder"), invocations });
        const taken = await takeOver(connection, id("next"), { stateful: now, issuedAt: NOW + 5 });
        expect(taken).toMatchObject({ stateful: now, turn: { invocations: before ? invocations : [] } });
        expect(await store.connection(connection.connectionId)).toMatchObject({ stateful: now, issuedAt: NOW + 5 });
      });

      it("leaves the outbox where it was, for the client that says what it has", async () => {
        const connection = await connectStateful();
        const { connectionId, transportId } = connection;
        await numberAndPut(connectionId, "first", 10);
        await numberAndPut(connectionId, "first", 20);
        await store.acknowledge(connectionId, transportId, 1, 1_000);
        await store.leaveFlush(connectionId, "first", 2, "left");
        await takeOver(connection);
        expect((await store.connection(connectionId))?.outbox).toStrictEqual({
          last: 2,
          sent: 2,
          acknowledged: 1,
          bytes: 30,
          flusher: id("next"),
          flushingSince: NOW,
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
        await store.bury(connection.connectionId, NOW + 60_000);
        const before = await opened.rows();
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
        const states = await Promise.all(Array.from({ length: 50 }, () => reopen(id("next"), HANDSHAKE)));
        const winners = states.filter((state) => state !== undefined);
        expect(winners).toHaveLength(1);
        expect(winners[0]).toMatchObject({ resuming: false, phase: "open", handshakes: 2 });
      });

      it.each([{ base: 1 }, { expected: [], replay: NO_REPLAY }, { expected: ["print1"], replay: NO_REPLAY }])(
        "takes the turn if nobody has it: %j",
        async (by) => {
          const connection = await connectStateful();
          await counted(connection.transportId, 2);
          await takeOver(connection);
          const turn = turnOf("reopener", NOW + 77_000);
          expect((await store.reopen(id("next"), by, turn, QUIET_UNTIL))?.turn).toStrictEqual(turn);
          await takeOver({ ...connection, transportId: id("next") }, id("third"));
          expect((await store.reopen(id("third"), by, turnOf("another"), QUIET_UNTIL))?.turn).toStrictEqual(turn);
          expect((await store.transport(id("third")))?.turn).toStrictEqual(turn);
        },
      );

      it("lets one of a handshake and a Sequence win", async () => {
        for (let round = 0; round < 10; round++) {
          const connection = await connectStateful({ transportId: id(`t${round}`), connectionId: id(`c${round}`) });
          await counted(connection.transportId, 2);
          await takeOver(connection, id(`n${round}`));
          const [anew, goesOn] = await Promise.all([
            reopen(id(`n${round}`), { base: 1 }),
            reopen(id(`n${round}`), { expected: ["print"] }),
          ]);
          expect([anew, goesOn].filter((state) => state !== undefined)).toHaveLength(1);
          expect(await store.transport(id(`n${round}`))).toStrictEqual(anew ?? goesOn);
          const goneOn = { received: 2, expected: ["print"] };
          expect((anew ?? goesOn)?.tally).toStrictEqual({
            ...NOTHING_COUNTED,
            ...(anew === undefined && goneOn),
            quietUntil: QUIET_UNTIL,
          });
        }
      });

      it("by a handshake counts anew, and forgets what its client has given up on", async () => {
        const connection = await connectStateful();
        const turn: Turn = { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] };
        await store.take(connection.transportId, NOW, turn);
        await store.count(connection.transportId);
        await store.trim(connection.transportId, trimOf(await counted(connection.transportId, 5), 2, 3));
        const taken = await takeOver(connection);
        const reopened = await reopen(id("next"), { base: 12 });
        expect(reopened).toStrictEqual({
          ...taken,
          resuming: false,
          handshakes: 2,
          base: 12,
          replay: { after: 12, upTo: 12 },
          tally: { ...NOTHING_COUNTED, quietUntil: QUIET_UNTIL },
          turn: turnOf("holder"),
        });
        expect(await store.transport(id("next"))).toStrictEqual(reopened);
        // The notes of the next frame are not the holder's.
        const late: Turn = { ...turnOf("late"), invocations: [{ id: "2", target: "b" }] };
        expect((await store.take(id("next"), NOW, late))?.turn).toStrictEqual(turnOf("holder"));
      });

      it("by a handshake also forgets what was expected still", async () => {
        const connection = await connectStateful();
        await counted(connection.transportId, 2);
        await takeOver(connection);
        await reopen(id("next"), { expected: ["a", "b"] });
        await takeOver({ ...connection, transportId: id("next") }, id("third"));
        const anew = { ...NOTHING_COUNTED, quietUntil: QUIET_UNTIL };
        expect((await reopen(id("third"), { base: 0 }))?.tally).toStrictEqual(anew);
        expect((await store.touch(id("third"), NOW, [receiptOf(1)]))?.tally.received).toBe(1);
      });

      it("by a Sequence goes on with the counts, and with what the client still waits for", async () => {
        const connection = await connectStateful();
        const turn: Turn = { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] };
        await store.take(connection.transportId, NOW, turn);
        await store.trim(connection.transportId, trimOf(await counted(connection.transportId, 5), 0, 3));
        const taken = await takeOver(connection);
        const replay = { after: 3, upTo: 9 };
        const reopened = await reopen(id("next"), { expected: ["*1", "print4"], replay });
        const counts = { received: 5, acknowledged: 3, expected: ["*1", "print4"] };
        const tally = { ...NOTHING_COUNTED, ...counts, quietUntil: QUIET_UNTIL };
        expect(reopened).toStrictEqual({ ...taken, resuming: false, replay, tally });
        expect(reopened).toMatchObject({ handshakes: 1, base: 0, turn });
        expect(await store.transport(id("next"))).toStrictEqual(reopened);
      });

      it("by a Sequence with nothing to repeat counts at once", async () => {
        const connection = await connectStateful();
        await counted(connection.transportId, 2);
        await takeOver(connection);
        const reopened = await reopen(id("next"), { expected: [] });
        const tally = { ...NOTHING_COUNTED, received: 2, quietUntil: QUIET_UNTIL };
        expect(reopened?.tally).toStrictEqual(tally);
        expect((await store.touch(id("next"), NOW, [receiptOf(9)]))?.tally).toStrictEqual({
          ...tally,
          received: 3,
          recent: [receiptOf(9)],
        });
      });

      it("is refused to a transport that nobody resumed, and to one that is to end, was lost, or taken over", async () => {
        const connection = await connectResumable();
        expect(await reopen(connection.transportId, HANDSHAKE)).toBeUndefined();
        await takeOver(connection);
        await store.lose(id("next"), NOW + 30_000);
        expect(await reopen(id("next"), HANDSHAKE)).toBeUndefined();
        expect(await reopen(id("next"), { expected: ["a"] })).toBeUndefined();
        await takeOver({ ...connection, transportId: id("next") }, id("third"));
        expect(await reopen(id("next"), HANDSHAKE)).toBeUndefined();
        const marked = await store.markEnd(id("third"), LOST, 0);
        expect(await reopen(id("third"), HANDSHAKE)).toBeUndefined();
        expect(await reopen(id("third"), { expected: ["a"] })).toBeUndefined();
        expect(await store.transport(id("third"))).toStrictEqual(marked);
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

      it.each<[string, (transportId: string, receipts?: Receipt[]) => Promise<TransportState | undefined>]>([
        ["passes the turn", (transportId, receipts) => store.touch(transportId, NOW + 90_000, receipts)],
        ["takes it", (transportId, receipts) => store.take(transportId, NOW + 90_000, turnOf("holder"), receipts)],
      ])("is not taken back by a frame that %s, which is refused", async (_title, arrive) => {
        const { transportId } = await connectStateful();
        const lost = await store.lose(transportId, NOW + 60_000);
        expect(await arrive(transportId)).toBeUndefined();
        expect(await arrive(transportId, [receiptOf(1)])).toBeUndefined();
        expect(await store.transport(transportId)).toStrictEqual(lost);
      });

      it("loses no message to a race: it is counted, or refused", async () => {
        for (let round = 0; round < 10; round++) {
          const { transportId } = await connectStateful({
            transportId: id(`t${round}`),
            connectionId: id(`c${round}`),
          });
          const [lost, ...states] = await Promise.all([
            store.lose(transportId, NOW + 60_000),
            ...Array.from({ length: 5 }, (_, index) => store.touch(transportId, NOW, [receiptOf(index)])),
          ]);
          expect(lost?.tally.received).toBe(states.filter((state) => state !== undefined).length);
          expect(await store.transport(transportId)).toStrictEqual(lost);
        }
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
        await reopen(id("next"), HANDSHAKE);
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
        await reopen(id("next"), HANDSHAKE);
        await store.yieldTurn(id("next"), "holder");
        expect((await store.transport(id("next")))?.turn?.holder).toBe("holder");
      });
    });

    describe.each<
      [string, (transportId: string, receipts?: readonly Receipt[]) => Promise<TransportState | undefined>]
    >([
      ["touch", (transportId, receipts) => store.touch(transportId, NOW + 40_000, receipts)],
      ["take", (transportId, receipts) => store.take(transportId, NOW + 40_000, turnOf("holder"), receipts)],
    ])("%s with messages", (verb, arrive) => {
      it("counts them, and notes them in order behind those before", async () => {
        const { transportId } = await connectStateful();
        expect((await arrive(transportId))?.tally).toStrictEqual(NOTHING_COUNTED);
        const first = [receiptOf(3), receiptOf(1)];
        expect((await arrive(transportId, first))?.tally).toStrictEqual({
          ...NOTHING_COUNTED,
          received: 2,
          recent: first,
        });
        // Equal messages count each.
        const second = [receiptOf(2), receiptOf(2), receiptOf(0)];
        const state = await arrive(transportId, second);
        expect(state?.tally).toStrictEqual({ ...NOTHING_COUNTED, received: 5, recent: [...first, ...second] });
        expect(await store.transport(transportId)).toStrictEqual(state);
      });

      it("does what it does without", async () => {
        const { transportId } = await connectStateful();
        const before = await store.transport(transportId);
        const state = await arrive(transportId, [receiptOf(1)]);
        expect(state).toStrictEqual({
          ...before,
          deadline: NOW + 40_000,
          previousDeadline: before?.deadline,
          turn: verb === "take" ? turnOf("holder") : undefined,
          tally: { ...NOTHING_COUNTED, received: 1, recent: [receiptOf(1)] },
        });
      });

      it("keeps times to the millisecond, whatever their order", async () => {
        const { transportId } = await connectStateful();
        const receipts = [NOW, 0, 1, Date.UTC(2099, 11, 31, 23, 59, 59, 999)].map((receivedAt) => ({
          fingerprint: "1z141z3",
          frame: "f",
          receivedAt,
        }));
        expect((await arrive(transportId, receipts))?.tally.recent).toStrictEqual(receipts);
      });

      it("counts every one of 50 frames at once, each of them as one", async () => {
        const { transportId } = await connectStateful();
        const frames = Array.from({ length: 50 }, (_, index) => [receiptOf(2 * index), receiptOf(2 * index + 1)]);
        const states = await Promise.all(frames.map((frame) => arrive(transportId, frame)));
        expect(states.map((state) => state?.tally.received).sort((a = 0, b = 0) => a - b)).toEqual(
          Array.from({ length: 50 }, (_, index) => 2 * index + 2),
        );
        const { received, recent } = (await store.transport(transportId))?.tally ?? NOTHING_COUNTED;
        expect(received).toBe(100);
        // In the order in which they were counted, and a frame's messages side by side.
        for (const [index, frame] of frames.entries()) {
          const behind = states[index]?.tally.received ?? 0;
          expect(recent.slice(behind - 2, behind)).toStrictEqual(frame);
        }
      });

      it("is refused while its client owes a Sequence, and while it repeats unless nothing counts in it", async () => {
        const connection = await connectStateful();
        await counted(connection.transportId, 2);
        const resuming = await takeOver(connection);
        expect(await arrive(id("next"), [receiptOf(5)])).toBeUndefined();
        expect(await arrive(id("next"))).toBeUndefined();
        expect(await store.transport(id("next"))).toStrictEqual(resuming);

        await reopen(id("next"), { expected: ["print1"] });
        const repeating = await store.transport(id("next"));
        expect(await arrive(id("next"), [receiptOf(1)])).toBeUndefined();
        expect(await store.transport(id("next"))).toStrictEqual(repeating);
        expect(await arrive(id("next"))).toMatchObject({ deadline: NOW + 40_000, tally: { expected: ["print1"] } });
      });
    });

    describe("tally", () => {
      it("counts what those two refuse, by what was seen, and ends the repetition", async () => {
        const connection = await connectStateful();
        await counted(connection.transportId, 3);
        await takeOver(connection);
        const seen = await reopen(id("next"), { expected: ["*1", "print2"] });
        if (seen === undefined) throw new Error("It is not open.");
        const first = { received: 4, recent: [receiptOf(2), receiptOf(9)], expected: ["*1"] };
        const half = await store.tally(id("next"), seen, { ...first, deadline: NOW + 40_000 });
        expect(half).toStrictEqual({
          ...seen,
          deadline: NOW + 40_000,
          previousDeadline: seen.deadline,
          tally: { ...seen.tally, ...first },
        });
        expect(await store.transport(id("next"))).toStrictEqual(half);
        expect(await store.touch(id("next"), NOW, [receiptOf(3)])).toBeUndefined();
        if (half === undefined) throw new Error("It is not counted.");
        const all = { received: 4, recent: [...first.recent, receiptOf(3)], expected: [] };
        expect((await store.tally(id("next"), half, all))?.tally).toStrictEqual({ ...half.tally, ...all });
        expect((await store.touch(id("next"), NOW, [receiptOf(4)]))?.tally.received).toBe(5);
      });

      it("moves the deadline only when it is given one", async () => {
        const { transportId } = await connectStateful();
        const lost = await store.lose(transportId, NOW + 60_000);
        if (lost === undefined) throw new Error("It is not lost.");
        const receipt = { received: 1, recent: [receiptOf(1)] };
        const late = await store.tally(transportId, lost, changeOf(lost, receipt));
        expect(late).toStrictEqual({ ...lost, tally: { ...NOTHING_COUNTED, ...receipt } });
        expect(await store.transport(transportId)).toStrictEqual(late);
      });

      it("takes the turn if it is given one and nobody has it, else says who does", async () => {
        const { transportId } = await connectStateful();
        const turn: Turn = { ...turnOf("first"), invocations: [{ id: "1", target: "__proto__" }] };
        const seen = await counted(transportId, 1);
        expect((await store.tally(transportId, seen, changeOf(seen)))?.turn).toBeUndefined();
        const taken = await store.tally(transportId, seen, changeOf(seen, { turn }));
        expect(taken).toStrictEqual({ ...seen, turn });
        const late: Turn = { ...turnOf("second", NOW + 99_000), invocations: [{ id: "2", target: "b" }] };
        expect((await store.tally(transportId, seen, changeOf(seen, { turn: late })))?.turn).toStrictEqual(turn);
        expect((await store.tally(transportId, seen, changeOf(seen)))?.turn).toStrictEqual(turn);
      });

      it("keeps what was acknowledged", async () => {
        const { transportId } = await connectStateful();
        await store.trim(transportId, trimOf(await counted(transportId, 3), 1, 2));
        const seen = await store.transport(transportId);
        if (seen === undefined) throw new Error("It is not there.");
        const state = await store.tally(transportId, seen, changeOf(seen, { received: 4, expected: ["a"] }));
        expect(state?.tally).toStrictEqual({ ...seen.tally, received: 4, acknowledged: 2, expected: ["a"] });
      });

      it.each<[string, (seen: TransportState) => TransportState]>([
        ["messages were counted since", (seen) => ({ ...seen, tally: { ...seen.tally, received: 1 } })],
        ["none was counted, as it looked", (seen) => ({ ...seen, tally: NOTHING_COUNTED })],
        ["more were seen than there are", (seen) => ({ ...seen, tally: { ...seen.tally, received: 3 } })],
        ["others are expected", (seen) => ({ ...seen, tally: { ...seen.tally, expected: ["print2"] } })],
        ["fewer are expected", (seen) => ({ ...seen, tally: { ...seen.tally, expected: ["print1", "print1"] } })],
        ["some are expected", (seen) => ({ ...seen, tally: { ...seen.tally, expected: [] } })],
        ["it is not lost", (seen) => ({ ...seen, lost: true })],
        ["its client does not owe a Sequence", (seen) => ({ ...seen, resuming: true })],
      ])("is refused when %s", async (_title, misread) => {
        const connection = await connectStateful();
        await counted(connection.transportId, 2);
        await takeOver(connection);
        const seen = await reopen(id("next"), { expected: ["print1"] });
        if (seen === undefined) throw new Error("It is not open.");
        const change = changeOf(seen, { received: 9, deadline: NOW + 40_000, turn: turnOf("holder") });
        expect(await store.tally(id("next"), misread(seen), change)).toBeUndefined();
        expect(await store.transport(id("next"))).toStrictEqual(seen);
        expect(await store.tally(id("next"), seen, change)).toBeDefined();
      });

      it.each<[string, (transportId: string) => Promise<TransportState | undefined>]>([
        ["it was lost since", (transportId) => store.lose(transportId, NOW + 60_000)],
        ["its client was let in since", (transportId) => reopen(transportId, { expected: [] })],
        ["its client has shaken hands since", (transportId) => reopen(transportId, HANDSHAKE)],
        ["it was taken over since", (transportId) => store.freeze(transportId, id("third"), NOW + 35_000)],
        ["it is to end", (transportId) => store.markEnd(transportId, LOST, 0)],
      ])("is refused when %s", async (_title, change) => {
        const connection = await connectStateful();
        await counted(connection.transportId, 2);
        const seen = await takeOver(connection);
        const changed = await change(id("next"));
        expect(changed).toBeDefined();
        expect(await store.tally(id("next"), seen, changeOf(seen, { received: 3 }))).toBeUndefined();
        expect(await store.transport(id("next"))).toStrictEqual(changed);
      });

      it("counts a message once for one of 50 that have seen the same", async () => {
        const { transportId } = await connectStateful();
        await counted(transportId, 2);
        const lost = await store.lose(transportId, NOW + 60_000);
        if (lost === undefined) throw new Error("It is not lost.");
        const changes = Array.from({ length: 50 }, (_, index) =>
          changeOf(lost, { received: 3, recent: [...lost.tally.recent, receiptOf(100 + index)] }),
        );
        const states = await Promise.all(changes.map((change) => store.tally(transportId, lost, change)));
        const winners = states.filter((state) => state !== undefined);
        expect(winners).toHaveLength(1);
        expect(await store.transport(transportId)).toStrictEqual(winners[0]);
        expect(winners[0]?.tally.recent).toStrictEqual(
          changes[states.findIndex((state) => state !== undefined)]?.recent,
        );
      });

      it("loses none of 50 messages when each looks again", { timeout: 60_000 }, async () => {
        const connection = await connectStateful();
        await takeOver(connection);
        await reopen(id("next"), { expected: Array.from({ length: 5 }, (_, index) => printOf(index)) });
        const arrive = async (index: number): Promise<void> => {
          for (;;) {
            const seen = await store.transport(id("next"));
            if (seen === undefined) throw new Error("It is not there.");
            const { received, recent, expected } = seen.tally;
            const repeated = expected.includes(printOf(index));
            const change: TallyChange = {
              received: repeated ? received : received + 1,
              recent: [...recent, receiptOf(index)],
              expected: expected.filter((print) => print !== printOf(index)),
            };
            if ((await store.tally(id("next"), seen, change)) !== undefined) return;
          }
        };
        // Ten at once: each round has one winner.
        for (let start = 0; start < 20; start += 10) {
          await Promise.all(Array.from({ length: 10 }, (_, index) => arrive(start + index)));
        }
        const tally = (await store.transport(id("next")))?.tally;
        expect(tally).toMatchObject({ received: 15, expected: [] });
      });
    });

    describe("trim", () => {
      it.each([
        [0, 3],
        [1, 0],
        [2, 5],
        [47, 48],
        [50, 50],
      ])("forgets exactly the first %i, and notes that %i are acknowledged", async (drop, acknowledged) => {
        const { transportId } = await connectStateful();
        const seen = await counted(transportId, 50);
        await store.trim(transportId, trimOf(seen, drop, acknowledged));
        const recent = seen.tally.recent.slice(drop);
        expect(await store.transport(transportId)).toStrictEqual({
          ...seen,
          tally: { ...NOTHING_COUNTED, received: 50, acknowledged, recent },
        });
        // What comes next stands behind them.
        expect((await store.touch(transportId, NOW, [receiptOf(99)]))?.tally).toStrictEqual({
          ...NOTHING_COUNTED,
          received: 51,
          acknowledged,
          recent: [...recent, receiptOf(99)],
        });
      });

      it("is refused after any newer message, and after another trim that forgot", async () => {
        const { transportId } = await connectStateful();
        const old = await counted(transportId, 3);
        const seen = await store.touch(transportId, NOW, [receiptOf(9)]);
        if (seen === undefined) throw new Error("It is not counted.");
        await store.trim(transportId, trimOf(old, 1, 3));
        expect(await store.transport(transportId)).toStrictEqual(seen);
        await store.trim(transportId, trimOf(seen, 2, 3));
        const trimmed = await store.transport(transportId);
        expect(trimmed?.tally).toMatchObject({ acknowledged: 3, recent: [receiptOf(2), receiptOf(9)] });
        await store.trim(transportId, trimOf(seen, 2, 4));
        expect(await store.transport(transportId)).toStrictEqual(trimmed);
      });

      it("is refused after a message that came again", async () => {
        const connection = await connectStateful();
        await counted(connection.transportId, 3);
        await takeOver(connection);
        const seen = await reopen(id("next"), { expected: ["print2"] });
        if (seen === undefined) throw new Error("It is not open.");
        const repeated = await store.tally(id("next"), seen, changeOf(seen, { recent: [receiptOf(2)], expected: [] }));
        await store.trim(id("next"), trimOf(seen, 0, 2));
        expect(await store.transport(id("next"))).toStrictEqual(repeated);
      });

      it("notes what is acknowledged also when nothing is remembered", async () => {
        const connection = await connectStateful();
        await counted(connection.transportId, 3);
        await takeOver(connection);
        const seen = await reopen(id("next"), { expected: [] });
        if (seen === undefined) throw new Error("It is not open.");
        await store.trim(id("next"), trimOf(seen, 0, 3));
        expect((await store.transport(id("next")))?.tally).toStrictEqual({ ...seen.tally, acknowledged: 3 });
        const trimmed = await store.transport(id("next"));
        if (trimmed === undefined) throw new Error("It is not there.");
        expect(await store.release(id("next"), "reopener", 0, false, trimOf(trimmed, 0, 3))).toBe(true);
      });

      it("loses no message to a race: it is refused, or the message stands behind", async () => {
        const { transportId } = await connectStateful();
        for (let round = 0; round < 20; round++) {
          const seen = await counted(transportId, 3);
          const { received, recent } = seen.tally;
          const [, state] = await Promise.all([
            store.trim(transportId, trimOf(seen, recent.length, received)),
            store.touch(transportId, NOW, [receiptOf(100 + round)]),
          ]);
          const now = await store.transport(transportId);
          expect(now?.tally.received).toBe(received + 1);
          expect(now?.tally.recent.at(-1)).toStrictEqual(receiptOf(100 + round));
          const trimmed = now?.tally.acknowledged === received;
          expect(now?.tally.recent).toHaveLength(trimmed ? 1 : recent.length + 1);
          expect(state).toBeDefined();
        }
      });

      it("is done by one of 50 that have seen the same", async () => {
        const { transportId } = await connectStateful();
        const seen = await counted(transportId, 50);
        await Promise.all(
          Array.from({ length: 50 }, (_, index) => store.trim(transportId, trimOf(seen, index + 1, index + 1))),
        );
        const { acknowledged, recent } = (await store.transport(transportId))?.tally ?? NOTHING_COUNTED;
        expect(recent).toStrictEqual(seen.tally.recent.slice(acknowledged));
      });
    });

    describe("release, and what was acknowledged", () => {
      async function held(messages: number): Promise<TransportState> {
        const { transportId } = await connectStateful();
        await counted(transportId, messages);
        const invocations = [{ id: "1", target: "a" }];
        const state = await store.take(transportId, NOW, { ...turnOf("holder"), invocations });
        if (state === undefined) throw new Error("It is not taken.");
        return state;
      }

      it.each<[string, { acknowledged: number } | "forget" | undefined, Partial<Tally>]>([
        ["notes it", { acknowledged: 2 }, { acknowledged: 2 }],
        ["forgets all receipts", "forget", { recent: [] }],
        ["leaves all as it was", undefined, {}],
      ])("lets go of the turn and %s in one step", async (_title, tally, expected) => {
        const seen = await held(3);
        await store.count(seen.transportId);
        expect(await store.release(seen.transportId, "holder", 1, false, tally)).toBe(true);
        const free = { ...seen, turn: undefined, waiting: 0, tally: { ...seen.tally, ...expected } };
        expect(await store.transport(seen.transportId)).toStrictEqual(free);
      });

      it.each([{ acknowledged: 0 }, "forget"] as const)("opens the connection in the same step (%j)", async (tally) => {
        const { transportId } = await accept({ stateful: true });
        await store.take(transportId, NOW, turnOf("holder"));
        expect(await store.release(transportId, "holder", 0, true, tally)).toBe(true);
        expect(await store.transport(transportId)).toMatchObject({ phase: "open", turn: undefined });
      });

      it.each<[string, (seen: TransportState) => Promise<unknown>]>([
        ["a frame was counted", ({ transportId }) => store.count(transportId)],
        ["the turn was stolen", ({ transportId, turn }) => store.steal(transportId, turnOf("thief"), turn)],
      ])("is refused wholly when %s", async (_title, change) => {
        const seen = await held(3);
        await change(seen);
        const changed = await store.transport(seen.transportId);
        expect(await store.release(seen.transportId, "holder", 0, false, { acknowledged: 2 })).toBe(false);
        expect(await store.transport(seen.transportId)).toStrictEqual(changed);
      });

      it("lets the holder finish when it is to end", async () => {
        const seen = await held(3);
        await store.markEnd(seen.transportId, LOST, 0);
        expect(await store.release(seen.transportId, "holder", 0, false, { acknowledged: 2 })).toBe(true);
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
        store.nextNumber(connectionId, numberFor(flusher, { bytes, limit: LIMIT }));

      it("gives out numbers from 1, and makes the first sender the flusher", async () => {
        const { connectionId } = await connectResumable();
        expect(await next(connectionId, "first")).toMatchObject({
          connectionId,
          outbox: { last: 1, sent: 0, bytes: 10, flusher: "first", flushingSince: NOW },
        });
        expect(await store.nextNumber(connectionId, numberFor("second", { now: NOW + 1, bytes: 7 }))).toMatchObject({
          outbox: { last: 2, sent: 0, bytes: 17, flusher: "first", flushingSince: NOW },
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
        for (const outbox of outboxes) expect(outbox?.bytes).toBe(10 * (outbox?.last ?? 0));
        expect(new Set(outboxes.map((outbox) => outbox?.flusher)).size).toBe(1);
      });

      it("is full when as many bytes wait as it holds, and has room for as many again when all is sent", async () => {
        const { connectionId } = await connectResumable();
        await next(connectionId, "first", LIMIT - 1);
        await next(connectionId, "second", LIMIT);
        expect(await next(connectionId, "third")).toBe("full");
        expect((await store.connection(connectionId))?.outbox).toMatchObject({ last: 2, bytes: 2 * LIMIT - 1 });
        expect(await store.finishFlush(connectionId, "first", 2, LIMIT)).toBe(true);
        expect(await next(connectionId, "third", LIMIT - 1)).toMatchObject({
          outbox: { last: 3, sent: 2, flusher: "third" },
        });
        expect(await next(connectionId, "third", 1)).toMatchObject({ outbox: { last: 4 } });
        expect(await next(connectionId, "third", 0)).toBe("full");
      });

      it("has no room again when all is sent to a client that has yet to acknowledge it", async () => {
        const { connectionId } = await connectStateful();
        await next(connectionId, "first", LIMIT);
        expect(await store.finishFlush(connectionId, "first", 1, undefined)).toBe(true);
        expect(await next(connectionId, "second")).toBe("full");
      });

      it("gives out as many numbers as there is room for, to 50 at once", async () => {
        const { connectionId } = await connectStateful();
        const heads = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            store.nextNumber(connectionId, numberFor(`sender ${index}`, { bytes: 10, limit: 95 })),
          ),
        );
        expect(heads.filter((head) => head === "full")).toHaveLength(40);
        expect((await store.connection(connectionId))?.outbox).toMatchObject({ last: 10, bytes: 100 });
      });

      it("gives an answer no number when there was another handshake since it was asked for", async () => {
        const { connectionId, transportId } = await connectStateful();
        const answer = (handshakes: number, limit = LIMIT) =>
          store.nextNumber(connectionId, numberFor("flusher", { handshakes, limit }));
        expect(await answer(1)).toMatchObject({ handshakes: 1, outbox: { last: 1 } });
        expect(await answer(2)).toBeUndefined();
        expect(await store.finishFlush(connectionId, "flusher", 1, undefined)).toBe(true);
        await store.startFlush(connectionId, transportId, flushBy("new", undefined, NOW, 2));
        expect(await answer(1)).toBeUndefined();
        expect(await answer(2)).toMatchObject({ handshakes: 2, outbox: { last: 2 } });
        expect(await next(connectionId, "flusher")).toMatchObject({ outbox: { last: 3 } });
        await next(connectionId, "flusher", LIMIT);
        expect(await answer(1)).toBeUndefined();
        expect(await answer(3)).toBeUndefined();
        expect(await answer(2)).toBe("full");
        expect((await store.connection(connectionId))?.outbox.last).toBe(4);
      });

      it("gives no number of a connection that has ended", async () => {
        const connection = await connectResumable();
        const { transportId, connectionId } = connection;
        const last = await numberAndPut(connectionId, "flusher", 10);
        const buried = await store.bury(connectionId, NOW + 60_000);
        expect(await next(connectionId, "first")).toBeUndefined();
        expect(await store.nextNumber(connectionId, numberFor("first", { limit: 0 }))).toBeUndefined();
        expect(await store.nextNumber(connectionId, numberFor("first", { handshakes: 1 }))).toBeUndefined();
        expect(await store.startFlush(connectionId, transportId, flushBy("first", undefined))).toBeUndefined();
        expect(await store.startFlush(connectionId, transportId, flushBy("first", "flusher"))).toBeUndefined();
        await store.acknowledge(connectionId, transportId, last, LIMIT);
        expect(await store.connection(connectionId)).toStrictEqual(buried);
      });

      it("keeps messages in the order of their numbers, and only behind the one that was asked for", async () => {
        const { connectionId } = await connectResumable();
        const other = await connectResumable({ transportId: id("t2"), connectionId: id("c2") });
        for (const number of [10, 2, 9, 1]) {
          const message = { number, record: `message ${number}` };
          expect(await store.putMessage(connectionId, message, 100 * number, NOW)).toBe(true);
        }
        await store.putMessage(other.connectionId, { number: 3, record: "another's" }, 9, NOW);
        expect(await store.queued(connectionId, 1)).toStrictEqual(
          [2, 9, 10].map((number) => ({ number, record: `message ${number}` })),
        );
        await store.dropMessage(connectionId, 9);
        await store.dropMessage(connectionId, 9);
        expect((await store.queued(connectionId, 0)).map(({ number }) => number)).toEqual([1, 2, 10]);
      });

      it("keeps after which handshake an answer was asked for, and any text", async () => {
        const { connectionId } = await connectStateful();
        const messages = [
          { number: 1, record: "answer", handshakes: 1 },
          { number: 2, record: "news" },
          { number: 3, record: "answer", handshakes: 7 },
          ...HOSTILE_NAMES.map((record, index) => ({ number: 4 + index, record })),
        ];
        for (const message of messages) await store.putMessage(connectionId, message, 5, NOW);
        expect(await store.queued(connectionId, 0)).toStrictEqual(messages);
      });

      it("keeps more than fits a page", async () => {
        const { connectionId } = await connectResumable();
        const record = "x".repeat(120_000);
        const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
        await Promise.all(numbers.map((number) => store.putMessage(connectionId, { number, record }, 5, NOW)));
        const messages = await store.queued(connectionId, 0);
        expect(messages.map(({ number }) => number)).toEqual(numbers);
        expect(messages.every((message) => message.record === record)).toBe(true);
      });

      it("refuses a message over a hole that was filled", async () => {
        const { connectionId } = await connectResumable();
        expect(await store.putMessage(connectionId, { number: 1, record: undefined }, 0, NOW)).toBe(true);
        expect(await store.putMessage(connectionId, { number: 1, record: "late" }, 10, NOW)).toBe(false);
        expect(await store.queued(connectionId, 0)).toStrictEqual([{ number: 1, record: undefined }]);
      });

      it("lets one of a message and the filler of its hole win", async () => {
        const { connectionId } = await connectResumable();
        for (let number = 1; number <= 20; number++) {
          const won = await Promise.all([
            store.putMessage(connectionId, { number, record: undefined }, 0, NOW),
            store.putMessage(connectionId, { number, record: "message" }, 10, NOW),
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
        const before = await store.connection(connectionId);
        expect(await store.finishFlush(connectionId, "first", 1, LIMIT)).toBe(false);
        expect(await store.finishFlush(connectionId, "second", 2, LIMIT)).toBe(false);
        expect(await store.connection(connectionId)).toStrictEqual(before);
        expect(await store.finishFlush(connectionId, "first", 2, LIMIT)).toBe(true);
        expect((await store.connection(connectionId))?.outbox).toStrictEqual({
          ...EMPTY,
          last: 2,
          sent: 2,
          acknowledged: 2,
          bytes: 20,
        });
      });

      it.each([undefined, LIMIT])(
        "has no message that nobody posts: a number is seen by the flusher, or makes one (limit %s)",
        async (limit) => {
          const { connectionId } = await connectResumable();
          for (let number = 1; number <= 20; number++) {
            const flusher = `flusher ${number}`;
            const head = await store.connection(connectionId);
            await next(connectionId, flusher);
            const known = head?.outbox.last ?? 0;
            const [finished, late] = await Promise.all([
              store.finishFlush(connectionId, flusher, known + 1, limit),
              next(connectionId, "late"),
            ]);
            const outbox = typeof late === "object" ? late.outbox : undefined;
            expect(outbox?.flusher).toBe(finished ? "late" : flusher);
            expect(await store.finishFlush(connectionId, outbox?.flusher ?? "", outbox?.last ?? 0, limit)).toBe(true);
          }
        },
      );

      it.each([undefined, LIMIT])("can be finished when nothing was ever sent (limit %s)", async (limit) => {
        const { connectionId, transportId } = await connectResumable();
        await store.startFlush(connectionId, transportId, flushBy("flusher", undefined));
        expect(await store.finishFlush(connectionId, "flusher", 1, limit)).toBe(false);
        expect(await store.finishFlush(connectionId, "flusher", 0, limit)).toBe(true);
        expect((await store.connection(connectionId))?.outbox).toStrictEqual(EMPTY);
        await next(connectionId, "first", LIMIT - 1);
        expect(await next(connectionId, "first", 1)).toMatchObject({ outbox: { last: 2 } });
        expect(await next(connectionId, "first", 1)).toBe("full");
      });

      it("has one of 50 flushers in place of the one that was seen, and only for the transport it has", async () => {
        const { connectionId, transportId } = await connectResumable();
        await next(connectionId, "dead");
        const before = await store.connection(connectionId);
        expect(await store.startFlush(connectionId, "another", flushBy("late", "dead", NOW, 9))).toBeUndefined();
        expect(await store.startFlush(connectionId, transportId, flushBy("late", undefined, NOW, 9))).toBeUndefined();
        expect(await store.startFlush(connectionId, transportId, flushBy("late", "unseen", NOW, 9))).toBeUndefined();
        expect(await store.connection(connectionId)).toStrictEqual(before);
        const heads = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            store.startFlush(connectionId, transportId, flushBy(`flusher ${index}`, "dead", NOW + 1, 3)),
          ),
        );
        const [winner, ...others] = heads.filter((head) => head !== undefined);
        expect(others).toEqual([]);
        expect(winner).toMatchObject({ handshakes: 3, outbox: { last: 1, sent: 0, flushingSince: NOW + 1 } });
        expect(await store.connection(connectionId)).toStrictEqual(winner);
      });

      it("has one flusher when it starts twice, as by a retry of the SDK", async () => {
        const { connectionId, transportId } = await connectResumable();
        await next(connectionId, "dead");
        const started = await store.startFlush(connectionId, transportId, flushBy("flusher", "dead", NOW + 1, 2));
        expect(started).toBeDefined();
        expect(await store.startFlush(connectionId, transportId, flushBy("flusher", "dead", NOW + 1, 2))).toStrictEqual(
          started,
        );
      });

      it("is left by its flusher alone, to whom it says, and forgets nothing then", async () => {
        const { connectionId } = await connectResumable();
        for (let number = 1; number <= 3; number++) await numberAndPut(connectionId, "first", 10);
        const before = await store.connection(connectionId);
        await store.leaveFlush(connectionId, "another", 2, "next");
        expect(await store.connection(connectionId)).toStrictEqual(before);
        await store.leaveFlush(connectionId, "first", 2, "next");
        expect((await store.connection(connectionId))?.outbox).toStrictEqual({
          ...before?.outbox,
          sent: 2,
          flusher: "next",
        });
        expect(await store.queued(connectionId, 0)).toHaveLength(3);
        expect(await next(connectionId, "second")).toMatchObject({ outbox: { last: 4, sent: 2, flusher: "next" } });
        await store.leaveFlush(connectionId, "first", 1, "first");
        expect((await store.connection(connectionId))?.outbox).toMatchObject({ sent: 2, flusher: "next" });
        // What was posted may turn out to be lost.
        await store.leaveFlush(connectionId, "next", 1, "third");
        expect((await store.connection(connectionId))?.outbox).toMatchObject({ sent: 1, flusher: "third" });
      });

      it("is finished or left, by one of two", async () => {
        const { connectionId } = await connectResumable();
        for (let number = 1; number <= 20; number++) {
          await next(connectionId, "flusher");
          const [finished] = await Promise.all([
            store.finishFlush(connectionId, "flusher", number, LIMIT),
            store.leaveFlush(connectionId, "flusher", number - 1, "left"),
          ]);
          const head = (await store.connection(connectionId))?.outbox;
          expect(head).toMatchObject(finished ? { sent: number } : { sent: number - 1, flusher: "left" });
          expect(head?.flusher === undefined).toBe(finished);
          if (!finished) expect(await store.finishFlush(connectionId, "left", number, LIMIT)).toBe(true);
        }
      });

      it("waits for the handshake of a transport that takes over", async () => {
        const connection = await connectResumable();
        const { connectionId, transportId } = connection;
        await next(connectionId, "first");
        await takeOver(connection);
        expect(await store.finishFlush(connectionId, "first", 1, LIMIT)).toBe(false);
        await store.leaveFlush(connectionId, "first", 1, "left");
        expect(await store.startFlush(connectionId, transportId, flushBy("old", id("next")))).toBeUndefined();
        expect(await next(connectionId, "second")).toMatchObject({ outbox: { last: 2, sent: 0, flusher: id("next") } });
        expect(await store.startFlush(connectionId, id("next"), flushBy("new", id("next")))).toMatchObject({
          outbox: { last: 2, sent: 0, flusher: "new" },
        });
      });

      it("goes with the connection", async () => {
        const before = (await opened.rows()).length;
        const connection = await connectResumable();
        for (let number = 1; number <= 3; number++) await numberAndPut(connection.connectionId, "sender", 10);
        await end(connection);
        expect(await opened.rows()).toHaveLength(before + 1);
        expect(await store.queued(connection.connectionId, 0)).toEqual([]);
        expect(await store.finishFlush(connection.connectionId, "sender", 2, LIMIT)).toBe(false);
      });

      it.each([
        ["without a key", {}],
        ["with one", { resumeKey: "key" }],
      ])("goes with the connection of a stateful client %s, but for what it has acknowledged", async (_title, key) => {
        const before = (await opened.rows()).length;
        const connection = await connectStateful(key);
        for (let number = 1; number <= 12; number++) await numberAndPut(connection.connectionId, "sender", 10);
        await store.acknowledge(connection.connectionId, connection.transportId, 9, LIMIT);
        await end(connection);
        // Time to live takes them, for nothing.
        expect((await store.queued(connection.connectionId, 0)).map(({ number }) => number)).toEqual(
          Array.from({ length: 9 }, (_, index) => index + 1),
        );
        expect(await opened.rows()).toHaveLength(before + 10);
      });
    });

    describe("acknowledge", () => {
      const LIMIT = 100;
      /** A stateful client that was sent messages of so many bytes. */
      async function sent(...sizes: readonly number[]): Promise<NewConnection> {
        const connection = await connectStateful();
        for (const bytes of sizes) await numberAndPut(connection.connectionId, "flusher", bytes, LIMIT);
        return connection;
      }
      const room = async ({ connectionId }: NewConnection, bytes: number) =>
        (await store.nextNumber(connectionId, numberFor("flusher", { bytes, limit: LIMIT }))) !== "full";
      const acknowledged = async ({ connectionId }: NewConnection) =>
        (await store.connection(connectionId))?.outbox.acknowledged;

      it("notes what the client has, and changes nothing else", async () => {
        const connection = await sent(10, 20, 30);
        const before = await store.connection(connection.connectionId);
        await store.acknowledge(connection.connectionId, connection.transportId, 2, LIMIT);
        expect(await store.connection(connection.connectionId)).toStrictEqual({
          ...before,
          outbox: { ...before?.outbox, acknowledged: 2 },
        });
        expect(await store.queued(connection.connectionId, 0)).toHaveLength(3);
      });

      it("never goes back, and never beyond what was sent", async () => {
        const connection = await sent(10, 10, 10);
        const { connectionId, transportId } = connection;
        for (const [number, expected] of [
          [4, 0],
          [Number.MAX_SAFE_INTEGER, 0],
          [0, 0],
          [2, 2],
          [2, 2],
          [1, 2],
          [0, 2],
          [-1, 2],
          [4, 2],
          [3, 3],
        ] as const) {
          await store.acknowledge(connectionId, transportId, number, LIMIT);
          expect(await acknowledged(connection)).toBe(expected);
        }
      });

      it("keeps the highest of 50 at once", async () => {
        const connection = await sent(...Array.from({ length: 50 }, () => 1));
        const numbers = Array.from({ length: 50 }, (_, index) => ((index * 7) % 50) + 1);
        await Promise.all(
          numbers.map((number) => store.acknowledge(connection.connectionId, connection.transportId, number, LIMIT)),
        );
        expect(await acknowledged(connection)).toBe(50);
        // And the room that goes with it: 50 are sent, so there is room for 100 more.
        expect(await room(connection, 99)).toBe(true);
        expect(await room(connection, 1)).toBe(true);
        expect(await room(connection, 1)).toBe(false);
      });

      it("is the present transport's alone", async () => {
        const connection = await sent(10, 10);
        const { connectionId, transportId } = connection;
        await store.acknowledge(connectionId, "another", 1, LIMIT);
        expect(await acknowledged(connection)).toBe(0);
        await takeOver(connection);
        await store.acknowledge(connectionId, transportId, 1, LIMIT);
        expect(await acknowledged(connection)).toBe(0);
        await store.acknowledge(connectionId, id("next"), 1, LIMIT);
        expect(await acknowledged(connection)).toBe(1);
      });

      it("makes room for exactly as much as is known to have arrived", async () => {
        const connection = await sent(40, 60);
        const { connectionId, transportId } = connection;
        expect(await room(connection, 1)).toBe(false);
        await store.acknowledge(connectionId, transportId, 1, LIMIT);
        // 60 are unacknowledged.
        expect(await numberAndPut(connectionId, "flusher", 39, LIMIT)).toBe(3);
        expect(await numberAndPut(connectionId, "flusher", 500, LIMIT)).toBe(4);
        expect(await room(connection, 1)).toBe(false);
        await store.acknowledge(connectionId, transportId, 3, LIMIT);
        expect(await room(connection, 1)).toBe(false);
        await store.acknowledge(connectionId, transportId, 4, LIMIT);
        expect(await room(connection, 100)).toBe(true);
        expect(await room(connection, 1)).toBe(false);
      });

      it("leaves the room as it is for a number that was passed over, or whose message is gone", async () => {
        const connection = await sent(40, 59);
        const { connectionId, transportId } = connection;
        await store.acknowledge(connectionId, transportId, 1, LIMIT);
        // Room up to 140. Number 3 is given out and never put.
        await store.nextNumber(connectionId, numberFor("flusher", { bytes: 10, limit: LIMIT }));
        await store.putMessage(connectionId, { number: 3, record: undefined }, 0, NOW);
        await store.dropMessage(connectionId, 2);
        await store.acknowledge(connectionId, transportId, 2, LIMIT);
        await store.acknowledge(connectionId, transportId, 3, LIMIT);
        expect(await acknowledged(connection)).toBe(3);
        expect(await room(connection, 30)).toBe(true);
        expect(await room(connection, 1)).toBe(true);
        expect(await room(connection, 1)).toBe(false);
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
          stateful: false,
          issuedAt: 0,
          handshakes: 1,
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
        ["touch that counts", (name) => store.touch(name, NOW, [receiptOf(1)]), undefined],
        ["take that counts", (name) => store.take(name, NOW, turn, [receiptOf(1)]), undefined],
        ["tally", (name) => store.tally(name, frozenOf(name), changeOf(frozenOf(name), { deadline: NOW })), undefined],
        [
          "tally that takes the turn and expects",
          (name) => store.tally(name, frozenOf(name), changeOf(frozenOf(name), { turn, expected: ["a"] })),
          undefined,
        ],
        ["trim", (name) => store.trim(name, trimOf(frozenOf(name), 0, 1)), undefined],
        ["trim that forgets", (name) => store.trim(name, trimOf(frozenOf(name), 2)), undefined],
        ["release and trim", (name) => store.release(name, "holder", 0, false, trimOf(frozenOf(name), 1)), false],
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
        ["reopen by a handshake", (name) => reopen(name, HANDSHAKE), undefined],
        ["reopen by a Sequence", (name) => reopen(name, { expected: [] }), undefined],
        ["reopen by a Sequence that repeats", (name) => reopen(name, { expected: ["a"] }), undefined],
        ["lose", (name) => store.lose(name, NOW), undefined],
        ["dropUnused", (name) => store.dropUnused(name), undefined],
        ["dropReplaced", (name) => store.dropReplaced(name), undefined],
        ["yieldTurn", (name) => store.yieldTurn(name, "holder"), undefined],
        ["nextNumber", (name) => store.nextNumber(name, numberFor("flusher")), undefined],
        [
          "nextNumber for an answer",
          (name) => store.nextNumber(name, numberFor("flusher", { handshakes: 1 })),
          undefined,
        ],
        ["nextNumber without room", (name) => store.nextNumber(name, numberFor("flusher", { limit: 0 })), undefined],
        ["acknowledge", (name) => store.acknowledge(name, name, 1, 10), undefined],
        ["acknowledge of nothing", (name) => store.acknowledge(name, name, 0, 10), undefined],
        ["queued", (name) => store.queued(name, 0), []],
        ["dropMessage", (name) => store.dropMessage(name, 1), undefined],
        ["startFlush", (name) => store.startFlush(name, name, flushBy("flusher", undefined, NOW)), undefined],
        ["finishFlush", (name) => store.finishFlush(name, "flusher", 0, undefined), false],
        ["finishFlush that makes room", (name) => store.finishFlush(name, "flusher", 0, 10), false],
        ["leaveFlush", (name) => store.leaveFlush(name, "flusher", 0, "next"), undefined],
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
  return { key, text: "{}", receivedAt: NOW, transportId, handshakes: 1, repeated: [] };
}

function printOf(index: number): string {
  return `print${index}`;
}

function receiptOf(index: number): Receipt {
  return { fingerprint: printOf(index), receivedAt: NOW + index, frame: `f${index}` };
}

/** The counts as they were seen, but for what changes. */
function changeOf({ tally }: TransportState, changes: Partial<TallyChange> = {}): TallyChange {
  const { received, recent, expected } = tally;
  return { received, recent, expected, ...changes };
}

function trimOf({ tally }: TransportState, drop: number, acknowledged = 0): Trim {
  return { seen: tally, acknowledged, drop };
}

function numberFor(flusher: string, changes: Partial<NumberRequest> = {}): NumberRequest {
  return { flusher, now: NOW, bytes: 10, limit: 1_000, ...changes };
}

function flushBy(
  flusher: string,
  seen: string | undefined,
  now = NOW,
  handshakes = 1,
): Parameters<Store["startFlush"]>[2] {
  return { flusher, seen, now, handshakes };
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
    stateful: true,
    issuedAt: NOW,
    handshakes: 1,
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
    stateful: false,
    handshakes: 1,
    tally: NOTHING_COUNTED,
    base: 0,
    replay: NO_REPLAY,
  };
}

function takeoverOf(from: TransportState, transportId: string): Takeover {
  const times = { deadline: NOW + 15_000, rotateAt: NOW + 6_600_000, now: NOW };
  return { from, transportId, session: sessionOf({}), stateful: false, issuedAt: 0, ...times };
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
