import { connect as connectTcp } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { hang, openGateway, rawRequest, UPGRADE } from "./local-gateway.ts";

const ID = /^[\w-]{15}=$/;
const MINUTE = 60_000;

describe("the events of a socket", () => {
  it("tells connect the client's headers and query as CloudFront passes them on, and nothing that it hides", async () => {
    const { invoked, open, gateway } = await openGateway();
    await open("/chat?id=1&id=2&name=J%C3%BCrgen+K", { headers: { "X-Trace": "a", "user-agent": "test/1" } });
    const { event } = await invoked.connect.next();

    const host = new URL(gateway.url).host;
    expect(event).toEqual({
      headers: {
        "X-Trace": "a",
        "User-Agent": "test/1",
        Host: "socket.origin.localhost",
        "Sec-Websocket-Version": "13",
        "Sec-Websocket-Key": expect.any(String),
        "Sec-Websocket-Extensions": expect.any(String),
        "X-Amzn-Trace-Id": expect.stringMatching(/^Root=1-[\da-f]{8}-[\da-f]{24}$/),
        "X-Forwarded-For": "127.0.0.1, 192.0.2.1",
        "X-Forwarded-Host": host,
        "X-Viewer-Address": "127.0.0.1",
        "X-Forwarded-Port": new URL(gateway.url).port,
        "X-Forwarded-Proto": "http",
      },
      multiValueHeaders: expect.objectContaining({ "X-Trace": ["a"], "X-Forwarded-Host": [host] }),
      queryStringParameters: { id: "2", name: "Jürgen K", hub: "chat" },
      multiValueQueryStringParameters: { id: ["1", "2"], name: ["Jürgen K"], hub: ["chat"] },
      requestContext: {
        routeKey: "$connect",
        eventType: "CONNECT",
        messageDirection: "IN",
        extendedRequestId: expect.stringMatching(ID),
        requestId: event.requestContext.extendedRequestId,
        requestTime: "01/Jan/2026:00:00:00 +0000",
        requestTimeEpoch: Date.UTC(2026, 0, 1),
        connectedAt: Date.UTC(2026, 0, 1),
        stage: "prod",
        apiId: "local",
        domainName: host,
        identity: { userAgent: "test/1", sourceIp: "192.0.2.1" },
        connectionId: expect.stringMatching(ID),
      },
      isBase64Encoded: false,
    });
  });

  it("leaves out the query maps and the user agent when there is none", async () => {
    const { invoked, gateway, open } = await openGateway();
    await open(`${new URL(gateway.callbackUrl).pathname}`);
    const { event } = await invoked.connect.next();
    expect(Object.keys(event).sort()).toEqual(["headers", "isBase64Encoded", "multiValueHeaders", "requestContext"]);
    expect(event.requestContext.identity).toEqual({ sourceIp: "127.0.0.1" });
  });

  it("tells connect the client's own headers, as it spells them, where CloudFront is not in front", async () => {
    const { invoked, gateway, open } = await openGateway();
    await open("/_gateway/prod?hub=chat", { headers: { "X-Trace": "a", "user-agent": "test/1" } });
    const { event } = await invoked.connect.next();
    expect(event.headers).toMatchObject({ "X-Trace": "a", "user-agent": "test/1", Host: new URL(gateway.url).host });
    expect(event.headers).not.toHaveProperty("X-Forwarded-Host");
    expect(event.requestContext.identity.sourceIp).toBe("127.0.0.1");
  });

  it("keeps a repeated header's values in order, under its first spelling", async () => {
    const { invoked, gateway } = await openGateway();
    await rawRequest(gateway.url, ["GET /_gateway/prod HTTP/1.1", ...UPGRADE, "X-Tag: a", "X-Tag: b", "x-tag: c"]);
    const { event } = await invoked.connect.next();
    expect(event.multiValueHeaders["X-Tag"]).toEqual(["a", "b", "c"]);
    expect(event.headers).toMatchObject({ "X-Tag": "c" });
    expect(event.headers).not.toHaveProperty("x-tag");
  });

  it.each(["__proto__", "constructor", "hasOwnProperty", "toString"])("carries the name %s intact", async (name) => {
    const { invoked, gateway } = await openGateway();
    await rawRequest(gateway.url, [`GET /_gateway/prod?${name}=query HTTP/1.1`, ...UPGRADE, `${name}: header`]);
    const { event } = await invoked.connect.next();
    const own = (values: object | undefined) => Object.getOwnPropertyDescriptor(values ?? {}, name)?.value;
    expect(own(event.headers)).toBe("header");
    expect(own(event.multiValueHeaders)).toEqual(["header"]);
    expect(own(event.queryStringParameters)).toBe("query");
    expect(own(event.multiValueQueryStringParameters)).toEqual(["query"]);
    expect(Object.getPrototypeOf(event.headers)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)[name]).not.toBe("query");
  });

  it("gives message the text and no headers", async () => {
    const { invoked, openTransport, clock } = await openGateway();
    const { client, id } = await openTransport();
    await clock.advance(1234);
    client.send("héllo\u001e");
    const { event, context } = await invoked.message.next();
    expect(event).toEqual({
      requestContext: {
        ...(invoked.connect.all[0]?.event.requestContext ?? {}),
        routeKey: "$default",
        eventType: "MESSAGE",
        messageId: expect.stringMatching(ID),
        requestId: expect.stringMatching(ID),
        extendedRequestId: event.requestContext.requestId,
        requestTime: "01/Jan/2026:00:00:01 +0000",
        requestTimeEpoch: clock.now(),
        connectionId: id,
      },
      body: "héllo\u001e",
      isBase64Encoded: false,
    });
    expect(event.requestContext.requestId).not.toBe(invoked.connect.all[0]?.event.requestContext.requestId);
    expect(context.awsRequestId).toMatch(/^[\da-f-]{36}$/);
    expect(context.getRemainingTimeInMillis()).toBe(29_000);
    await clock.advance(9_000);
    expect(context.getRemainingTimeInMillis()).toBe(20_000);
  });

  it.each<{ name: string; close: [code?: number, reason?: string]; code: number; reason: string }>([
    { name: "a code and a reason", close: [4321, "bye"], code: 4321, reason: "bye" },
    { name: "1000", close: [1000], code: 1000, reason: "" },
    { name: "no code", close: [], code: 1005, reason: "Client-side close frame status not set" },
  ])("tells disconnect how the client closed: $name", async ({ close, code, reason }) => {
    const { invoked, openTransport, gateway } = await openGateway();
    const { client, id } = await openTransport();
    client.webSocket.close(...close);
    const { event } = await invoked.disconnect.next();
    const host = new URL(gateway.url).host;
    expect(event).toEqual({
      headers: { Host: host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": "" },
      multiValueHeaders: { Host: [host], "x-api-key": [""], "X-Forwarded-For": [""], "x-restapi": [""] },
      requestContext: expect.objectContaining({
        routeKey: "$disconnect",
        eventType: "DISCONNECT",
        connectionId: id,
        connectedAt: Date.UTC(2026, 0, 1),
        disconnectStatusCode: code,
        disconnectReason: reason,
      }),
      isBase64Encoded: false,
    });
    expect(gateway.transports()).toEqual([]);
  });

  it("tells disconnect 1006 when the TCP connection vanishes", async () => {
    const { invoked, openTransport } = await openGateway();
    const { client } = await openTransport();
    client.webSocket.terminate();
    const { event } = await invoked.disconnect.next();
    expect(event.requestContext).toMatchObject({ disconnectStatusCode: 1006, disconnectReason: "" });
  });

  it("tells disconnect once, whoever closes", async () => {
    const { invoked, openTransport, clock } = await openGateway();
    const { client } = await openTransport();
    const closing = clock.advance(10 * MINUTE);
    client.webSocket.close(1000);
    await Promise.all([closing, client.closed]);
    await invoked.disconnect.next();
    const { client: second } = await openTransport();
    second.webSocket.close(4000);
    await invoked.disconnect.next();
    expect(invoked.disconnect.all).toHaveLength(2);
  });
});

