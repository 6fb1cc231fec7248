// Long polling on the wire: which request is answered with what.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md#long-polling-server-to-client-only

import { HttpTransportType } from "@microsoft/signalr";
import { describe, expect, it } from "vitest";
import { RS } from "../protocol/records.ts";
import { HANDSHAKE } from "./bare-client.ts";
import { PollingClient } from "./polling-client.ts";
import { recordedHub } from "./recorded-hub.ts";
import { RunningClock } from "./running-clock.ts";
import { type RunningService, serve } from "./running-service.ts";

const EMPTY = { status: 200, text: "" };
const NOT_STORED = {
  "cache-control": "no-cache, no-store",
  pragma: "no-cache",
  expires: "Thu, 01 Jan 1970 00:00:00 GMT",
};
/** Milliseconds. */
const HOLD = 25_000;

async function start() {
  const hub = recordedHub();
  const clock = new RunningClock();
  const service = await serve({ hubs: { chat: hub.hubs.chat, other: hub.hubs.chat } }, clock);
  /** Resolves with the names of all events when a connection has ended. */
  async function ended(): Promise<readonly string[]> {
    while (!(await hub.events.next()).name.startsWith("disconnected"));
    return hub.names();
  }
  return { ...hub, clock, service, ended };
}

const headersOf = ({ headers }: { headers: Headers }) => Object.fromEntries(headers.entries());
const named = (id: string, text: string) => ({ type: 1, invocationId: id, target: "echo", arguments: [text] });
const completed = (id: string, result: unknown) => ({ type: 3, invocationId: id, result });

describe("a poll", () => {
  it("is answered at once and empty when it is the first", async () => {
    const { service, names } = await start();
    const client = await PollingClient.negotiate(service);
    const first = await client.poll();
    expect(first).toMatchObject(EMPTY);
    expect(headersOf(first)).toMatchObject({
      ...NOT_STORED,
      "content-type": "application/octet-stream",
    });
    expect(names()).toEqual([]);
  });

  it("waits for the answer to the handshake, and then for messages, all of which it carries", async () => {
    const { service } = await start();
    const client = await PollingClient.open(service);
    const greeted = client.poll();
    expect(await client.post(HANDSHAKE)).toMatchObject(EMPTY);
    expect((await greeted).text).toBe(`{}${RS}`);
    const parked = client.poll();
    await client.post(named("1", "a"));
    const answer = await parked;
    expect(answer).toMatchObject({ status: 200, messages: [completed("1", "a")] });
    expect(headersOf(answer)).toMatchObject({ ...NOT_STORED, "content-type": "application/octet-stream" });
    await client.post(named("2", "b"), named("3", "ü"), named("4", "d"));
    expect(await client.take(3)).toEqual([completed("2", "b"), completed("3", "ü"), completed("4", "d")]);
    await client.delete();
  });

  it("is answered empty after 25 seconds without any", async () => {
    const { service, clock } = await start();
    const client = await PollingClient.greet(service);
    const parked = client.poll();
    await client.post({ type: 6 });
    clock.jump(HOLD);
    const answer = await parked;
    expect(answer).toMatchObject(EMPTY);
    expect(headersOf(answer)).toMatchObject({ ...NOT_STORED, "content-type": "text/plain" });
    await client.delete();
  });

  it("is answered with a Ping then if it comes from Swift, once it has shaken hands", async () => {
    const { service, clock } = await start();
    const agent = { "user-agent": "Microsoft SignalR/1.0 (1.0.0; macOS; Swift; unknown; Apple)" };
    const client = await PollingClient.open(service, "/chat", agent);
    const early = client.poll();
    await client.postBody("");
    clock.jump(HOLD);
    expect(await early).toMatchObject(EMPTY);
    await client.post(HANDSHAKE);
    await client.take(1);
    const parked = client.poll();
    await client.post({ type: 6 });
    clock.jump(HOLD);
    expect((await parked).messages).toEqual([{ type: 6 }]);
    await client.delete();
  });

  it("carries the Close message, and the next one says that it is over", async () => {
    const { service, ended } = await start();
    const client = await PollingClient.greet(service);
    await client.post(named("1", "last"), { type: 1, target: "leave", arguments: [] });
    expect(await client.take(2)).toEqual([completed("1", "last"), { type: 7 }]);
    expect(await client.poll()).toMatchObject({ status: 204, text: "" });
    expect(await client.poll()).toMatchObject({ status: 204, text: "" });
    expect(await ended()).toEqual(["connected", "disconnected false aborted"]);
    expect(await client.post(named("2", "late"))).toMatchObject({ status: 404, text: "No Connection with that ID" });
    expect((await client.delete()).status).toBe(404);
  });

  it("is released with 204 by a newer one, which gets what comes", async () => {
    const { service } = await start();
    const client = await PollingClient.greet(service);
    const polls = [client.poll(), client.poll(), client.poll()];
    const over = await Promise.any(polls);
    expect(over.status).toBe(204);
    const sent = Array.from({ length: 10 }, (_, index) => named(String(index), `${index}`));
    for (const each of sent) await client.post(each);
    const answers = await Promise.all(polls);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 204, 204]);
    const got = answers.flatMap(({ messages }) => messages);
    got.push(...(await client.take(10 - got.length)));
    expect(got).toEqual(sent.map((_, index) => completed(String(index), `${index}`)));
    await client.delete();
  });
});

