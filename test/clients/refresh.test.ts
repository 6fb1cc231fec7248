// `enableAuthenticationRefresh`: a client brings a new access token for a connection that stays as it is.

import type { HubConnection, IHttpConnectionOptions } from "@microsoft/signalr";
import { type AuthRequest, defineHub, type ServiceOptions } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { VirtualTime } from "./virtual-time.ts";

const MINUTE = 60_000;
/** Until an event that waits for its turn has run, or an expired token is noticed: a tick, and what it takes. */
const NOTICED = 10_000;
/** Till a sweeper is there that found nobody at first. */
const SCHEDULE = 60_000;
const KEY = "0123456789abcdef0123456789abcdef";

/** A token is its claims: these tests are not about signatures. */
const auth = ({ token }: AuthRequest) => {
  if (token === undefined || token === "bad") return null;
  return JSON.parse(Buffer.from(token, "base64url").toString());
};
const tokenOf = (claims: object) => Buffer.from(JSON.stringify({ sub: "ada", ...claims })).toString("base64url");
const inSeconds = (milliseconds: number) => Math.ceil((Date.now() + milliseconds) / 1000);

async function serve(options: Partial<ServiceOptions> = {}, tells = true) {
  const events = new Arrivals<unknown>();
  const hub = defineHub<{ told(text: string): void }>()({
    methods: {
      who: (hub) => [hub.user.name, hub.user.roles, hub.userIdentifier],
      set: (hub, value: number) => void hub.items.set("value", value),
      get: (hub) => hub.items.get("value"),
      query: (hub) => hub.request.query,
      premium: { args: [], authorize: { roles: ["premium"] }, handler: () => "welcome" },
      wait: (_hub, milliseconds: number) => time.service.clock.sleep(milliseconds),
    },
    ...(tells && {
      async onAuthenticationRefreshed(hub: { user: { roles: readonly string[] }; items: Map<string, unknown> }) {
        events.push(`refreshed ${hub.user.roles} ${hub.items.get("value")}`);
        hub.items.set("refreshed", true);
      },
    }),
    onDisconnected: (_hub, { error }) => void events.push(`disconnected ${error?.code}`),
  });
  const time: VirtualTime = await VirtualTime.serve({
    hubs: { chat: hub, other: hub, members: defineHub()({ methods: {}, authorize: { roles: ["member"] } }) },
    auth,
    enableAuthenticationRefresh: true,
    allowedOrigins: ["https://app.example.com"],
    ...options,
  } as ServiceOptions);

  /** A stock client, and the token of its connection, which only it and the server know. */
  async function connect(claims: object | null = {}, path = "/chat", stateful = false) {
    let token = "";
    const { httpClient, WebSocket } = time.network.options;
    const seeing = class extends (WebSocket as new (url: string, protocols?: string[], options?: object) => object) {
      constructor(url: string, protocols?: string[], options?: object) {
        super(url, protocols, options);
        token = new URL(url).searchParams.get("id") ?? "";
      }
    };
    const options = { httpClient, WebSocket: seeing, ...(claims && { accessTokenFactory: () => tokenOf(claims) }) };
    const builder = time.service.build(path, options as IHttpConnectionOptions);
    if (stateful) builder.withStatefulReconnect();
    const connection: HubConnection = time.service.track(builder.build());
    await time.until(connection.start());
    return { connection, token: () => token };
  }

  /** Status and body of a refresh. */
  async function refresh(
    id: string | undefined,
    accessToken: string | undefined,
    { path = "/chat", method = "POST", headers = {} }: { path?: string; method?: string; headers?: object } = {},
  ): Promise<[number, unknown]> {
    const url = `${time.service.url.replace("localhost", "127.0.0.1")}${path}/refresh`;
    const query = id === undefined ? "" : `?id=${encodeURIComponent(id)}`;
    const authorization = accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` };
    const request = fetch(url + query, { method, headers: { ...authorization, ...headers } });
    const response = await time.until(request);
    const text = await time.until(response.text());
    const isJson = response.headers.get("content-type") === "application/json";
    return [response.status, isJson ? JSON.parse(text) : text];
  }
  return { time, events, connect, refresh };
}

describe("a refresh", () => {
  it.each([
    ["a plain connection", "/chat", false],
    ["one with a resume key", `/chat?resume=${KEY}`, false],
    ["a stateful one", "/chat", true],
  ])("gives %s a new user, and leaves the rest", async (_title, path, stateful) => {
    const { time, events, connect, refresh } = await serve();
    const { connection, token } = await connect({ name: "Ada", role: "guest" }, path, stateful);
    const { connectionId } = connection;
    await time.until(connection.invoke("set", 7));
    await expect(time.until(connection.invoke("premium"))).rejects.toThrow("because user is unauthorized");
    expect(await refresh(token(), tokenOf({ name: "Countess", role: ["premium", "guest"] }))).toEqual([200, {}]);
    expect(await time.until(connection.invoke("who"))).toEqual(["Countess", ["premium", "guest"], "ada"]);
    expect(await time.until(connection.invoke("premium"))).toBe("welcome");
    expect(await time.until(connection.invoke("get"))).toBe(7);
    expect(connection.connectionId).toBe(connectionId);
    expect(events.all).toEqual(["refreshed premium,guest 7"]);
  });

  it("keeps a connection beyond the end of its first token, and to the end of the new one", async () => {
    const { time, events, connect, refresh } = await serve({ closeOnAuthenticationExpiration: true });
    const { connection, token } = await connect({ exp: inSeconds(2 * MINUTE) });
    const other = await connect({ exp: inSeconds(2 * MINUTE) });
    await time.pass(MINUTE);
    const [status, body] = await refresh(token(), tokenOf({ exp: inSeconds(5 * MINUTE) }));
    expect(status).toBe(200);
    expect((body as { tokenLifetimeSeconds: number }).tokenLifetimeSeconds).toBeGreaterThanOrEqual(299);
    expect((body as { tokenLifetimeSeconds: number }).tokenLifetimeSeconds).toBeLessThanOrEqual(301);
    await time.pass(2 * MINUTE);
    expect(await time.until(connection.invoke("who"))).toEqual([null, [], "ada"]);
    expect(other.connection.state).toBe("Disconnected");
    await time.pass(3 * MINUTE + NOTICED);
    expect(connection.state).toBe("Disconnected");
    expect(events.all).toEqual(["refreshed  undefined", "disconnected token_expired", "disconnected token_expired"]);
  });

  it("runs onAuthenticationRefreshed in its turn: with nothing else to do, within seconds", async () => {
    const { time, events, connect, refresh } = await serve();
    const { connection, token } = await connect();
    await time.pass(SCHEDULE);
    await refresh(token(), tokenOf({ role: "idle" }));
    await time.pass(NOTICED);
    expect(events.all).toEqual(["refreshed idle undefined"]);
    const busy = connection.invoke("wait", 5_000);
    await time.pass(1_000);
    await refresh(token(), tokenOf({ role: "busy" }));
    const behind = connection.invoke("who");
    await time.pass(2_000);
    expect(events.all).toHaveLength(1);
    await time.until(busy);
    // What waited behind it in the same function finds the new user.
    expect(await time.until(behind)).toEqual([null, ["busy"], "ada"]);
    expect(events.all).toEqual(["refreshed idle undefined", "refreshed busy undefined"]);
  });

  it("needs no event", async () => {
    const { time, events, connect, refresh } = await serve({}, false);
    const { connection, token } = await connect();
    expect(await refresh(token(), tokenOf({ role: "new" }))).toEqual([200, {}]);
    expect(await time.until(connection.invoke("who"))).toEqual([null, ["new"], "ada"]);
    expect(events.all).toEqual([]);
  });

  it("is as good after a resume", async () => {
    const { time, connect, refresh } = await serve();
    const { connection, token } = await connect({}, "/chat", true);
    for (const { id } of time.service.server.transports()) time.service.server.faults.cut(id);
    await time.pass(1_000);
    expect(await refresh(token(), tokenOf({ role: "again" }))).toEqual([200, {}]);
    expect(await time.until(connection.invoke("who"))).toEqual([null, ["again"], "ada"]);
  });
});

describe("a refresh is refused", () => {
  it("where it is not enabled", async () => {
    const { connect, refresh } = await serve({ enableAuthenticationRefresh: false });
    const { token } = await connect();
    expect(await refresh(token(), tokenOf({}))).toEqual([404, { error: "refresh_disabled" }]);
  });

  it("without a connection token, and with one of no connection", async () => {
    const { time, connect, refresh } = await serve();
    const { connection, token } = await connect();
    const missing = [400, { error: "missing_connection_token" }];
    const notFound = [404, { error: "connection_not_found" }];
    expect(await refresh(undefined, tokenOf({}))).toEqual(missing);
    expect(await refresh("", tokenOf({}))).toEqual(missing);
    for (const id of ["x", `${token()}x`, connection.connectionId ?? "", "__proto__", "constructor"]) {
      expect(await refresh(id, tokenOf({}))).toEqual(notFound);
    }
    // Of another hub.
    expect(await refresh(token(), tokenOf({}), { path: "/other" })).toEqual(notFound);
    // Negotiated, and never connected.
    const { connectionToken } = await time.until(
      time.service.offer("/chat", { headers: { authorization: `Bearer ${tokenOf({})}` } }),
    );
    expect(await refresh(connectionToken, tokenOf({}))).toEqual(notFound);
    await time.until(connection.stop());
    await time.until(time.service.table.ended());
    expect(await refresh(token(), tokenOf({}))).toEqual(notFound);
  });

  it("without an access token that is good, of the same user", async () => {
    const { time, events, connect, refresh } = await serve();
    const { connection, token } = await connect({ name: "Ada" });
    const anonymous = await connect(null);
    const invalid = [401, { error: "invalid_token" }];
    expect(await refresh(token(), undefined)).toEqual(invalid);
    expect(await refresh(token(), "bad")).toEqual(invalid);
    expect(await refresh(token(), tokenOf({ sub: "bob" }))).toEqual(invalid);
    expect(await refresh(token(), tokenOf({ sub: undefined }))).toEqual(invalid);
    expect(await refresh(anonymous.token(), tokenOf({}))).toEqual(invalid);
    expect(await refresh(anonymous.token(), tokenOf({ sub: undefined }))).toEqual(invalid);
    expect(await time.until(connection.invoke("who"))).toEqual(["Ada", [], "ada"]);
    expect(events.all).toEqual([]);
  });

  it("of who may not use the hub any more, and of a page of another origin", async () => {
    const { connect, refresh } = await serve();
    const { token } = await connect({ role: "member" }, "/members");
    const path = "/members";
    expect(await refresh(token(), tokenOf({ role: "guest" }), { path })).toEqual([403, "Forbidden"]);
    expect(await refresh(token(), undefined, { path })).toEqual([401, { error: "invalid_token" }]);
    const headers = { origin: "https://evil.example.com" };
    expect(await refresh(token(), tokenOf({ role: "member" }), { path, headers })).toEqual([403, "Origin not allowed"]);
  });

  it.each(["GET", "PUT", "DELETE", "PATCH"])("by %s", async (method) => {
    const { connect, refresh } = await serve();
    const { token } = await connect();
    expect((await refresh(token(), tokenOf({}), { method }))[0]).toBe(405);
  });
});

it("tells a page of an allowed origin that it may refresh, and what came of it", async () => {
  const { time } = await serve();
  const url = `${time.service.url.replace("localhost", "127.0.0.1")}/chat/refresh`;
  const headers = { origin: "https://app.example.com", "access-control-request-headers": "authorization" };
  const preflight = await time.until(fetch(url, { method: "OPTIONS", headers }));
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-methods")).toBe("GET, POST, DELETE, OPTIONS");
  expect(preflight.headers.get("access-control-allow-headers")).toBe("authorization");
  const answer = await time.until(fetch(url, { method: "POST", headers }));
  expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example.com");
  expect(await time.until(answer.json())).toEqual({ error: "missing_connection_token" });
});
