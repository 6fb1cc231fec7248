import { describe, expect, it } from "vitest";
import { type ConnectRequest, connect } from "../../lambdas/hub/connect.ts";
import type { Authenticate, ConnectionTokenClaims, Store } from "../../lambdas/hub/index.ts";
import { negotiate } from "../../lambdas/hub/negotiate.ts";
import { admissionPorts, requestFor } from "./requests.ts";

const NOT_FOUND = { status: 404, body: "No Connection with that ID" };

type Options = Parameters<typeof admissionPorts>[0];

/** A service that has handed out a connection token, and what it says to a transport that brings one. */
async function opened(options: Options = {}, claims: Partial<ConnectionTokenClaims> = {}) {
  const service = admissionPorts(options);
  const { ports, clock, tokens } = service;
  const issue = (changes: Partial<ConnectionTokenClaims> = {}) =>
    tokens.issue({ hub: "chat", connectionId: "c", stateful: false, issuedAt: clock.now(), ...claims, ...changes });
  const token = await issue();
  let transports = 0;
  return {
    ...service,
    token,
    issue,
    connect: (request: Partial<ConnectRequest> = {}) =>
      connect(ports, { transportId: `t-${++transports}`, ...requestFor({ query: { id: token } }), ...request }),
  };
}

describe("a transport with a token", () => {
  it("is accepted, and what it needs later is kept", async () => {
    const { connect, ports, clock } = await opened({ requestHeaders: ["X-Trace"] });
    const request = requestFor({
      headers: { "x-trace": "7", cookie: "secret=1" },
      query: { ID: (await opened()).token, Access_Token: "secret", room: "a", ROOM: "b" },
    });
    expect(await connect({ ...request, transportId: "t" })).toBeUndefined();
    expect(await ports.store.connection("c")).toMatchObject({ hub: "chat", transportId: "t", ended: false });
    expect(await ports.store.transport("t")).toMatchObject({
      connectionId: "c",
      phase: "accepted",
      deadline: clock.now() + 15_000,
      turn: undefined,
    });
    const session = await ports.store.session("t");
    expect(JSON.parse(JSON.stringify(session))).toMatchObject({
      user: { isAuthenticated: false },
      request: { query: { room: "a", ROOM: "b" }, headers: { "x-trace": "7" } },
      items: {},
    });
    expect(Object.keys(session?.request.query ?? {})).toEqual(["room", "ROOM"]);
    expect(Object.keys(session?.request.headers ?? {})).toEqual(["x-trace"]);
  });

  it("lives between 110 and 118 minutes, each by its own", async () => {
    const lives = await Promise.all(
      ["a", "b", "abcdefghijklmnop", "zzzzzzzzzzzzzzzzzzzzzz"].map(async (connectionId) => {
        const { connect, ports, clock } = await opened({}, { connectionId });
        await connect();
        return ((await ports.store.transport("t-1"))?.rotateAt ?? 0) - clock.now();
      }),
    );
    for (const life of lives) {
      expect(life).toBeGreaterThanOrEqual(110 * 60_000);
      expect(life).toBeLessThan(118 * 60_000);
    }
    expect(new Set(lives).size).toBe(lives.length);
  });

  it.each([
    ["at once", 0, true],
    ["after 15 s and the skew of two clocks", 20_000, true],
    ["later", 20_001, false],
    ["from a clock 5 s ahead", -5000, true],
    ["from a clock further ahead", -5001, false],
  ])("may use it %s", async (_title, age, accepted) => {
    const now = admissionPorts().clock.now();
    const { connect } = await opened({}, { issuedAt: now - age });
    expect(await connect()).toEqual(accepted ? undefined : NOT_FOUND);
  });

  it.each<[string, Partial<ConnectRequest>]>([
    ["made up", { query: { id: "made-up" } }],
    ["empty", { query: { id: "" } }],
    ["of another secret", { query: { id: `${"a".repeat(40)}.${"a".repeat(42)}A` } }],
    ["of another hub", { hubPath: "members", headers: { authorization: "Bearer x" } }],
  ])("is refused with one %s", async (_title, request) => {
    const { connect, table } = await opened({ auth: ({ token }) => (token === undefined ? null : {}) });
    expect(await connect(request)).toEqual(NOT_FOUND);
    expect(table.rows()).toEqual([]);
  });

  it("is refused with one it has changed", async () => {
    const { connect, token } = await opened();
    for (const id of [token.slice(0, -1), `${token}A`, token.replace(/^./, (first) => (first === "W" ? "X" : "W"))]) {
      expect(await connect({ query: { id } })).toEqual(NOT_FOUND);
    }
  });

  it.each([
    ["ada", "ada", undefined],
    ["ada", "eve", { status: 403, body: "Forbidden" }],
    ["ada", undefined, { status: 401, body: "Unauthorized" }],
    [undefined, "eve", { status: 403, body: "Forbidden" }],
    [undefined, undefined, undefined],
  ])("handed to %s is for nobody else: %s", async (handedTo, user, expected) => {
    const claims = handedTo === undefined ? {} : { userIdentifier: handedTo };
    const { connect, table } = await opened({ auth: () => (user === undefined ? null : { sub: user }) }, claims);
    expect(await connect()).toEqual(expected);
    if (expected !== undefined) expect(table.rows()).toEqual([]);
  });

  it("is refused while another has it, and after that one has ended", async () => {
    const { connect, ports, clock, table } = await opened();
    expect(await connect()).toBeUndefined();
    const rows = table.rows();
    expect(await connect()).toEqual({ status: 409, body: "" });
    expect(table.rows()).toEqual(rows);
    await ports.store.bury("c", clock.now() + 60_000);
    expect(await connect()).toEqual(NOT_FOUND);
  });
});