describe("a poll whose answer is lost", () => {
  const KEY = "0123456789abcdef0123456789abcdef";

  it("is repeated when its client comes back with its key, and only then", async () => {
    const { service, ended } = await start();
    const client = await PollingClient.greet(service, `/chat?resume=${KEY}`);
    await client.invoke("echo", "first");
    await client.post(named("1", "a"), { type: 1, target: "tellMe", arguments: ["b"] });
    // Handed over: what a client does with it, nobody knows.
    expect((await client.take(2)).length).toBe(2);
    const back = await PollingClient.greet(service, `/chat?resume=${KEY}`);
    expect(back.connectionId).toBe(client.connectionId);
    // The answer was to the handshake before; the message is not.
    expect(await back.take(1)).toEqual([{ type: 1, target: "told", arguments: ["b"] }]);
    expect(await back.invoke("echo", "there")).toEqual(completed("i", "there"));
    const again = await PollingClient.greet(service, `/chat?resume=${KEY}`);
    expect(await again.invoke("echo", "no more")).toEqual(completed("i", "no more"));
    await again.delete();
    expect(await ended()).toEqual(["connected", "reconnected", "reconnected", "disconnected true undefined"]);
  });
});

describe("sending", () => {
  it("is accepted, not run: 200, empty, text/plain", async () => {
    const { service, started, goOn } = await start();
    const client = await PollingClient.greet(service);
    const answer = await client.post({ type: 1, invocationId: "1", target: "work", arguments: ["long"] });
    expect(answer).toMatchObject(EMPTY);
    expect(headersOf(answer)).toMatchObject({ ...NOT_STORED, "content-type": "text/plain" });
    expect(await started.next()).toBe("long");
    goOn();
    expect(await client.take(1)).toEqual([completed("1", "long")]);
    expect(await client.postBody("")).toMatchObject(EMPTY);
    await client.delete();
  });

  it("runs what follows the handshake in its body, and what is sent before its answer", async () => {
    const { service, runs } = await start();
    const client = await PollingClient.open(service);
    await client.post(HANDSHAKE, named("1", "ä"), named("2", "b"));
    await client.post(named("3", "ö"));
    expect(await client.take(4)).toEqual([{}, completed("1", "ä"), completed("2", "b"), completed("3", "ö")]);
    expect(runs).toEqual(["ä", "b", "ö"]);
    await client.delete();
  });

  it("may begin before the handshake is through", async () => {
    const { service, runs } = await start();
    const client = await PollingClient.open(service);
    await Promise.all([
      client.post(HANDSHAKE, named("1", "a")),
      // Behind the first, ahead of what that left to be done.
      client.post(named("2", "b")),
    ]).then((answers) => expect(answers.map(({ status }) => status)).toEqual([200, 200]));
    expect((await client.take(3)).at(0)).toEqual({});
    expect([...runs].sort()).toEqual(["a", "b"]);
    await client.delete();
  });

  it("may be the first of all requests, before any poll, and comes but once beside one", async () => {
    const { service, ended } = await start();
    const client = await PollingClient.negotiate(service);
    expect(await client.post(HANDSHAKE, named("1", "a"))).toMatchObject(EMPTY);
    expect(await client.take(2)).toEqual([{}, completed("1", "a")]);
    const quick = await PollingClient.negotiate(service);
    const [polled, ...posted] = await Promise.all([quick.poll(), quick.post(HANDSHAKE), quick.post(named("2", "b"))]);
    expect(posted.map(({ status }) => status)).toEqual([200, 200]);
    const heard = [...polled.messages];
    while (heard.length < 2) heard.push(...(await quick.take(1)));
    expect(heard).toEqual([{}, completed("2", "b")]);
    await Promise.all([client.delete(), quick.delete()]);
    await ended();
    expect(await ended()).toEqual(["connected", "connected", ...Array(2).fill("disconnected true undefined")]);
  });

  it("may take a connection over by its key, before any poll", async () => {
    const { service, names } = await start();
    const key = `/chat?resume=${"k".repeat(32)}`;
    const client = await PollingClient.greet(service, key);
    const again = await PollingClient.negotiate(service, key);
    expect(again.offer.connectionId).toBe(client.offer.connectionId);
    expect(await again.post(HANDSHAKE)).toMatchObject(EMPTY);
    expect(await again.take(1)).toEqual([{}]);
    expect(await again.invoke("echo", "back")).toEqual(completed("i", "back"));
    expect(names()).toEqual(["connected", "reconnected"]);
    await again.delete();
  });

  it("of something else than a handshake at first is refused in the reference's words", async () => {
    const { service, clock, names } = await start();
    const client = await PollingClient.open(service);
    const sent = client.post(named("1", "a"));
    const polled = client.poll();
    clock.jump(2_000);
    expect((await sent).status).toBe(200);
    clock.jump(1_000);
    const { messages } = await polled;
    expect(messages).toEqual([
      { error: expect.stringMatching(/^An unexpected error occurred during connection handshake\./) },
    ]);
    expect((await client.poll()).status).toBe(204);
    expect(names()).toEqual([]);
  });

  it("has at most 128 KB before the answer to the handshake, and may be repeated in parts", async () => {
    const { service, runs } = await start();
    const client = await PollingClient.open(service);
    const most = 128 * 1024;
    const tooLarge = { status: 413, text: `A request before the answer to the handshake has at most ${most} bytes.` };
    const unread = JSON.stringify(named("1", "x".repeat(most)));
    expect(await client.post(unread)).toMatchObject(tooLarge);
    expect(await client.post(HANDSHAKE, unread)).toMatchObject(tooLarge);
    expect(await client.post("\u0000".repeat(6 * 1024 * 1024 - 1))).toMatchObject({ status: 413 });
    const records = Array.from({ length: 1000 }, (_, index) => ({
      type: 1,
      target: "note",
      arguments: [`${index} ä`],
    }));
    await client.post(HANDSHAKE, ...records);
    await client.post(named("2", "b"));
    expect(await client.take(2)).toEqual([{}, completed("2", "b")]);
    expect(runs).toEqual([...records.map((each) => each.arguments[0]), "b"]);
    await client.delete();
  });

  it("keeps the order of requests, also of such that came within a millisecond", async () => {
    const { service, clock, runs, goOn } = await start();
    const client = await PollingClient.greet(service);
    clock.stop();
    await client.post({ type: 1, target: "work", arguments: ["first"] });
    for (let index = 0; index < 20; index++) await client.post({ type: 1, target: "note", arguments: [index] });
    expect(runs).toEqual([]);
    clock.goOn();
    goOn();
    await client.invoke("echo", 20);
    expect(runs).toEqual(Array.from({ length: 21 }, (_, index) => index));
    await client.delete();
  });

  it("takes a thousand messages in a body, and runs them in their order", async () => {
    const { service, runs } = await start();
    const client = await PollingClient.greet(service);
    const text = "x".repeat(300);
    const all = Array.from({ length: 1000 }, (_, index) => ({
      type: 1,
      target: "note",
      arguments: [`${index} ${text}`],
    }));
    await client.post(...all);
    expect(await client.invoke("echo", "end")).toEqual(completed("i", "end"));
    expect(runs).toEqual([...all.map((each) => each.arguments[0]), "end"]);
    await client.delete();
  });

  it("takes concurrent requests, each once", async () => {
    const { service, runs } = await start();
    const client = await PollingClient.greet(service);
    const values = Array.from({ length: 12 }, (_, index) => index);
    await Promise.all(values.map((value) => client.post({ type: 1, target: "note", arguments: [value] })));
    await client.invoke("echo", "end");
    expect([...runs].filter((run) => run !== "end").sort((a, b) => Number(a) - Number(b))).toEqual(values);
    await client.delete();
  });
});

