// What a page may ask of the fault switches, and what it hears.

import { request } from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import { Arrivals, openGateway, rawRequest } from "./local-gateway.ts";

const MINUTE = 60_000;

async function open() {
  const opened = await openGateway({ faultApi: true });
  const url = `${opened.gateway.url}/_gateway/faults`;
  return {
    ...opened,
    url,
    /** As a page of this server asks. */
    ask: (body: unknown, headers: Record<string, string> = {}, method = "POST") =>
      send(url, method, { origin: opened.gateway.url, "sec-fetch-site": "same-origin", ...headers }, body),
  };
}

/** With node:http, because fetch sets some of these headers itself. */
function send(url: string, method: string, headers: Record<string, string>, body: unknown) {
  return new Promise<{ status: number; error: string }>((resolve, reject) => {
    const sent = request(url, { method, headers: { "content-type": "application/json", ...headers } }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, error: text }));
    });
    sent.on("error", reject);
    sent.end(typeof body === "string" ? body : JSON.stringify(body));
  });
}

/** The events of the stream from now on. */
async function watch(url: string): Promise<Arrivals<Record<string, unknown>>> {
  const leaving = new AbortController();
  onTestFinished(() => leaving.abort());
  const response = await fetch(url, { signal: leaving.signal });
  const events = new Arrivals<Record<string, unknown>>();
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? []) {
      for (const [, data = ""] of Buffer.from(chunk)
        .toString()
        .matchAll(/^data: (.*)$/gm))
        events.push(JSON.parse(data));
    }
  };
  void read().catch(() => undefined);
  await events.next();
  return events;
}

describe("a page of this server", () => {
  it("cuts the transports of the client it names, and no other", async () => {
    const { ask, openTransport } = await open();
    const { client } = await openTransport("/chat?lab=a");
    const { client: other } = await openTransport("/chat?lab=b");
    const { client: unnamed } = await openTransport("/chat");
    expect(await ask({ fault: "cut", client: "a" })).toEqual({ status: 204, error: "" });
    expect((await client.closed).code).toBe(1006);
    await Promise.all([other.ping(), unnamed.ping()]);
  });

  it("holds a client's frames and lets them go", async () => {
    const { ask, openTransport, invoked } = await open();
    const { client } = await openTransport("/chat?lab=a");
    expect((await ask({ fault: "halfOpen", client: "a" })).status).toBe(204);
    client.send("held");
    expect((await ask({ fault: "release", client: "a" })).status).toBe(204);
    expect((await invoked.message.next()).event.body).toBe("held");
    expect((await ask({ fault: "release", client: "a" })).status).toBe(404);
  });

  it("loses the next $disconnect of a client", async () => {
    const { ask, openTransport, invoked } = await open();
    const { client } = await openTransport("/chat?lab=a");
    await ask({ fault: "dropDisconnects", client: "a" });
    await ask({ fault: "cut", client: "a" });
    await client.closed;
    const { client: next, id } = await openTransport("/chat?lab=a");
    next.webSocket.terminate();
    expect((await invoked.disconnect.next()).event.requestContext.connectionId).toBe(id);
    expect(invoked.disconnect.all).toHaveLength(1);
  });

  it("refuses a client for a while", async () => {
    const { ask, open: connect, clock } = await open();
    await ask({ fault: "refuseConnects", client: "a", milliseconds: 1_000 });
    await expect(connect("/chat?lab=a")).rejects.toMatchObject({ status: 503 });
    await connect("/chat?lab=b");
    await clock.advance(1_000);
    await connect("/chat?lab=a");
  });

  it("puts a proxy before a client for a while that lets no socket pass", async () => {
    const { gateway, ask, open: connect, clock } = await open();
    await ask({ fault: "blockSockets", client: "a", milliseconds: 1_000 });
    await expect(connect("/chat?lab=a")).rejects.toMatchObject({ status: 400 });
    expect((await fetch(`${gateway.url}/chat/negotiate?lab=a`, { method: "POST" })).status).toBe(200);
    await connect("/chat?lab=b");
    await clock.advance(1_000);
    await connect("/chat?lab=a");
  });

  it("takes a client's socket to its 2 hours", async () => {
    const { ask, openTransport } = await open();
    const { client } = await openTransport("/chat?lab=a");
    await ask({ fault: "age", client: "a", milliseconds: 120 * MINUTE });
    expect((await client.closed).code).toBe(1001);
  });

  it("hears what the gateway does for clients that have a name", async () => {
    const { gateway, url, ask, open: connect, openTransport, functions, clock } = await open();
    const events = await watch(url);
    const at = clock.now();
    await fetch(`${gateway.url}/chat/negotiate?lab=a`, { method: "POST" });
    await openTransport("/chat");
    const { client } = await openTransport("/chat?lab=a&resume=secret");
    client.webSocket.close(1000);
    expect(await events.next()).toEqual({ client: "a", at, kind: "negotiated", status: 200 });
    expect(await events.next()).toEqual({ client: "a", at, kind: "accepted" });
    expect(await events.next()).toEqual({ client: "a", at, kind: "closed", code: 1000 });
    expect(await events.next()).toEqual({ client: "a", at, kind: "disconnect", delivered: true });
    functions.connect = async () => ({ statusCode: 404 });
    await expect(connect("/chat?lab=b")).rejects.toMatchObject({ status: 404 });
    expect(await events.next()).toEqual({ client: "b", at, kind: "refused", status: 404 });
    functions.connect = async () => ({ statusCode: 200 });
    await openTransport("/chat?lab=__proto__");
    expect(await events.next()).toEqual({ client: "__proto__", at, kind: "accepted" });
    await ask({ fault: "dropDisconnects", client: "__proto__" });
    await ask({ fault: "cut", client: "__proto__" });
    expect(await events.next()).toMatchObject({ kind: "closed", code: 1006 });
    expect(await events.next()).toMatchObject({ kind: "disconnect", delivered: false });
    expect(JSON.stringify(events.all)).not.toContain("secret");
  });

  it("does not keep the gateway from closing", async () => {
    const { gateway, url } = await open();
    await watch(url);
    const before = Date.now();
    await gateway.close();
    expect(Date.now() - before).toBeLessThan(2_500);
  });
});

