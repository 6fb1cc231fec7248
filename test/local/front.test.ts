import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { hang, openGateway, rawRequest, UPGRADE } from "./local-gateway.ts";

describe("the front, for sockets", () => {
  it.each([
    { path: "/chat", parameters: { hub: ["chat"] } },
    { path: "/hubs/notifications", parameters: { hub: ["hubs/notifications"] } },
    { path: "/chat?id=a%2Bb&x", parameters: { id: ["a+b"], x: [""], hub: ["chat"] } },
    { path: "/chat?hub=admin&HUB=admin&h%75b=admin&x=1", parameters: { x: ["1"], hub: ["chat"] } },
    { path: "/caf%C3%A9%26hub=x", parameters: { hub: ["café&hub=x"] } },
    { path: "/_gateway/prod?hub=chat&id=1", parameters: { hub: ["chat"], id: ["1"] } },
  ])("moves the hub's path to the end of the query: $path", async ({ path, parameters }) => {
    const { open, invoked } = await openGateway();
    await open(path);
    const { event } = await invoked.connect.next();
    expect(event.multiValueQueryStringParameters).toEqual(parameters);
    expect(Object.keys(event.multiValueQueryStringParameters ?? {})).toEqual(Object.keys(parameters));
    expect(event.queryStringParameters?.hub).toBe(parameters.hub.at(-1));
  });

  it.each([
    { name: "a hub that does not exist", path: "/other", status: 404 },
    { name: "the root", path: "/", status: 404 },
    { name: "a path after the stage", path: "/_gateway/prod/chat", status: 403 },
    { name: "a slash after the stage", path: "/_gateway/prod/?hub=chat", status: 403 },
    { name: "another stage", path: "/_gateway/test?hub=chat", status: 403 },
    { name: "the gateway itself", path: "/_gateway", status: 403 },
    { name: "malformed escapes", path: "/%E0%A4%A", status: 400 },
    { name: "a URL over 4096 characters", path: `/chat?access_token=${"x".repeat(4096)}`, status: 414 },
    { name: "a raw URL over 4096 characters", path: `/_gateway/prod?hub=chat&x=${"x".repeat(4096)}`, status: 414 },
  ])("refuses $name with $status, and asks no function", async ({ path, status }) => {
    const { gateway, invoked } = await openGateway({ hubPaths: () => ["chat"] });
    const response = await rawRequest(gateway.url, [`GET ${path} HTTP/1.1`, ...UPGRADE]);
    expect(response).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(invoked.connect.all).toEqual([]);
  });

  it("takes a URL of exactly 4096 characters as API Gateway sees it", async () => {
    const { open, invoked } = await openGateway();
    const rewritten = "/_gateway/prod?x=&hub=chat";
    await open(`/chat?x=${"x".repeat(4096 - rewritten.length)}`);
    await invoked.connect.next();
    await expect(open(`/chat?x=${"x".repeat(4097 - rewritten.length)}`)).rejects.toMatchObject({ status: 414 });
  });

  it("refuses an upgrade that names another transport: no origin but the sockets' knows what to do with it", async () => {
    const { gateway, invoked } = await openGateway();
    const lines = ["Upgrade: websocket", "Connection: Upgrade", "Accept: text/event-stream"];
    expect(await rawRequest(gateway.url, ["GET /chat HTTP/1.1", ...lines])).toMatch(/^HTTP\/1.1 400 /);
    expect(invoked.stream.all).toEqual([]);
  });

  it("finds a hub in any case, as ASP.NET Core's routes are", async () => {
    const { open, invoked } = await openGateway({ hubPaths: () => ["chat"] });
    await open("/Chat");
    expect((await invoked.connect.next()).event.queryStringParameters).toEqual({ hub: "Chat" });
  });

  it("asks on every request which hubs there are", async () => {
    const hubs = ["chat"];
    const { open } = await openGateway({ hubPaths: () => hubs });
    await expect(open("/news")).rejects.toMatchObject({ status: 404 });
    hubs.push("news");
    await open("/news");
  });
});