describe("connect", () => {
  it.each([
    { answer: 401, status: 401 },
    { answer: 403, status: 403 },
    { answer: 404, status: 404 },
    { answer: 499, status: 499 },
    { answer: 503, status: 503 },
    { answer: 101, status: 500 },
    { answer: 999, status: 500 },
  ])("refuses the upgrade with its status: $answer is $status", async ({ answer, status }) => {
    const { open, gateway } = await openGateway({ functions: { connect: async () => ({ statusCode: answer }) } });
    await expect(open()).rejects.toMatchObject({ status });
    expect(gateway.transports()).toEqual([]);
  });

  it.each<{ name: string; connect: () => Promise<never> }>([
    { name: "rejects", connect: () => Promise.reject(new Error("no")) },
    {
      name: "throws",
      connect: () => {
        throw new Error("no");
      },
    },
    { name: "returns nothing", connect: async () => undefined as never },
    { name: "returns no status", connect: async () => ({ statusCode: "200" }) as never },
  ])("refuses the upgrade with 500 when it $name", async ({ connect }) => {
    const { open } = await openGateway({ functions: { connect } });
    await expect(open()).rejects.toMatchObject({ status: 500 });
  });

  it("refuses the upgrade with 504 when it takes longer than 29 seconds", async () => {
    const { open, invoked, clock } = await openGateway({ functions: { connect: () => hang() } });
    const opening = open();
    await invoked.connect.next();
    await Promise.all([expect(opening).rejects.toMatchObject({ status: 504 }), clock.advance(29_000)]);
  });

  it("is not followed by disconnect when it refused", async () => {
    const { open, openTransport, invoked, functions } = await openGateway();
    functions.connect = async () => ({ statusCode: 403 });
    await expect(open()).rejects.toMatchObject({ status: 403 });
    await invoked.connect.next();
    functions.connect = async () => ({ statusCode: 200 });
    const { client, id } = await openTransport();
    client.webSocket.close();
    expect((await invoked.disconnect.next()).event.requestContext.connectionId).toBe(id);
    expect(invoked.disconnect.all).toHaveLength(1);
  });

  it("holds the 101 back until it has returned", async () => {
    let accept = () => {};
    const { open, invoked, gateway } = await openGateway({
      functions: { connect: () => new Promise((resolve) => (accept = () => resolve({ statusCode: 200 }))) },
    });
    const opening = open();
    await invoked.connect.next();
    expect(gateway.transports()).toEqual([]);
    accept();
    await opening;
    expect(gateway.transports()).toHaveLength(1);
  });

  it("is followed by disconnect with 1006 when the client left before the 101", async () => {
    let accept = () => {};
    const { invoked, gateway } = await openGateway({
      functions: { connect: () => new Promise((resolve) => (accept = () => resolve({ statusCode: 200 }))) },
    });
    const socket = connectTcp(Number(new URL(gateway.url).port), "127.0.0.1");
    socket.write(`${["GET /chat HTTP/1.1", "Host: localhost", ...UPGRADE].join("\r\n")}\r\n\r\n`);
    await invoked.connect.next();
    socket.resetAndDestroy();
    await new Promise((resolve) => socket.once("close", resolve));
    accept();
    const { event } = await invoked.disconnect.next();
    expect(event.requestContext.disconnectStatusCode).toBe(1006);
    expect(gateway.transports()).toEqual([]);
  });

  it("is not asked about a request that is no WebSocket upgrade", async () => {
    const { invoked, gateway, open } = await openGateway();
    const [upgrade, connection] = UPGRADE;
    for (const lines of [
      ["Upgrade: h2c", "Connection: Upgrade"],
      [`${upgrade}`, `${connection}`],
    ]) {
      expect(await rawRequest(gateway.url, ["GET /chat HTTP/1.1", ...lines])).toMatch(/^HTTP\/1.1 400 /);
    }
    await open();
    expect(invoked.connect.all).toHaveLength(1);
  });

  it("names no sub-protocol, so a client that demands one fails", async () => {
    const { gateway } = await openGateway();
    const client = new WebSocket(`${gateway.url.replace("http", "ws")}/chat`, ["json"]);
    await expect(new Promise((_, reject) => client.on("error", reject))).rejects.toThrow("no subprotocol");
  });
});

