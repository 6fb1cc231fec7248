// The function URL: a response that goes to its client piece by piece.

import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import type { StreamedResponse } from "../../lambdas/apigateway/index.ts";
import type { Functions } from "../../lambdas/local/index.ts";
import { Arrivals, hang, openGateway } from "./local-gateway.ts";

const STREAM = { headers: { Accept: "text/event-stream" } };
const HEAD = { "content-type": "text/event-stream" };

/** A gateway whose function does what a test says with its response. */
async function open(run: (response: StreamedResponse) => Promise<void>) {
  const stream: Functions["stream"] = (_event, _context, response) => run(response);
  const opened = await openGateway({ functions: { stream } });
  return { ...opened, get: (init?: RequestInit) => fetch(`${opened.gateway.url}/chat?id=1`, { ...STREAM, ...init }) };
}

/** The pieces as they arrive. */
function read(response: Response): { readonly pieces: Arrivals<string>; readonly ended: Promise<void> } {
  const pieces = new Arrivals<string>();
  const run = async (): Promise<void> => {
    for await (const chunk of response.body ?? []) pieces.push(Buffer.from(chunk).toString());
  };
  return { pieces, ended: run() };
}

describe("the way to an event stream", () => {
  it("goes through the edge function, in payload format 2.0", async () => {
    const { get, invoked } = await open(async (response) => response.begin(200, HEAD));
    const response = await get();
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    expect(await response.text()).toBe("");
    const { event, context } = await invoked.stream.next();
    expect(event).toMatchObject({ version: "2.0", rawPath: "/", rawQueryString: "id=1&hub=chat" });
    expect(event.requestContext.http).toMatchObject({ method: "GET", path: "/" });
    expect(context.getRemainingTimeInMillis()).toBe(15 * 60_000);
  });

  it("brings the head before the first piece, and each piece when it is written", async () => {
    const written = new Arrivals<string>();
    const { get } = await open(async (response) => {
      response.begin(200, HEAD);
      for (let piece = await written.next(); piece !== "end"; piece = await written.next()) await response.write(piece);
      response.end();
    });
    const { pieces, ended } = read(await get());
    for (const piece of ["one", "zwei €"]) {
      written.push(piece);
      expect(await pieces.next()).toBe(piece);
    }
    written.push("end");
    await ended;
  });

  it("holds a function back while its client does not read", async () => {
    let pieces = 0;
    const { gateway } = await open(async (response) => {
      response.begin(200, HEAD);
      for (; pieces < 1_000; pieces++) await response.write("x".repeat(64 * 1024));
    });
    const client = await rawClient(gateway.url);
    // Until nothing more is taken, however large the buffers in between.
    for (let [idle, before] = [0, -1]; idle < 1_000; idle = pieces === before ? idle + 1 : 0) {
      before = pieces;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(pieces).toBeLessThan(1_000);
    client.resume();
    await new Promise((resolve) => client.once("end", resolve));
    expect(pieces).toBe(1_000);
  });

  it("breaks off what ends while its client has not taken everything", async () => {
    const { gateway, invoked, lines } = await open(async (response) => {
      response.begin(200, HEAD);
      void response.write("x".repeat(64 * 1024 * 1024));
      response.end();
    });
    const client = await rawClient(gateway.url);
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.on("error", () => undefined);
    await invoked.stream.next();
    client.resume();
    await closed;
    expect(client.bytesRead).toBeLessThan(64 * 1024 * 1024);
    expect(lines).toEqual([]);
  });

  it("breaks off when a fault says so", async () => {
    const { gateway, get } = await open(async (response) => {
      response.begin(200, HEAD);
      await hang();
    });
    const brokenOff = expect((await get()).text()).rejects.toThrow();
    expect(gateway.faults.cutRequests({ id: "2" })).toBe(0);
    expect(gateway.faults.cutRequests({ id: "1" })).toBe(1);
    await brokenOff;
    expect(gateway.faults.cutRequests()).toBe(0);
  });

  it("tells a function nothing of a client that leaves: what it writes vanishes", async () => {
    const goOn = new Arrivals<true>();
    const done = new Arrivals<string>();
    const { gateway, lines, invoked } = await open(async (response) => {
      response.begin(200, HEAD);
      await goOn.next();
      for (let piece = 0; piece < 100; piece++) await response.write("x".repeat(64 * 1024));
      response.end();
      done.push("done");
    });
    const client = await rawClient(gateway.url);
    await invoked.stream.next();
    client.resetAndDestroy();
    goOn.push(true);
    expect(await done.next()).toBe("done");
    expect(lines).toEqual([]);
  });

  it.each<[string, (response: StreamedResponse) => Promise<void>]>([
    ["throws", () => Promise.reject(new Error("no"))],
    ["writes before it has begun", (response) => response.write("x")],
    ["begins with what is no header", async (response) => response.begin(200, { a: "\n" })],
  ])("answers 502 when its function %s", async (_what, run) => {
    const { get, lines } = await open(run);
    expect((await get()).status).toBe(502);
    expect(lines).toMatchObject([{ level: "error", message: "A function threw.", function: "stream" }]);
  });

  it("breaks a response off whose function throws", async () => {
    const { get } = await open(async (response) => {
      response.begin(200, HEAD);
      await response.write("half");
      throw new Error("no");
    });
    await expect((await get()).text()).rejects.toThrow();
  });

  it("breaks a response off after 15 minutes", async () => {
    const { get, clock, lines } = await open(async (response) => {
      response.begin(200, HEAD);
      await hang();
    });
    const brokenOff = expect((await get()).text()).rejects.toThrow();
    await clock.advance(15 * 60_000);
    await brokenOff;
    expect(lines).toMatchObject([{ message: "A function ran out of time.", function: "stream" }]);
  });

  it("is refused with 503 while connects are", async () => {
    const { gateway, get } = await open(async () => undefined);
    gateway.faults.refuseConnects(1_000);
    expect((await get()).status).toBe(503);
  });

  it("is cut at once when the gateway closes, and leaves its function no time", async () => {
    const { gateway, get, invoked } = await open(async (response) => {
      response.begin(200, HEAD);
      await hang();
    });
    const cut = expect((await get()).text()).rejects.toThrow();
    const { context } = await invoked.stream.next();
    const closing = gateway.close();
    await cut;
    expect(context.getRemainingTimeInMillis()).toBe(0);
    await closing;
  });
});

/** A client that does not read before it is told to. */
function rawClient(url: string): Promise<Socket> {
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.pause();
  socket.write("GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: text/event-stream\r\n\r\n");
  return new Promise((resolve) => socket.once("connect", () => resolve(socket)));
}