describe("what auth is told of when a transport's connection was negotiated", () => {
  const told: (number | undefined)[] = [];
  const auth: Authenticate = ({ negotiatedAt }) => {
    told.push(negotiatedAt);
    return null;
  };

  it.each(["chat", "Chat"])("is the time of its token, however old, at /%s", async (hubPath) => {
    const { connect, issue } = await opened({ auth });
    await connect({ hubPath, query: { ID: await issue({ issuedAt: 7 }) } });
    expect(told.at(-1)).toBe(7);
  });

  it("is nothing without a token of the hub's own", async () => {
    const { connect, issue, token } = await opened({ auth });
    const ids = [undefined, "", "constructor", `${token.slice(0, -1)}!`, await issue({ hub: "members" })];
    told.length = 0;
    for (const id of ids) await connect({ query: { id } });
    expect(told).toEqual(ids.map(() => undefined));
  });

  it("is nothing at negotiate, whatever it brings", async () => {
    const { ports, token } = await opened({ auth });
    await negotiate(ports, { method: "POST", ...requestFor({ query: { id: token } }) });
    expect(told.at(-1)).toBeUndefined();
  });
});

it.each([{}, { query: {} }])("is refused by a hub without sockets, whatever it brings: %j", async (request) => {
  const { connect, table } = await opened({ transports: ["LongPolling", "ServerSentEvents"] });
  const body = "WebSockets transport not supported by this end point type";
  expect(await connect(request)).toEqual({ status: 404, body });
  expect(table.rows()).toEqual([]);
});

it("is refused for its user before it is refused for its transport", async () => {
  const { connect } = await opened({ transports: ["LongPolling"] });
  expect(await connect({ hubPath: "members" })).toEqual({ status: 401, body: "Unauthorized" });
});

