import { defineHub, type TransportName } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { type HttpRequest, negotiate } from "../../lambdas/hub/negotiate.ts";
import { admissionPorts as portsOf, requestFor } from "./requests.ts";

const WS = { transport: "WebSockets", transferFormats: ["Text"] };
const SSE = { transport: "ServerSentEvents", transferFormats: ["Text"] };
const LP = { transport: "LongPolling", transferFormats: ["Text", "Binary"] };
const SOCKETS = [WS];
const APP = "https://app.example.com";

const admissionPorts = (options: Parameters<typeof portsOf>[0] = {}) =>
  portsOf({ transports: ["WebSockets"], ...options });
const post = (request: Partial<HttpRequest> = {}): HttpRequest => ({ method: "POST", ...requestFor(), ...request });

describe("negotiate", () => {
  it("offers a connection whose token says whose it is", async () => {
    const { ports, tokens, clock } = admissionPorts({ auth: () => ({ sub: "ada" }) });
    const answer = await negotiate(ports, post({ hubPath: "CHAT", query: { negotiateVersion: "1" } }));
    expect(answer).toMatchObject({ status: 200, headers: { "content-type": "application/json" } });
    const { connectionToken, ...offer } = JSON.parse(answer.body);
    expect(offer).toEqual({ negotiateVersion: 1, connectionId: "id-1", availableTransports: SOCKETS });
    expect(await tokens.verify(connectionToken)).toEqual({
      hub: "chat",
      connectionId: "id-1",
      stateful: false,
      userIdentifier: "ada",
      issuedAt: clock.now(),
    });
  });

  it("writes its fields in the reference's order", async () => {
    const { ports } = admissionPorts();
    const { body } = await negotiate(ports, post({ query: { negotiateVersion: "1" } }));
    expect(Object.keys(JSON.parse(body))).toEqual([
      "negotiateVersion",
      "connectionId",
      "connectionToken",
      "availableTransports",
    ]);
  });

  it.each(["true", "True", "TRUE", "tRuE"])("grants stateful reconnect to whoever asks: %s", async (asked) => {
    const { ports, tokens } = admissionPorts();
    const query = { negotiateVersion: "1", useStatefulReconnect: asked };
    const { connectionToken, ...offer } = JSON.parse((await negotiate(ports, post({ query }))).body);
    expect(Object.entries(offer)).toEqual([
      ["negotiateVersion", 1],
      ["connectionId", "id-1"],
      ["useStatefulReconnect", true],
      ["availableTransports", SOCKETS],
    ]);
    expect(await tokens.verify(connectionToken)).toMatchObject({ connectionId: "id-1", stateful: true });
  });

  it("grants it whatever the case of the parameter's name, and again with each negotiation", async () => {
    const { ports, tokens, clock } = admissionPorts({ auth: () => ({ sub: "ada" }) });
    const query = { NEGOTIATEVERSION: "1", usestatefulreconnect: "true" };
    const offers = [];
    for (let time = 0; time < 2; time++) {
      offers.push(JSON.parse((await negotiate(ports, post({ query }))).body));
      await clock.advance(1);
    }
    const claims = await Promise.all(offers.map(({ connectionToken }) => tokens.verify(connectionToken)));
    expect(claims).toEqual([
      { hub: "chat", connectionId: "id-1", stateful: true, userIdentifier: "ada", issuedAt: clock.now() - 2 },
      { hub: "chat", connectionId: "id-2", stateful: true, userIdentifier: "ada", issuedAt: clock.now() - 1 },
    ]);
  });

  it.each([undefined, "", "false", "1", "yes", "truee", "true,true"])(
    "grants no stateful reconnect to whoever does not ask: %j",
    async (useStatefulReconnect) => {
      const { ports, tokens } = admissionPorts();
      const { body } = await negotiate(ports, post({ query: { negotiateVersion: "1", useStatefulReconnect } }));
      const { connectionToken, ...offer } = JSON.parse(body);
      expect(offer).not.toHaveProperty("useStatefulReconnect");
      expect(await tokens.verify(connectionToken)).toMatchObject({ stateful: false });
    },
  );

  it("keeps nothing", async () => {
    const { ports, table } = admissionPorts();
    await negotiate(ports, post());
    expect(table.rows()).toEqual([]);
  });

  it.each([undefined, "0", "-0", " 0 "])("in version %j gives the token as the id", async (negotiateVersion) => {
    const { ports, tokens } = admissionPorts();
    const { body } = await negotiate(ports, post({ query: { negotiateVersion } }));
    const { connectionId, ...offer } = JSON.parse(body);
    expect(offer).toEqual({ negotiateVersion: 0, availableTransports: SOCKETS });
    expect(await tokens.verify(connectionId)).toMatchObject({ hub: "chat" });
  });

  it.each([
    ["members", 401, "Unauthorized"],
    ["nowhere", 404, "No hub is served at '/nowhere'."],
  ])("to %s is refused with %i and plain text", async (hubPath, status, body) => {
    const { ports } = admissionPorts();
    const answer = await negotiate(ports, post({ hubPath }));
    expect(answer).toEqual({ status, headers: { "content-type": "text/plain", vary: "Origin" }, body });
  });

  it.each(["GET", "PUT", "DELETE", "HEAD"])("is no %s", async (method) => {
    const { ports } = admissionPorts();
    expect(await negotiate(ports, post({ method }))).toMatchObject({ status: 405, headers: { allow: "POST" } });
  });
});

