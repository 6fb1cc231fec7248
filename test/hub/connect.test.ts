import { describe, expect, it } from "vitest";
import { type ConnectRequest, connect } from "../../lambdas/hub/connect.ts";
import type { ConnectionTokenClaims } from "../../lambdas/hub/index.ts";
import { admissionPorts, requestFor } from "./requests.ts";

const NOT_FOUND = { status: 404, body: "No Connection with that ID" };

type Options = Parameters<typeof admissionPorts>[0];

/** A service that has handed out a connection token, and what it says to a transport that brings one. */
async function opened(options: Options = {}, claims: Partial<ConnectionTokenClaims> = {}) {
  const service = admissionPorts(options);
  const { ports, clock, tokens } = service;
  const token = await tokens.issue({ hub: "chat", connectionId: "c", issuedAt: clock.now(), ...claims });
  let transports = 0;
  return {
    ...service,
    token,
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
