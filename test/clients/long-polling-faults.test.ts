// Long polling when something goes wrong, and for users who are somebody.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type AuthRequest, defineService } from "signalr-lambda";
import { startLocalServer } from "signalr-lambda/local";
import { describe, expect, it } from "vitest";
import { recordingLog } from "../recording-log.ts";
import { PollingClient } from "./polling-client.ts";
import { recordedHub } from "./recorded-hub.ts";
import { RunningClock } from "./running-clock.ts";
import { serve } from "./running-service.ts";

/** Milliseconds. */
const KEY = "0123456789abcdef0123456789abcdef";

/** A token is its claims: these tests are not about signatures. */
const auth = ({ token }: AuthRequest) => (token ? JSON.parse(Buffer.from(token, "base64url").toString()) : null);
const bearer = (claims: object) => ({
  authorization: `Bearer ${Buffer.from(JSON.stringify({ sub: "ada", ...claims })).toString("base64url")}`,
});

async function start(options: object = {}) {
  const hub = recordedHub();
  const clock = new RunningClock();
  const service = await serve({ hubs: hub.hubs, auth, ...options }, clock);
  const ended = async () => {
    while (!(await hub.events.next()).name.startsWith("disconnected"));
    return hub.names();
  };
  return { ...hub, clock, service, ended };
}

const echo = (id: string, value: unknown) => ({ type: 1, invocationId: id, target: "echo", arguments: [value] });
const result = (id: string, value: unknown) => ({ type: 3, invocationId: id, result: value });

describe("a user's connection", () => {
  it("is refused to every other user, and to nobody who says nothing", async () => {
    const { service, ended } = await start();
    const client = await PollingClient.greet(service, "/chat", bearer({}));
    const url = `${service.url}/chat?id=${client.offer.connectionToken}&_=1`;
    for (const method of ["GET", "POST", "DELETE"]) {
      const headers = { ...bearer({ sub: "eve" }), "x-requested-with": "XMLHttpRequest" };
      const response = await fetch(url, { method, headers, ...(method === "POST" && { body: "x" }) });
      expect([response.status, await response.text()]).toEqual([403, "Forbidden"]);
    }
    // What the connection token says is enough: an access token may have expired since.
    const headers = { "x-requested-with": "XMLHttpRequest" };
    const body = `${JSON.stringify(echo("1", "x"))}\u001e`;
    expect((await fetch(url, { method: "POST", headers, body })).status).toBe(200);
    expect(await (await fetch(url, { headers })).text()).toBe(`${JSON.stringify(result("1", "x"))}\u001e`);
    expect((await fetch(url, { method: "DELETE", headers })).status).toBe(202);
    expect(await ended()).toEqual(["connected", "disconnected true undefined"]);
  });

  it("cannot be opened by somebody else, whatever they bring", async () => {
    const { service } = await start();
    const client = await PollingClient.negotiate(service, "/chat", bearer({}));
    const url = `${service.url}/chat?id=${client.offer.connectionToken}&_=1`;
    const headers = { "x-requested-with": "XMLHttpRequest" };
    expect((await fetch(url, { headers })).status).toBe(401);
    expect((await fetch(url, { headers: { ...headers, ...bearer({ sub: "eve" }) } })).status).toBe(403);
  });

  it("lasts as long as the newest access token that a poll has brought", async () => {
    const { service, clock, ended } = await start({ closeOnAuthenticationExpiration: true });
    const inSeconds = (seconds: number) => Math.ceil(clock.now() / 1000) + seconds;
    const claims = { exp: inSeconds(20) };
    const client = await PollingClient.greet(service, "/chat", bearer(claims));
    await client.post(echo("1", "a"));
    await client.poll({ headers: bearer({ exp: inSeconds(75) }) });
    // Nobody has been silent for long: the sweeper begins after a minute.
    for (let time = 0; time < 3; time++) {
      clock.jump(20_000);
      await client.post(echo("2", "b"));
      await client.poll({ headers: bearer({ exp: inSeconds(75 - 20 * (time + 1)) }) });
    }
    const over = ended();
    clock.jump(20_000);
    expect(await over).toEqual(["connected", "disconnected false token_expired"]);
    expect((await client.poll()).messages).toEqual([{ type: 7, allowReconnect: true }]);
  });
});