describe("the transports", () => {
  const offered = async (options: Parameters<typeof portsOf>[0], request: Partial<HttpRequest> = {}) => {
    const query = { negotiateVersion: "1", ...request.query };
    const { body } = await negotiate(portsOf(options).ports, post({ ...request, query }));
    return JSON.parse(body);
  };

  it.each<[readonly TransportName[], object[]]>([
    [
      ["LongPolling", "ServerSentEvents", "WebSockets"],
      [WS, SSE, LP],
    ],
    [
      ["LongPolling", "WebSockets"],
      [WS, LP],
    ],
    [["ServerSentEvents"], [SSE]],
    [["LongPolling"], [LP]],
  ])("are those of the option %j, in the order in which clients are to try them", async (transports, expected) => {
    for (const negotiateVersion of ["0", "1"]) {
      const { availableTransports } = await offered({ transports }, { query: { negotiateVersion } });
      expect(availableTransports).toEqual(expected);
    }
  });

  it("are the hub's own, if it has any", async () => {
    const hubs = {
      chat: defineHub()({ methods: {}, transports: ["LongPolling"] }),
      feed: defineHub()({ methods: {} }),
    };
    const options = { hubs, transports: ["ServerSentEvents"] } as const;
    expect(await offered(options)).toMatchObject({ availableTransports: [LP] });
    expect(await offered(options, { hubPath: "feed" })).toMatchObject({ availableTransports: [SSE] });
  });

  const JAVA = "Microsoft SignalR/10.0 (10.0.0; Linux; Java; 17.0.9; Eclipse Adoptium)";
  const all = ["WebSockets", "ServerSentEvents", "LongPolling"] as const;

  it.each([
    { "user-agent": JAVA },
    { "user-agent": "Microsoft SignalR/8.0 (8.0.1; ; Java; 21; )" },
    { "user-agent": "okhttp/4.9", "x-signalr-user-agent": JAVA },
  ])("are long polling alone for a Java client: %j", async (headers) => {
    expect(await offered({ transports: all }, { headers })).toMatchObject({ availableTransports: [LP] });
    expect(await offered({ transports: ["WebSockets"] }, { headers })).toEqual({
      error:
        "The Java client sends binary frames only, which need LongPolling, and this hub's `transports` are without it.",
    });
  });

  it.each([
    "Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.19.0)",
    "Microsoft SignalR/10.0 (10.0.11; Unknown OS; Browser; Unknown Runtime Version)",
    "Microsoft SignalR/10.0 (10.0.0; Windows NT 10.0; .NET; .NET 10.0.0)",
    "Java/17; Java; Microsoft SignalR/10.0",
  ])("are all for any other: %s", async (userAgent) => {
    const headers = { "user-agent": userAgent };
    expect(await offered({ transports: all }, { headers })).toMatchObject({ availableTransports: [WS, SSE, LP] });
  });

  it("without sockets come without stateful reconnect", async () => {
    const { ports, tokens } = portsOf({ transports: ["ServerSentEvents", "LongPolling"] });
    const query = { negotiateVersion: "1", useStatefulReconnect: "true" };
    const offer = JSON.parse((await negotiate(ports, post({ query }))).body);
    expect(offer).not.toHaveProperty("useStatefulReconnect");
    expect(await tokens.verify(offer.connectionToken)).toMatchObject({ stateful: false });
  });
});

it("reads its query parameters among those with hostile names", async () => {
  const { ports } = admissionPorts();
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  const query = Object.create(null);
  for (const name of names) query[name] = "1";
  expect(JSON.parse((await negotiate(ports, post({ query }))).body)).toMatchObject({ negotiateVersion: 0 });
  query.NEGOTIATEVERSION = "1";
  expect(JSON.parse((await negotiate(ports, post({ query }))).body)).toMatchObject({ negotiateVersion: 1 });
});

describe("CORS", () => {
  it.each([
    ["POST", "chat", 200],
    ["POST", "members", 401],
    ["GET", "chat", 405],
    ["OPTIONS", "chat", 204],
  ])(
    "names a listed origin in the answer to %s %s (%i), so that the page can read it",
    async (method, hubPath, status) => {
      const { ports } = admissionPorts({ allowedOrigins: [APP] });
      const answer = await negotiate(ports, post({ method, hubPath, headers: { origin: APP } }));
      expect(answer).toMatchObject({
        status,
        headers: { vary: "Origin", "access-control-allow-origin": APP, "access-control-allow-credentials": "true" },
      });
    },
  );

  it.each(["POST", "OPTIONS"])("refuses %s of any other origin, names it to nobody, and logs it", async (method) => {
    const { ports, lines } = admissionPorts({ allowedOrigins: [APP] });
    const origin = "https://evil.example";
    const { status, headers, body } = await negotiate(ports, post({ method, headers: { origin } }));
    expect({ status, body }).toEqual({ status: 403, body: "Origin not allowed" });
    expect(lines).toMatchObject([{ level: "warn", origin, message: expect.stringContaining("allowedOrigins") }]);
    expect(headers.vary).toBe("Origin");
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  it("allows whatever headers a listed page asks for, and the client's own unasked", async () => {
    const { ports } = admissionPorts({ allowedOrigins: ["*"] });
    const preflight = (headers: HttpRequest["headers"]) =>
      negotiate(ports, post({ method: "OPTIONS", headers: { origin: APP, ...headers } }));
    expect((await preflight({ "access-control-request-headers": "x-own" })).headers).toMatchObject({
      "access-control-allow-headers": "x-own",
      "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
      "access-control-max-age": "7200",
    });
    expect((await preflight({})).headers).toMatchObject({
      "access-control-allow-headers": "authorization,x-requested-with,x-signalr-user-agent",
    });
  });

  it("says nothing to a page of the same host, which needs nothing", async () => {
    const { ports } = admissionPorts();
    const headers = { origin: APP, host: new URL(APP).host };
    const answer = await negotiate(ports, post({ method: "OPTIONS", headers }));
    expect(answer).toEqual({ status: 204, headers: { vary: "Origin" }, body: "" });
  });
});
