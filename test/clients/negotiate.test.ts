// From a client's URL to an open connection.

import { HttpTransportType, HubConnectionState } from "@microsoft/signalr";
import { defineHub } from "signalr-lambda";
import { beforeAll, describe, expect, it } from "vitest";
import { Refused } from "../local/local-gateway.ts";
import { type Offer, type RunningService, serve, start } from "./running-service.ts";

const hub = defineHub()({
  methods: {
    connectionId: (hub) => hub.connectionId,
    request: (hub) => ({ query: { ...hub.request.query }, headers: { ...hub.request.headers } }),
  },
});

let service: RunningService;
beforeAll(async () => {
  service = await start({
    hubs: { chat: hub, "Hubs/Notifications": hub },
    transports: ["WebSockets"],
    requestHeaders: ["X-Trace"],
  });
  return () => service.close();
});

const ID = /^[\w-]{22}$/;
const SOCKETS = [{ transport: "WebSockets", transferFormats: ["Text"] }];

describe("negotiate", () => {
  it.each(["1", "2", "99", "2147483647", " 1", "+1", "01"])("in version %j answers version 1", async (version) => {
    const response = await service.negotiate(`?negotiateVersion=${encodeURIComponent(version)}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({
      negotiateVersion: 1,
      connectionId: expect.stringMatching(ID),
      connectionToken: expect.stringMatching(/^[\w.~-]+$/),
      availableTransports: SOCKETS,
    });
  });

  it.each(["", "?negotiateVersion=0", "?other=1"])("without a version answers version 0: %j", async (query) => {
    expect(await (await service.negotiate(query)).json()).toStrictEqual({
      negotiateVersion: 0,
      connectionId: expect.stringMatching(/^[\w.~-]+$/),
      availableTransports: SOCKETS,
    });
  });

  it("finds its query parameters in any case", async () => {
    expect(await (await service.negotiate("?NEGOTIATEVERSION=1")).json()).toMatchObject({ negotiateVersion: 1 });
  });

  it.each([
    ["x", "The client requested an invalid protocol version 'x'"],
    ["", "The client requested an invalid protocol version ''"],
    ["1.5", "The client requested an invalid protocol version '1.5'"],
    ["2147483648", "The client requested an invalid protocol version '2147483648'"],
    ["-1", "The client requested version '-1', but the server does not support this version."],
  ])("answers the version %j with an error as the only field", async (version, error) => {
    const response = await service.negotiate(`?negotiateVersion=${version}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ error });
  });

  it("tells the stock client such an error", async () => {
    await expect(service.connect("/chat?negotiateVersion=x")).rejects.toThrow(
      "The client requested an invalid protocol version 'x'",
    );
  });

  it("never gives the same connection twice", async () => {
    const offers = await Promise.all([service.offer(), service.offer(), service.offer()]);
    expect(new Set(offers.flatMap((offer) => [offer.connectionId, offer.connectionToken])).size).toBe(6);
  });

  it.each(["DELETE"])("refuses %s", async (method) => {
    const response = await service.negotiate("", { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  });

  it.each(["?__proto__=1&constructor=2&negotiateVersion=1", "?negotiateVersion=1&toString=x&valueOf="])(
    "reads its parameters among those with hostile names: %s",
    async (query) => {
      expect(await (await service.negotiate(query)).json()).toMatchObject({ negotiateVersion: 1 });
    },
  );

  it.each(["0,1", "1,1", "true", "null", "NaN", "1e0", "0x1"])("takes no %s for a version", async (version) => {
    const response = await service.negotiate(`?negotiateVersion=${version}`);
    expect(await response.json()).toEqual({
      error: `The client requested an invalid protocol version '${version}'`,
    });
  });

  it("of an unknown hub is the client's 404", async () => {
    await expect(service.connect("/nowhere")).rejects.toThrow(
      /Status code '404' Either this is not a SignalR endpoint or there is a proxy blocking the connection\.$/,
    );
  });
});

describe("a connection", () => {
  it("has the id that negotiate gave", async () => {
    const connection = await service.connect();
    expect(connection.connectionId).toMatch(ID);
    expect(await connection.invoke("connectionId")).toBe(connection.connectionId);
  });

  it("of version 0 uses its id as its token", async () => {
    const { connectionId } = (await (await service.negotiate("")).json()) as Offer;
    const client = await service.open(`/chat?id=${connectionId}`);
    expect(await client.handshake()).toEqual({});
  });

  it("of a client whose URL asks for version 0 uses its id as its token, too", async () => {
    const connection = await service.connect("/chat?negotiateVersion=0&room=1");
    expect(connection.connectionId).toMatch(/\./);
    expect(await connection.invoke("connectionId")).toMatch(ID);
    expect(await connection.invoke("request")).toMatchObject({ query: { negotiateVersion: "0", room: "1" } });
  });

  it("may skip negotiation", async () => {
    const connection = await service.connect("/chat", {
      skipNegotiation: true,
      transport: HttpTransportType.WebSockets,
    });
    expect(connection.connectionId).toBeNull();
    expect(await connection.invoke("connectionId")).toMatch(ID);
  });

  it.each(["/hubs/notifications", "/Hubs/Notifications", "/HUBS/NOTIFICATIONS", "/CHAT"])(
    "finds its hub in any case: %s",
    async (path) => {
      const connection = await service.connect(path);
      expect(connection.state).toBe(HubConnectionState.Connected);
      expect(await connection.invoke("connectionId")).toBe(connection.connectionId);
    },
  );

  it("keeps the query of its URL, without what the protocol put there", async () => {
    const connection = await service.connect("/chat?room=a%26b&lang=d%C3%A9&__proto__=x&hub=mine", {
      accessTokenFactory: () => "secret",
      headers: { "X-Trace": "7", "X-Other": "8" },
    });
    expect(await connection.invoke("request")).toEqual({
      query: JSON.parse('{"room":"a&b","lang":"dé","__proto__":"x"}'),
      headers: { "x-trace": "7" },
    });
  });

  it("opens once per token", async () => {
    const service = await serve({ hubs: { chat: hub } });
    const { connectionToken } = await service.offer();
    const client = await service.open(`/chat?id=${connectionToken}`);
    await expect(service.open(`/chat?id=${connectionToken}`)).rejects.toThrow(new Refused(409));
    await client.handshake();
    await client.vanish();
    await service.table.ended();
    await expect(service.open(`/chat?id=${connectionToken}`)).rejects.toThrow(new Refused(404));
  });

  it.each<[string, (token: string) => string]>([
    ["a forged token", (token) => `/chat?id=${token.slice(0, -3)}AAA`],
    ["no token at all, but an id", () => "/chat?id="],
    ["another hub's token", (token) => `/hubs/notifications?id=${token}`],
    ["a hub nobody knows", () => "/nowhere"],
  ])("is refused with 404 for %s", async (_title, path) => {
    const { connectionToken } = await service.offer();
    await expect(service.open(path(connectionToken))).rejects.toThrow(new Refused(404));
  });

  it("is refused when its token is older than the reference would wait", async () => {
    const service = await serve({ hubs: { chat: hub } });
    const { connectionToken } = await service.offer();
    await service.clock.advance(20_001);
    await expect(service.open(`/chat?id=${connectionToken}`)).rejects.toThrow(new Refused(404));
  });
});

describe("a hub without sockets", () => {
  const transports = ["ServerSentEvents", "LongPolling"] as const;

  it("refuses them with 404, with negotiation and without", async () => {
    const service = await serve({ hubs: { chat: defineHub()({ methods: {}, transports }), other: hub } });
    const { connectionToken } = await service.offer();
    await expect(service.open(`/chat?id=${connectionToken}`)).rejects.toThrow(new Refused(404));
    await expect(service.open("/chat")).rejects.toThrow(new Refused(404));
    expect(service.lines.all).toContainEqual(
      expect.objectContaining({ reason: "WebSockets transport not supported by this end point type" }),
    );
  });

  it("is told to a stock client that has nothing else", async () => {
    const service = await serve({ hubs: { chat: hub }, transports });
    await expect(service.connect("/chat", { transport: HttpTransportType.WebSockets })).rejects.toThrow(
      "Unable to connect to the server with any of the available transports. ServerSentEvents failed: Error: 'ServerSentEvents' is disabled by the client. LongPolling failed: Error: 'LongPolling' is disabled by the client.",
    );
  });

  it("grants no stateful reconnect", async () => {
    const service = await serve({ hubs: { chat: hub }, transports });
    const answer = await service.negotiate("?negotiateVersion=1&useStatefulReconnect=true");
    expect(Object.keys((await answer.json()) as object)).not.toContain("useStatefulReconnect");
  });
});