describe("a transport without a token", () => {
  it("gets a connection of its own", async () => {
    const { connect, ports } = await opened();
    expect(await connect({ query: {} })).toBeUndefined();
    expect(await ports.store.connection("id-1")).toMatchObject({ transportId: "t-1", ended: false });
  });

  it.each([
    ["members", 401],
    ["nowhere", 404],
  ])("is let into %s no more than one with it: %i", async (hubPath, status) => {
    const { connect, table } = await opened();
    expect(await connect({ query: {}, hubPath })).toMatchObject({ status });
    expect(table.rows()).toEqual([]);
  });
});

describe("a transport whose client counts", () => {
  const ALREADY = { status: 409, body: "" };
  const LATER = 60_000;

  it("is accepted as such: it may come back by its token", async () => {
    const { connect, ports, clock } = await opened({}, { stateful: true });
    expect(await connect()).toBeUndefined();
    expect(await ports.store.transport("t-1")).toMatchObject({
      stateful: true,
      resumable: true,
      resuming: false,
      deadline: clock.now() + 15_000,
    });
    expect(await ports.store.connection("c")).toMatchObject({ stateful: true, issuedAt: clock.now() });
  });

  it("takes its connection over with the same token, however old, while it is there or lost", async () => {
    const { connect, ports, clock } = await opened({}, { stateful: true });
    await connect();
    await open(ports.store, "t-1");
    for (const transportId of ["t-2", "t-3"]) {
      await clock.advance(LATER);
      const before = await ports.store.transport(transportId === "t-2" ? "t-1" : "t-2");
      if (transportId === "t-3") await ports.store.lose("t-2", clock.now() + LATER);
      expect(await connect()).toBeUndefined();
      expect(await ports.store.connection("c")).toMatchObject({ transportId, stateful: true });
      expect(await ports.store.transport(transportId)).toMatchObject({
        connectionId: "c",
        stateful: true,
        resuming: true,
        lost: false,
        handshakes: 1,
        tally: before?.tally,
      });
    }
  });

  it("has 5 s for its Sequence, or as long as for a handshake when that is shorter", async () => {
    for (const [handshakeTimeout, expected] of [
      [15_000, 5_000],
      [3_000, 3_000],
    ] as const) {
      const { connect, ports, clock } = await opened({ lifetime: { handshakeTimeout } }, { stateful: true });
      await connect();
      await open(ports.store, "t-1");
      await connect();
      expect((await ports.store.transport("t-2"))?.deadline).toBe(clock.now() + expected);
    }
  });

  it("is not told that it was resumed by another: it was not", async () => {
    const { connect, ports, posted, closed } = await listening({ stateful: true });
    await connect();
    await open(ports.store, "t-1");
    await connect();
    expect(posted).toEqual([]);
    expect(closed).toEqual(["t-1"]);
  });

  it("with an old token only resumes: there is nothing to begin anew", async () => {
    const { connect, ports, clock, table } = await opened({}, { stateful: true });
    await clock.advance(20_001);
    expect(await connect()).toEqual(NOT_FOUND);
    expect(table.rows()).toEqual([]);
    const other = await opened({}, { stateful: true });
    await other.connect();
    await other.ports.store.bury("c", other.clock.now() + LATER);
    await other.clock.advance(20_001);
    expect(await other.connect()).toEqual(NOT_FOUND);
    expect(await ports.store.connection("c")).toBeUndefined();
  });

  it.each([
    [20_000, undefined],
    [20_001, NOT_FOUND],
  ])("may begin with a token of %d ms, as everybody: %j", async (age, answer) => {
    const { connect, clock } = await opened({}, { stateful: true });
    await clock.advance(age);
    expect(await connect()).toEqual(answer);
  });

  it("has no token of the future either", async () => {
    const now = admissionPorts().clock.now();
    const { connect } = await opened({}, { stateful: true, issuedAt: now + 5_001 });
    expect(await connect()).toEqual(NOT_FOUND);
  });

  it.each<[string, Partial<ConnectionTokenClaims>]>([
    ["older", { stateful: true, issuedAt: Date.UTC(2026, 0, 1) - 1 }],
    ["newer", { stateful: true, issuedAt: Date.UTC(2026, 0, 1) + 1 }],
    ["newer, whose client does not count", { stateful: false, issuedAt: Date.UTC(2026, 0, 1) + 1 }],
  ])("keeps its connection from whoever has another token of it: %s", async (_title, claims) => {
    const { connect, issue, ports, table } = await opened({}, { stateful: true });
    await connect();
    await open(ports.store, "t-1");
    const rows = table.rows();
    expect(await connect({ query: { id: await issue(claims) } })).toEqual(ALREADY);
    expect(table.rows()).toEqual(rows);
    expect(await ports.store.transport("t-1")).toMatchObject({ next: undefined });
  });

  it("is refused before its connection is open, and once it is to end", async () => {
    const { connect, ports, table } = await opened({}, { stateful: true });
    await connect();
    const rows = table.rows();
    expect(await connect()).toEqual(ALREADY);
    await open(ports.store, "t-1");
    await ports.store.markEnd("t-1", { stopCalled: true, code: "stopped" }, 0);
    expect(await connect()).toEqual(ALREADY);
    expect(table.rows()).toEqual(rows);
  });

  it("is one of 20 that come with one token at once", async () => {
    const { connect, ports } = await opened({}, { stateful: true });
    await connect();
    await open(ports.store, "t-1");
    const answers = await Promise.all(Array.from({ length: 20 }, () => connect()));
    const winners = answers.flatMap((answer, index) => (answer === undefined ? [`t-${index + 2}`] : []));
    expect(answers.filter((answer) => answer !== undefined && answer.status !== 409)).toEqual([]);
    // Each may take over from the one before, and the connection is with the last.
    expect(winners).toContain((await ports.store.connection("c"))?.transportId);
    const unfrozen = await Promise.all(
      winners.map(async (id) => (await ports.store.transport(id))?.next === undefined),
    );
    expect(unfrozen.filter(Boolean)).toHaveLength(1);
  });

  it("is held to its user", async () => {
    let user = "ada";
    const { connect, ports, clock } = await opened(
      { auth: () => ({ sub: user }) },
      { stateful: true, userIdentifier: "ada" },
    );
    await connect();
    await open(ports.store, "t-1");
    await clock.advance(LATER);
    user = "eve";
    expect(await connect()).toEqual({ status: 403, body: "Forbidden" });
    expect(await ports.store.connection("c")).toMatchObject({ transportId: "t-1" });
  });
});