describe("ending with DELETE", () => {
  it("wakes the poll that is parked, and is answered at once", async () => {
    const { service, ended } = await start();
    const client = await PollingClient.greet(service);
    const parked = client.poll();
    await client.post({ type: 6 });
    const answer = await client.delete();
    expect(answer).toMatchObject({ status: 202, text: "" });
    expect(headersOf(answer)).toMatchObject({ ...NOT_STORED, "content-type": "text/plain" });
    expect(await parked).toMatchObject({ status: 204, text: "" });
    expect(await ended()).toEqual(["connected", "disconnected true undefined"]);
    expect((await client.delete()).status).toBe(404);
    expect((await client.poll()).status).toBe(204);
    expect((await client.post(named("1", "late"))).status).toBe(404);
  });

  it("is accepted twice as long as the first is not through, and ends the connection once", async () => {
    const { service, ended } = await start();
    const client = await PollingClient.greet(service);
    const answers = await Promise.all([client.delete(), client.delete()]);
    expect(answers.filter(({ status }) => status === 202).length).toBeGreaterThan(0);
    expect(await ended()).toEqual(["connected", "disconnected true undefined"]);
  });

  it("ends a connection that never shook hands, without a word to the hub", async () => {
    const { service, names } = await start();
    const client = await PollingClient.open(service);
    expect((await client.delete()).status).toBe(202);
    expect((await client.poll()).status).toBe(204);
    expect(names()).toEqual([]);
  });
});