describe("messages", () => {
  it("start at once, concurrently and in the order of arrival", async () => {
    let running = 0;
    const { openTransport, invoked } = await openGateway({
      functions: {
        message: () => {
          running += 1;
          return hang();
        },
      },
    });
    const { client } = await openTransport();
    const sent = Array.from({ length: 50 }, (_, index) => String(index));
    for (const text of sent) client.send(text);
    await client.ping();
    expect(invoked.message.all.map(({ event }) => event.body)).toEqual(sent);
    expect(running).toBe(50);
  });

  it("look their function up on each call", async () => {
    const { openTransport, deployed, invoked } = await openGateway();
    const { client } = await openTransport();
    const heard: string[] = [];
    deployed.message = async (event) => {
      if ("body" in event) heard.push(event.body);
      return { statusCode: 200 };
    };
    client.send("new");
    await client.ping();
    expect(heard).toEqual(["new"]);
    expect(invoked.message.all).toEqual([]);
  });

  it.each<{ name: string; message: () => Promise<never> }>([
    { name: "throws", message: () => Promise.reject(new Error("no")) },
    { name: "returns no status", message: async () => undefined as never },
  ])("answer with API Gateway's own frame when the function $name, and the socket stays", async ({ message }) => {
    const { invoked, openTransport, lines, functions } = await openGateway({ functions: { message } });
    const { client, id } = await openTransport();
    client.send("a");
    const { event } = await invoked.message.next();
    const { requestId } = event.requestContext;
    expect(await client.messages.next()).toBe(
      `{"message": "Internal server error", "connectionId":"${id}", "requestId":"${requestId}"}`,
    );
    functions.message = async () => ({ statusCode: 200 });
    client.send("b");
    expect((await invoked.message.next()).event.body).toBe("b");
    expect(lines.filter((line) => line.level === "error").length).toBeLessThanOrEqual(1);
  });

  it("answer with API Gateway's own frame after 29 seconds, and the socket stays", async () => {
    const { invoked, openTransport, clock } = await openGateway({
      functions: { message: () => hang() },
    });
    const { client, id } = await openTransport();
    client.send("a");
    const { event, context } = await invoked.message.next();
    await clock.advance(28_999);
    expect(context.getRemainingTimeInMillis()).toBe(1);
    await client.ping();
    expect(client.messages.all).toEqual([]);
    await clock.advance(1);
    const { requestId } = event.requestContext;
    expect(await client.messages.next()).toBe(
      `{"message": "Endpoint request timed out", "connectionId":"${id}", "requestId":"${requestId}"}`,
    );
    client.send("b");
    expect((await invoked.message.next()).event.body).toBe("b");
  });
});