describe("a transport with a resume key", () => {
  const KEY = "0123456789abcdef0123456789abcdef";
  const ALREADY = { status: 409, body: "" };

  it.each([true, false])(
    "takes over by a new token, whose time counts from then on: it counts %s",
    async (stateful) => {
      const { connect, issue, ports, clock, token } = await opened({}, { stateful: true });
      const query = { resume: KEY };
      await connect({ query: { ...query, id: token } });
      await open(ports.store, "t-1");
      await clock.advance(1_000);
      const issuedAt = clock.now();
      const next = await issue({ stateful, issuedAt });
      expect(await connect({ query: { ...query, id: next } })).toBeUndefined();
      expect(await ports.store.connection("c")).toMatchObject({ transportId: "t-2", stateful, issuedAt });
      // It begins with a handshake, as any other.
      expect(await ports.store.transport("t-2")).toMatchObject({
        stateful,
        resuming: true,
        deadline: issuedAt + 15_000,
      });
    },
  );

  it("makes the token before no longer good, with the key or without", async () => {
    const { connect, issue, ports, clock, token } = await opened({}, { stateful: true });
    await connect({ query: { id: token, resume: KEY } });
    await open(ports.store, "t-1");
    await clock.advance(30_000);
    const next = await issue({ issuedAt: clock.now() });
    await connect({ query: { id: next, resume: KEY } });
    await ports.store.reopen(...anew("t-2"));
    expect(await connect({ query: { id: token } })).toEqual(ALREADY);
    expect(await connect({ query: { id: token, resume: KEY } })).toEqual(ALREADY);
    expect(await ports.store.connection("c")).toMatchObject({ transportId: "t-2" });
    await clock.advance(5_000);
    expect(await connect({ query: { id: next } })).toBeUndefined();
    expect(await ports.store.connection("c")).toMatchObject({ issuedAt: clock.now() - 5_000 });
  });

  it.each([
    ["another key", KEY.toUpperCase()],
    ["none", undefined],
    ["one that is too short", KEY.slice(1)],
  ])("finds its own connection only: %s with a new token is refused", async (_title, resume) => {
    const { connect, issue, ports, clock, token } = await opened();
    await connect({ query: { id: token, resume: KEY } });
    await open(ports.store, "t-1");
    await clock.advance(1_000);
    expect(await connect({ query: { id: await issue({ issuedAt: clock.now() }), resume } })).toEqual(ALREADY);
    expect(await ports.store.connection("c")).toMatchObject({ transportId: "t-1" });
  });

  it("by an old token is not found, when its client does not count", async () => {
    const { connect, ports, clock, token } = await opened();
    await connect({ query: { id: token, resume: KEY } });
    await open(ports.store, "t-1");
    await clock.advance(20_001);
    expect(await connect({ query: { id: token, resume: KEY } })).toEqual(NOT_FOUND);
  });

  it("needs no token, and its client does not count then", async () => {
    const { connect, ports, token } = await opened({}, { stateful: true });
    await connect({ query: { id: token, resume: KEY } });
    await open(ports.store, "t-1");
    expect(await connect({ query: { resume: KEY } })).toBeUndefined();
    expect(await ports.store.connection("c")).toMatchObject({ transportId: "t-2", stateful: false, issuedAt: 0 });
    await ports.store.reopen(...anew("t-2"));
    // Nor has it a token with which it could resume.
    expect(await connect({ query: { id: token } })).toEqual(ALREADY);
  });

  it("tells the other page so, by the key but not by the token", async () => {
    const { connect, issue, ports, clock, token, posted, closed } = await listening({ stateful: true });
    await connect({ query: { id: token, resume: KEY } });
    await open(ports.store, "t-1");
    await clock.advance(1_000);
    const next = await issue({ issuedAt: clock.now() });
    await connect({ query: { id: next, resume: KEY } });
    expect(posted).toEqual([["t-1", expect.stringContaining("resumed by another client with the same resume key")]]);
    expect(closed).toEqual(["t-1"]);
    await ports.store.reopen(...anew("t-2"));
    await connect({ query: { id: next, resume: KEY } });
    expect(posted).toHaveLength(1);
    expect(closed).toEqual(["t-1", "t-2"]);
  });
});

/** As the handshake does it. */
async function open(store: Store, transportId: string): Promise<void> {
  const until = Date.UTC(2027, 0, 1);
  await store.take(transportId, until, { holder: "opener", until, invocations: [] });
  expect(await store.release(transportId, "opener", 0, true)).toBe(true);
}

function anew(transportId: string): Parameters<Store["reopen"]> {
  return [
    transportId,
    { base: 0 },
    { holder: "opener", until: Date.UTC(2027, 0, 1), invocations: [] },
    { deadline: Date.UTC(2027, 0, 1), quietUntil: 0 },
  ];
}

/** The same with sockets that take what they are posted. */
async function listening(claims: Partial<ConnectionTokenClaims>) {
  const posted: [string, string][] = [];
  const closed: string[] = [];
  const service = await opened({}, claims);
  Object.assign(service.ports, {
    transports: {
      async post(transportId: string, text: string) {
        posted.push([transportId, text]);
        return "accepted";
      },
      close: async (transportId: string) => void closed.push(transportId),
    },
  });
  return { ...service, posted, closed };
}