describe("a function that dies", () => {
  it("over a poll costs no message: a client with a key has it sent again", async () => {
    const { service } = await start();
    const client = await PollingClient.greet(service, `/chat?resume=${KEY}`);
    await client.post({ type: 1, target: "tellMe", arguments: ["once"] });
    service.server.faults.throwIn("poll", 1);
    expect((await client.poll()).status).toBe(500);
    const back = await PollingClient.greet(service, `/chat?resume=${KEY}`);
    expect(back.connectionId).toBe(client.connectionId);
    expect(await back.take(1)).toEqual([{ type: 1, target: "told", arguments: ["once"] }]);
    await back.delete();
  });

  it("over an errand leaves it to the sweeper: what was accepted is run", async () => {
    const { service, clock, runs } = await start();
    const client = await PollingClient.greet(service);
    service.server.faults.throwIn("message", 1);
    expect((await client.post(echo("1", "late"))).status).toBe(200);
    clock.jump(30_000);
    await client.post({ type: 6 });
    expect(runs).toEqual([]);
    clock.jump(31_000);
    expect(await client.take(1)).toEqual([result("1", "late")]);
    expect(runs).toEqual(["late"]);
    await client.delete();
  });

  it("over a message, or that of the next one, answers it all the same", async () => {
    const { service, runs } = await start();
    const client = await PollingClient.greet(service);
    service.server.faults.throwIn("message", 1);
    await client.post(echo("1", "first"));
    // Whoever comes next finds what waits.
    await client.post(echo("2", "second"));
    expect(await client.take(2)).toEqual([result("1", "first"), result("2", "second")]);
    expect(runs).toEqual(["first", "second"]);
    await client.delete();
  });

  it("over a POST tells its client", async () => {
    const { service } = await start();
    const client = await PollingClient.greet(service);
    service.server.faults.throwIn("poll", 1);
    expect((await client.post(echo("1", "lost"))).status).toBe(500);
    expect(await client.invoke("echo", "there")).toEqual(result("i", "there"));
    await client.delete();
  });
});

describe("what waits for a client that does not come", () => {
  it("is bounded: then its connection ends, and it reads why", async () => {
    const { service, ended } = await start({ statefulReconnectBufferSize: 1_024 });
    const client = await PollingClient.greet(service);
    const sender = await PollingClient.greet(service);
    await client.invoke("join", "room");
    const text = "x".repeat(600);
    for (let index = 0; index < 2; index++) await sender.invoke("tell", "room", text);
    await sender.post({ type: 1, invocationId: "full", target: "tell", arguments: ["room", "too much"] });
    // The sender waits for room for five seconds, then gives the connection up.
    expect(await sender.take(1)).toMatchObject([{ invocationId: "full" }]);
    const told = await client.take(3);
    expect(told.map(({ type, arguments: args }) => (type === 1 ? (args as string[])[0]?.length : type))).toEqual([
      600, 600, 7,
    ]);
    expect(told.at(-1)).toEqual({
      type: 7,
      error: "Connection closed with an error. More messages were waiting than the server keeps.",
      allowReconnect: true,
    });
    expect((await client.poll()).status).toBe(204);
    expect(await ended()).toEqual(["connected", "connected", "disconnected false outbox_full"]);
    await sender.delete();
  });
});

describe("many polls at once", () => {
  it("cost little memory each, and end with their server", async () => {
    const hub = recordedHub();
    const server = await startLocalServer(defineService({ hubs: hub.hubs }), { log: recordingLog([]) });
    const clients = await Promise.all(Array.from({ length: 30 }, () => PollingClient.greet(server)));
    const before = heapUsed();
    const parked = clients.map((client) => client.poll());
    await Promise.all(clients.map((client) => client.post({ type: 6 })));
    // Both ends of each request are in this process, and the client's is the larger one.
    expect((heapUsed() - before) / clients.length).toBeLessThan(100 * 1024);
    const [outcomes] = await Promise.all([Promise.allSettled(parked), server.close()]);
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["rejected"]));
  });
});

/** Bytes, without garbage. */
function heapUsed(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}