describe("a request that is wrong", () => {
  it.each(["GET", "POST", "DELETE"])("%s without an id is refused", async (method) => {
    const { service } = await start();
    for (const query of ["_=1", "id=&_=1"]) {
      const response = await ask(service, `/chat?${query}`, method);
      expect([response.status, await response.text()]).toEqual([400, "Connection ID required"]);
    }
  });

  it.each(["GET", "POST", "DELETE"])("%s with an id that nobody gave out is refused", async (method) => {
    const { service } = await start();
    const { connectionToken } = await service.offer("/other");
    for (const id of ["x", "__proto__", "constructor", "a.b.c", connectionToken, "%00", "x".repeat(2000)]) {
      const response = await ask(service, `/chat?id=${id}&_=1`, method);
      expect([response.status, await response.text()]).toEqual([404, "No Connection with that ID"]);
    }
  });

  it("ends before the first poll", async () => {
    const { service } = await start();
    const client = await PollingClient.negotiate(service);
    expect((await client.delete()).status).toBe(404);
  });

  it("comes too late after negotiate", async () => {
    const { service, clock } = await start();
    const client = await PollingClient.negotiate(service);
    clock.jump(21_000);
    expect(await client.poll()).toMatchObject({ status: 404, text: "No Connection with that ID" });
    expect(await client.post(HANDSHAKE)).toMatchObject({ status: 404, text: "No Connection with that ID" });
  });

  it("has a verb that there is not", async () => {
    const { service } = await start();
    const client = await PollingClient.open(service);
    const { status, headers } = await client.request("PUT", { body: "x" });
    expect([status, headers.get("allow")]).toEqual([405, "GET, POST, DELETE, OPTIONS"]);
  });

  it("polls, sends to or ends what is by a socket", async () => {
    const { service } = await start();
    const connection = await service.connect("/chat");
    const token = new URL(
      (connection as unknown as { connection: { transport: { _webSocket: WebSocket } } }).connection.transport
        ._webSocket.url,
    ).searchParams.get("id");
    const answers = [];
    for (const method of ["GET", "POST", "DELETE"]) {
      const response = await ask(service, `/chat?id=${token}&_=1`, method);
      answers.push([response.status, await response.text()]);
    }
    expect(answers).toEqual([
      [400, "Cannot change transports mid-connection"],
      [405, "POST requests are not allowed for WebSocket connections."],
      [400, "Cannot terminate this connection using the DELETE endpoint."],
    ]);
    expect(await connection.invoke("echo", "unharmed")).toBe("unharmed");
    await connection.stop();
    await service.leave();
    const ended = [];
    for (const method of ["GET", "POST", "DELETE"]) {
      const response = await ask(service, `/chat?id=${token}&_=1`, method);
      ended.push([response.status, await response.text()]);
    }
    expect(ended).toEqual(Array(3).fill([404, "No Connection with that ID"]));
  });

  it("ends what is an event stream, or asks for a socket or a stream of what polls", async () => {
    const { service } = await start();
    const connection = await service.connect("/chat", { transport: HttpTransportType.ServerSentEvents });
    const inner = (connection as unknown as { connection: { transport: { _url: string } } }).connection;
    const { search } = new URL(inner.transport._url);
    const response = await ask(service, `/chat${search}`, "DELETE");
    expect([response.status, await response.text()]).toEqual([
      400,
      "Cannot terminate this connection using the DELETE endpoint.",
    ]);
    const poll = await ask(service, `/chat${search}&_=1`, "GET");
    expect([poll.status, await poll.text()]).toEqual([400, "Cannot change transports mid-connection"]);
    const client = await PollingClient.greet(service);
    const stream = await fetch(`${service.url}/chat?id=${client.offer.connectionToken}`, {
      headers: { accept: "text/event-stream" },
    });
    expect([stream.status, await stream.text()]).toEqual([400, "Cannot change transports mid-connection"]);
    await expect(service.open(`/chat?id=${client.offer.connectionToken}`)).rejects.toMatchObject({ status: 409 });
    expect(await client.invoke("echo", "unharmed")).toEqual(completed("i", "unharmed"));
    await client.delete();
  });

  it("wants a transport that the hub does not offer", async () => {
    const { hubs } = recordedHub();
    const service = await serve({ hubs, transports: ["WebSockets"] }, new RunningClock());
    const client = await PollingClient.negotiate(service);
    const refused = { status: 404, text: "LongPolling transport not supported by this end point type" };
    expect(await client.poll()).toMatchObject(refused);
    expect(await client.post(HANDSHAKE)).toMatchObject(refused);
  });
});

function ask(service: RunningService, path: string, method: string): Promise<Response> {
  const headers = { "x-requested-with": "XMLHttpRequest" };
  return fetch(service.url + path, { method, headers, ...(method === "POST" && { body: "x" }) });
}