describe("the front, for HTTP", () => {
  it("hands negotiate a payload of format 2.0", async () => {
    const { gateway, invoked } = await openGateway();
    const { host, port } = new URL(gateway.url);
    const origin = "http.origin.localhost";
    await fetch(`${gateway.url}/chat/negotiate?negotiateVersion=1&x=a&x=b%20c`, {
      method: "POST",
      headers: { "X-Requested-With": "XMLHttpRequest", cookie: "a=1; b=2", "content-type": "text/plain;charset=UTF-8" },
      body: "héllo",
    });
    const { event, context } = await invoked.negotiate.next();
    expect(event).toEqual({
      version: "2.0",
      routeKey: "$default",
      rawPath: "/chat/negotiate",
      rawQueryString: "negotiateVersion=1&x=a&x=b%20c",
      cookies: ["a=1", "b=2"],
      headers: expect.objectContaining({
        host: origin,
        "x-requested-with": "XMLHttpRequest",
        "content-type": "text/plain;charset=UTF-8",
        "x-forwarded-for": "127.0.0.1, 192.0.2.1",
        "x-forwarded-host": host,
        "x-viewer-address": "127.0.0.1",
        "x-forwarded-port": port,
        "x-forwarded-proto": "http",
      }),
      queryStringParameters: { negotiateVersion: "1", x: "a,b c" },
      requestContext: {
        accountId: "anonymous",
        apiId: "local",
        domainName: origin,
        domainPrefix: "http",
        http: {
          method: "POST",
          path: "/chat/negotiate",
          protocol: "HTTP/1.1",
          sourceIp: "192.0.2.1",
          userAgent: expect.any(String),
        },
        requestId: expect.any(String),
        routeKey: "$default",
        stage: "$default",
        time: "01/Jan/2026:00:00:00 +0000",
        timeEpoch: Date.UTC(2026, 0, 1),
      },
      body: "héllo",
      isBase64Encoded: false,
    });
    expect(event.headers).not.toHaveProperty("cookie");
    expect(context.getRemainingTimeInMillis()).toBe(29_000);
  });

  it("leaves out what is not there", async () => {
    const { gateway, invoked } = await openGateway();
    await fetch(`${gateway.url}/chat/negotiate`, { method: "POST" });
    const { event } = await invoked.negotiate.next();
    for (const absent of ["cookies", "queryStringParameters", "body"]) expect(event).not.toHaveProperty(absent);
    expect(event).toMatchObject({ rawQueryString: "", isBase64Encoded: false });
  });

  it.each([
    { contentType: "application/json", encoded: false },
    { contentType: "Text/Plain", encoded: false },
    { contentType: "application/octet-stream", encoded: true },
    { contentType: "application/x-www-form-urlencoded", encoded: true },
  ])("encodes a body of $contentType: $encoded", async ({ contentType, encoded }) => {
    const { gateway, invoked } = await openGateway();
    await fetch(`${gateway.url}/chat`, { method: "POST", headers: { "content-type": contentType }, body: "{}" });
    const { event } = await invoked.poll.next();
    expect(event).toMatchObject({ isBase64Encoded: encoded, body: encoded ? btoa("{}") : "{}" });
  });

  it.each([
    { method: "POST", path: "/chat/negotiate" },
    { method: "OPTIONS", path: "/chat/negotiate" },
    { method: "GET", path: "/chat/negotiate" },
    { method: "POST", path: "/chat/refresh" },
    { method: "POST", path: "/hubs/notifications/negotiate" },
    { method: "POST", path: "/Hubs/NOTIFICATIONS/Negotiate" },
  ])("has negotiate answer $method $path", async ({ method, path }) => {
    const { gateway, invoked } = await openGateway({
      hubPaths: () => ["chat", "hubs/notifications"],
      functions: { negotiate: async () => ({ statusCode: 418, headers: { "X-Answer": "42" }, body: "tea" }) },
    });
    const response = await fetch(gateway.url + path, { method });
    expect(response.status).toBe(418);
    expect(response.headers.get("x-answer")).toBe("42");
    expect(await response.text()).toBe("tea");
    expect((await invoked.negotiate.next()).event.requestContext.http).toMatchObject({ method, path });
  });

  it.each(["__proto__", "constructor"])("carries the name %s intact", async (name) => {
    const { gateway, invoked } = await openGateway();
    await rawRequest(gateway.url, [
      `POST /chat/negotiate?${name}=a&${name}=b HTTP/1.1`,
      `${name}: c`,
      `${name}: d`,
      "Content-Length: 0",
    ]);
    const { event } = await invoked.negotiate.next();
    expect(Object.getOwnPropertyDescriptor(event.headers, name)?.value).toBe("c,d");
    expect(Object.getOwnPropertyDescriptor(event.queryStringParameters, name)?.value).toBe("a,b");
  });

  it.each<{ name: string; negotiate: () => Promise<never> }>([
    { name: "throws", negotiate: () => Promise.reject(new Error("no")) },
    { name: "returns nothing", negotiate: async () => undefined as never },
    { name: "returns an impossible status", negotiate: async () => ({ statusCode: 7 }) as never },
    { name: "returns a body that is no text", negotiate: async () => ({ statusCode: 200, body: {} }) as never },
    { name: "returns a broken header", negotiate: async () => ({ statusCode: 200, headers: { a: "\n" } }) as never },
  ])("answers 500 when negotiate $name", async ({ negotiate }) => {
    const { gateway } = await openGateway({ functions: { negotiate } });
    const response = await fetch(`${gateway.url}/chat/negotiate`, { method: "POST" });
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ message: "Internal Server Error" });
  });

  it("answers 503 when negotiate takes longer than 29 seconds", async () => {
    const { gateway, clock, invoked } = await openGateway({ functions: { negotiate: hang } });
    const answer = fetch(`${gateway.url}/chat/negotiate`, { method: "POST" });
    await invoked.negotiate.next();
    await clock.advance(29_000);
    expect((await answer).status).toBe(503);
  });

  it("answers 413 to a body over 10 MB", async () => {
    const { gateway, invoked } = await openGateway();
    const post = (size: number) => fetch(`${gateway.url}/chat`, { method: "POST", body: Buffer.alloc(size) });
    expect((await post(10 * 1024 * 1024 + 1)).status).toBe(413);
    expect(invoked.poll.all).toEqual([]);
    expect((await post(10 * 1024 * 1024)).status).toBe(200);
  });

  it("survives a client that leaves in the middle of its request", async () => {
    const { gateway, lines } = await openGateway();
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    socket.write("POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf");
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.resetAndDestroy();
    expect((await fetch(`${gateway.url}/chat`, { method: "POST" })).status).toBe(200);
    expect(lines).toEqual([]);
  });

  it.each([
    { method: "POST", path: "/other/negotiate", status: 404 },
    { method: "POST", path: "/negotiate", status: 404 },
    { method: "POST", path: "/%E0%A4%A/negotiate", status: 400 },
    { method: "GET", path: "/%E0%A4%A", status: 400 },
    { method: "PUT", path: "/other", status: 405 },
    { method: "GET", path: "/missing.css", status: 404 },
    // To the edge function it is a socket, and to the socket API it is none.
    { method: "GET", path: "/chat", status: 403 },
  ])("answers $status to $method $path", async ({ method, path, status }) => {
    const { gateway, invoked } = await openGateway({ hubPaths: () => ["chat"] });
    const response = await rawRequest(gateway.url, [`${method} ${path} HTTP/1.1`, "Content-Length: 0"]);
    expect(response).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect([...invoked.negotiate.all, ...invoked.poll.all]).toEqual([]);
  });

  it("serves pages to GET, by their unescaped paths", async () => {
    const asked: string[] = [];
    const { gateway } = await openGateway({
      hubPaths: () => ["chat"],
      async pages(path) {
        asked.push(path);
        if (path === "/") return { contentType: "text/html", body: "<h1>lab</h1>" };
        if (path === "/a b.bin") return { contentType: "application/octet-stream", body: Buffer.from([1, 2]) };
        return undefined;
      },
    });
    const root = await fetch(gateway.url);
    expect(root.headers.get("content-type")).toBe("text/html");
    expect(await root.text()).toBe("<h1>lab</h1>");
    expect(await (await fetch(`${gateway.url}/a%20b.bin?v=1`)).arrayBuffer()).toEqual(new Uint8Array([1, 2]).buffer);
    expect((await fetch(`${gateway.url}/none`)).status).toBe(404);
    expect(asked).toEqual(["/", "/a b.bin", "/none"]);
  });

  it("answers 500 when a page fails, and logs it without the query", async () => {
    const { gateway, lines } = await openGateway({ pages: () => Promise.reject(new Error("disk")) });
    expect((await fetch(`${gateway.url}/?access_token=secret`)).status).toBe(500);
    expect(lines).toEqual([expect.objectContaining({ level: "error", path: "/" })]);
  });
});