describe("nobody else", () => {
  it.each<[string, Record<string, string>]>([
    ["another site", { origin: "https://evil.test", "sec-fetch-site": "cross-site" }],
    ["another port of this machine", { origin: "http://localhost:1", "sec-fetch-site": "same-site" }],
    ["a page in a sandbox", { origin: "null" }],
    ["a browser that says no origin", { origin: "", "sec-fetch-site": "cross-site" }],
    ["the same name over https", { origin: "https://localhost" }],
    ["an older browser, which says the origin only", { origin: "http://evil.test" }],
  ])("may switch a fault: %s", async (_who, headers) => {
    const { gateway, url, openTransport } = await open();
    const { client } = await openTransport("/chat?lab=a");
    const { origin, ...others } = headers;
    const given = origin === "" ? others : headers;
    expect((await send(url, "POST", given, { fault: "cut", client: "a" })).status).toBe(403);
    expect((await send(url, "GET", given, "")).status).toBe(403);
    await client.ping();
    expect(gateway.transports()).toHaveLength(1);
  });

  it("may, under another name for this machine", async () => {
    const { gateway } = await open();
    const answer = await rawRequest(gateway.url, ["GET /_gateway/faults HTTP/1.1"], "evil.test");
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
  });

  it("is shown anything by CORS", async () => {
    const { gateway } = await open();
    const answer = await rawRequest(gateway.url, [
      "OPTIONS /_gateway/faults HTTP/1.1",
      "Origin: https://evil.test",
      "Access-Control-Request-Method: POST",
      "Access-Control-Request-Headers: content-type",
    ]);
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(answer.toLowerCase()).not.toContain("access-control");
  });

  it("but a process of this machine, which needs no browser", async () => {
    const { url, openTransport } = await open();
    const { client } = await openTransport("/chat?lab=a");
    expect((await send(url, "POST", {}, { fault: "cut", client: "a" })).status).toBe(204);
    expect((await client.closed).code).toBe(1006);
  });
});

describe("what is no fault", () => {
  it.each([
    ["no JSON", "cut"],
    ["nothing", ""],
    ["null", "null"],
    ["a list", '["cut", "a"]'],
    ["no client", { fault: "cut" }],
    ["an empty client", { fault: "cut", client: "" }],
    ["a client that is no text", { fault: "cut", client: ["a"] }],
    ["a long client", { fault: "cut", client: "a".repeat(101) }],
    ["no such fault", { fault: "explode", client: "a" }],
    ["__proto__", { fault: "__proto__", client: "a" }],
    ["constructor", { fault: "constructor", client: "a" }],
    ["a fault in the prototype", '{ "__proto__": { "fault": "cut", "client": "a" } }'],
    ["time that is no number", { fault: "refuseConnects", client: "a", milliseconds: "1" }],
    ["time that is negative", { fault: "refuseConnects", client: "a", milliseconds: -1 }],
    ["time without end", '{ "fault": "refuseConnects", "client": "a", "milliseconds": 1e999 }'],
  ])("is answered with 400: %s", async (_what, body) => {
    const { ask, openTransport } = await open();
    const { client } = await openTransport("/chat?lab=a");
    const { status, error } = await ask(body);
    expect(status).toBe(400);
    expect(JSON.parse(error)).toEqual({ error: expect.stringMatching(/\.$/) });
    await client.ping();
  });

  it.each(["b", "__proto__", "toString"])("is answered with 404 when no client is called %s", async (client) => {
    const { ask, openTransport } = await open();
    await openTransport("/chat?lab=a");
    for (const fault of ["cut", "halfOpen", "release", "dropDisconnects", "age"]) {
      expect((await ask({ fault, client })).status).toBe(404);
    }
  });

  it.each(["PUT", "DELETE", "PATCH", "OPTIONS"])("is answered with 405: %s", async (method) => {
    const { ask } = await open();
    expect((await ask("", {}, method)).status).toBe(405);
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])(
    "is answered with 415: %j",
    async (type) => {
      const { ask } = await open();
      expect((await ask({ fault: "cut", client: "a" }, { "content-type": type })).status).toBe(415);
    },
  );

  it("is answered with 413 when it is large", async () => {
    const { ask } = await open();
    expect((await ask({ fault: "cut", client: "a", more: "x".repeat(2_000) })).status).toBe(413);
  });
});