describe("limits", () => {
  const KB = 1024;

  it("take a frame of 32 KB", async () => {
    const { invoked, openTransport } = await openGateway();
    const { client } = await openTransport();
    client.send("x".repeat(32 * KB));
    expect((await invoked.message.next()).event.body).toHaveLength(32 * KB);
  });

  it("take a message of 128 KB in frames of 32 KB", async () => {
    const { invoked, openTransport } = await openGateway();
    const { client } = await openTransport();
    for (const fin of [false, false, false, true]) client.webSocket.send("x".repeat(32 * KB), { fin });
    expect((await invoked.message.next()).event.body).toHaveLength(128 * KB);
  });

  it.each([
    { name: "a frame over 32 KB", frames: ["x".repeat(32 * KB + 1)], code: 1009 },
    { name: "a frame over 32 KB, counted in bytes", frames: ["é".repeat(16 * KB + 1)], code: 1009 },
    { name: "a frame over 128 KB", frames: ["x".repeat(200 * KB)], code: 1009 },
    { name: "a continuation over 32 KB", frames: ["x", "x".repeat(32 * KB + 1)], code: 1009 },
    { name: "a message over 128 KB", frames: [...Array(4).fill("x".repeat(32 * KB)), "x"], code: 1009 },
    { name: "a binary message", frames: [Buffer.from("x")], code: 1003 },
    { name: "text that is not UTF-8", frames: [Buffer.from([0xff])], binary: false, code: 1007 },
  ])("close the socket: $name is $code", async ({ frames, binary, code }) => {
    const { invoked, openTransport, gateway } = await openGateway();
    const { client } = await openTransport();
    client.send("before");
    for (const [index, frame] of frames.entries()) {
      client.webSocket.send(frame, { fin: index === frames.length - 1, ...(binary !== undefined && { binary }) });
    }
    client.send("after");
    expect(await client.closed).toMatchObject({ code });
    expect((await invoked.disconnect.next()).event.requestContext).toMatchObject({ disconnectStatusCode: code });
    expect(invoked.message.all.map(({ event }) => event.body)).toEqual(["before"]);
    expect(gateway.transports()).toEqual([]);
  });

  it("say in the log what the close code means", async () => {
    const { openTransport, lines } = await openGateway();
    const { client, id } = await openTransport();
    client.send("x".repeat(32 * KB + 1));
    await client.closed;
    expect(lines).toContainEqual(
      expect.objectContaining({ level: "warn", transportId: id, code: 1009, frameBytes: 32768 }),
    );
  });

  it("close an idle socket after 10 minutes with 1001", async () => {
    const { invoked, openTransport, clock, gateway } = await openGateway();
    const { client, id } = await openTransport();
    await clock.advance(10 * MINUTE - 1);
    expect(gateway.transports()).toEqual([
      { id, connectedAt: Date.UTC(2026, 0, 1), lastActiveAt: Date.UTC(2026, 0, 1) },
    ]);
    await clock.advance(1);
    expect(await client.closed).toEqual({ code: 1001, reason: "Going away" });
    expect((await invoked.disconnect.next()).event.requestContext).toMatchObject({
      disconnectStatusCode: 1001,
      disconnectReason: "Going away",
    });
  });

  it("count the idle time from the last message, not from pings", async () => {
    const { invoked, openTransport, clock } = await openGateway();
    const { client } = await openTransport();
    await clock.advance(9 * MINUTE);
    client.send("still here");
    await invoked.message.next();
    await clock.advance(9 * MINUTE);
    await client.ping();
    expect(invoked.disconnect.all).toEqual([]);
    await clock.advance(1 * MINUTE);
    expect((await client.closed).code).toBe(1001);
  });

  it("close every socket after 2 hours with 1001", async () => {
    const { invoked, openTransport, clock, gateway } = await openGateway();
    const { client } = await openTransport();
    for (let minutes = 0; minutes < 119; minutes += 7) {
      client.send("still here");
      await invoked.message.next();
      await clock.advance(Math.min(7, 119 - minutes) * MINUTE);
    }
    client.send("still here");
    await invoked.message.next();
    expect(gateway.transports()).toHaveLength(1);
    await clock.advance(MINUTE);
    expect((await client.closed).code).toBe(1001);
    await vi.waitFor(() => expect(invoked.disconnect.all).toHaveLength(1));
  });
});
