// A hub's own path over HTTP: how polls and what is sent get to their function, and how its answers get back.

import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { hang, openGateway, rawRequest } from "./local-gateway.ts";

const POLL = { headers: { "X-Requested-With": "XMLHttpRequest" } };

describe("the way to poll", () => {
  it.each([
    { method: "GET", body: null },
    { method: "POST", body: "text" },
    { method: "DELETE", body: null },
    { method: "OPTIONS", body: null },
    { method: "PUT", body: null },
  ])("goes through the edge function: $method", async ({ method, body }) => {
    const { gateway, invoked } = await openGateway({
      functions: { poll: async () => ({ statusCode: 418, headers: { "X-Answer": "42" }, body: "tea" }) },
    });
    const response = await fetch(`${gateway.url}/hubs/a?id=1&hub=b`, { method, body, ...POLL });
    expect([response.status, response.headers.get("x-answer"), await response.text()]).toEqual([418, "42", "tea"]);
    const { event } = await invoked.poll.next();
    expect(event).toMatchObject({ rawPath: "/poll", rawQueryString: "id=1&hub=hubs%2Fa" });
    expect(event.queryStringParameters).toEqual({ id: "1", hub: "hubs/a" });
    expect(event.requestContext.http).toMatchObject({ method, path: "/poll" });
    expect(event.body).toBe(body ?? undefined);
  });

  it("carries bytes both ways in base64", async () => {
    const sent = Buffer.from([0, 1, 254, 255]);
    const { gateway, invoked } = await openGateway({
      functions: {
        poll: async () => ({ statusCode: 200, body: sent.toString("base64"), isBase64Encoded: true }),
      },
    });
    const response = await fetch(`${gateway.url}/chat?id=1`, { method: "POST", body: sent });
    expect(Buffer.from(await response.arrayBuffer())).toEqual(sent);
    expect((await invoked.poll.next()).event).toMatchObject({ body: sent.toString("base64"), isBase64Encoded: true });
  });

  it("answers 503 to a poll that takes longer than 29 seconds, and tells its function how long it has", async () => {
    const { gateway, clock, invoked } = await openGateway({ functions: { poll: hang } });
    const answer = fetch(`${gateway.url}/chat?_=1`);
    const { context } = await invoked.poll.next();
    expect(context.getRemainingTimeInMillis()).toBe(29_000);
    await clock.advance(28_999);
    expect(context.getRemainingTimeInMillis()).toBe(1);
    await clock.advance(1);
    expect((await answer).status).toBe(503);
  });

  it("lets a function go on whose client has left, and loses its answer", async () => {
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const { gateway, invoked, lines } = await openGateway({
      functions: { poll: () => finished.then(() => ({ statusCode: 200, body: "late" })) },
    });
    const client = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    client.write("GET /chat?_=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await invoked.poll.next();
    client.resetAndDestroy();
    finish();
    expect((await fetch(`${gateway.url}/chat`, { method: "POST" })).status).toBe(200);
    expect(lines).toEqual([]);
  });

  it("is refused with 503 while connects are, and for whom they are", async () => {
    const { gateway } = await openGateway();
    gateway.faults.refuseConnects(1_000, { lab: "a" });
    expect((await fetch(`${gateway.url}/chat?lab=a&_=1`)).status).toBe(503);
    expect((await fetch(`${gateway.url}/chat?lab=a`, { method: "POST" })).status).toBe(503);
    expect((await fetch(`${gateway.url}/chat?lab=b&_=1`)).status).toBe(200);
  });

  it("fails with 500 when its function is to throw", async () => {
    const { gateway } = await openGateway();
    gateway.faults.throwIn("poll", 1);
    expect((await fetch(`${gateway.url}/chat?_=1`)).status).toBe(500);
    expect((await fetch(`${gateway.url}/chat?_=1`)).status).toBe(200);
  });
});

describe("closing the gateway", () => {
  it("cuts polls at once and leaves their functions no time, but waits for what is being sent", async () => {
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const { gateway, invoked } = await openGateway({
      functions: {
        poll: async (event) => {
          if (event.requestContext.http.method === "GET") return hang();
          await finished;
          return { statusCode: 200 };
        },
      },
    });
    const poll = fetch(`${gateway.url}/chat?_=1`);
    const { context } = await invoked.poll.next();
    const sending = rawRequest(gateway.url, ["POST /chat HTTP/1.1", "Connection: close", "Content-Length: 0"]);
    await invoked.poll.next();
    const order: string[] = [];
    const closing = gateway.close().then(() => order.push("closed"));
    await expect(poll).rejects.toThrow();
    order.push("cut");
    expect(context.getRemainingTimeInMillis()).toBe(0);
    finish();
    expect(await sending).toMatch(/^HTTP\/1.1 200 /);
    await closing;
    expect(order).toEqual(["cut", "closed"]);
  });
});

describe("a proxy that lets no socket pass", () => {
  it("answers 400 to upgrades for a while, and leaves HTTP and open sockets alone", async () => {
    const { gateway, open, openTransport, clock, invoked } = await openGateway();
    const { client } = await openTransport();
    gateway.faults.blockSockets(1_000);
    await expect(open()).rejects.toMatchObject({ status: 400 });
    expect(invoked.connect.all).toHaveLength(1);
    await client.ping();
    expect((await fetch(`${gateway.url}/chat/negotiate`, { method: "POST" })).status).toBe(200);
    expect((await fetch(`${gateway.url}/chat?_=1`)).status).toBe(200);
    await clock.advance(1_000);
    await open();
  });

  it("may stand before some clients only, until it is taken away", async () => {
    const { gateway, open } = await openGateway();
    gateway.faults.blockSockets(Number.POSITIVE_INFINITY, { lab: "a" });
    await open("/chat?lab=b");
    await expect(open("/chat?lab=a")).rejects.toMatchObject({ status: 400 });
    gateway.faults.reset();
    await open("/chat?lab=a");
  });
});

it("keeps a client's connection open between polls", async () => {
  const { gateway } = await openGateway();
  const response = await rawRequest(gateway.url, ["GET /chat?_=1 HTTP/1.1", "Connection: keep-alive"]);
  expect(response).toMatch(/^keep-alive: timeout=65$/im);
});
