// Server-sent events on the wire: what a client of one's own would meet.

import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { HttpTransportType } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { defineHub, type ServiceOptions } from "signalr-lambda";
import { describe, expect, it, onTestFinished } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { recordedHub } from "./recorded-hub.ts";
import { RunningClock } from "./running-clock.ts";
import { type Offer, type RunningService, serve } from "./running-service.ts";
import { VirtualTime } from "./virtual-time.ts";

const SEPARATOR = "\u001e";
const HANDSHAKE = { protocol: "json", version: 1 };
const STREAM = { accept: "text/event-stream" };
const KEY = "0123456789abcdef0123456789abcdef";

async function start(options: Partial<ServiceOptions> = {}) {
  const hub = recordedHub();
  const service = await serve({ hubs: hub.hubs, ...options }, new RunningClock());
  return { ...hub, service };
}

/** Its name is not looked up: see `VirtualTime`. */
const urlOf = ({ url }: RunningService, path: string): string => url.replace("localhost", "127.0.0.1") + path;

/** An open stream, with its events as they come. */
async function open(service: RunningService, path: string, headers: Record<string, string> = {}) {
  const gone = new AbortController();
  onTestFinished(() => gone.abort());
  const response = await fetch(urlOf(service, path), { headers: { ...STREAM, ...headers }, signal: gone.signal });
  const events = new Arrivals<string>();
  let text = "";
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        events.push(text.slice(0, end));
        text = text.slice(end + 4);
      }
    }
    events.push("end");
  };
  void read().catch(() => events.push("broken off"));
  return { response, events, leave: () => gone.abort() };
}

/** A connection by an event stream that has not shaken hands. */
async function connect(service: RunningService, query = "") {
  const negotiated = await fetch(urlOf(service, `/chat/negotiate?negotiateVersion=1${query}`), { method: "POST" });
  const { connectionToken, connectionId } = (await negotiated.json()) as Offer;
  const path = `/chat?id=${connectionToken}${query}`;
  const stream = await open(service, path);
  const post = (...messages: object[]): Promise<Response> => {
    const body = messages.map((message) => JSON.stringify(message) + SEPARATOR).join("");
    return fetch(urlOf(service, path), { method: "POST", body });
  };
  /** The messages of the next event. */
  const next = async (): Promise<unknown[]> => messagesOf(await stream.events.next());
  return { ...stream, path, connectionId, post, next };
}

function messagesOf(event: string): unknown[] {
  const data = event.replace(/^:\r\n/, "");
  expect([data.slice(0, 6), data.at(-1)]).toEqual(["data: ", SEPARATOR]);
  return data
    .slice("data: ".length, -1)
    .split(SEPARATOR)
    .map((text) => JSON.parse(text));
}

async function greet(service: RunningService, query?: string) {
  const client = await connect(service, query);
  await client.post(HANDSHAKE);
  expect(await client.next()).toEqual([{}]);
  onTestFinished(async () => void (await client.post({ type: 7 })));
  return client;
}

const call = (target: string, ...args: unknown[]) => ({ type: 1, invocationId: "1", target, arguments: args });

describe("an event stream", () => {
  it("says what it is, and something at once", async () => {
    const { service } = await start({ allowedOrigins: ["http://app.test"] });
    const { connectionToken } = await service.offer();
    const response = await fetch(`${service.url}/chat?id=${connectionToken}`, {
      headers: { ...STREAM, origin: "http://app.test" },
    });
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/event-stream",
      "content-encoding": "identity",
      "cache-control": "no-cache, no-store",
      pragma: "no-cache",
      "access-control-allow-origin": "http://app.test",
      "access-control-allow-credentials": "true",
    });
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(":\r\n");
    await reader?.cancel();
  });

  it("brings whole messages, several of them in one event, in any alphabet", async () => {
    const { service } = await start();
    const { post, next } = await greet(service);
    const text = "hällo \u{1f600} line\nbreak \r data: ";
    expect((await post(call("echo", text))).status).toBe(200);
    expect(await next()).toEqual([{ type: 3, invocationId: "1", result: text }]);
    const send = (number: number) => ({ type: 1, target: "tellMe", arguments: [number] });
    await post(...[1, 2, 3, 4, 5].map(send));
    const told: unknown[] = [];
    while (told.length < 5) told.push(...(await next()));
    expect(told.map((each) => (each as { arguments: unknown[] }).arguments[0])).toEqual([1, 2, 3, 4, 5]);
  });

  it("ends when its client stops, for good", async () => {
    const { service, names } = await start();
    const { post, events, path } = await greet(service);
    await post({ type: 7 });
    const rest = [await events.next()];
    while (rest.at(-1) !== "end") rest.push(await events.next());
    expect(names()).toEqual(["connected", "disconnected true undefined"]);
    expect((await fetch(service.url + path, { headers: STREAM })).status).toBe(404);
    expect((await post({ type: 6 })).status).toBe(404);
  });

  it("is refused in the reference's words", async () => {
    const { service } = await start();
    const get = async (path: string): Promise<unknown[]> => {
      const response = await fetch(urlOf(service, path), { headers: STREAM });
      return [response.status, await response.text(), response.headers.get("content-type")];
    };
    expect(await get("/chat")).toEqual([400, "Connection ID required", "text/plain"]);
    for (const id of ["none", "__proto__", "constructor"]) {
      expect(await get(`/chat?id=${id}`)).toEqual([404, "No Connection with that ID", "text/plain"]);
    }
    const { path } = await greet(service);
    expect((await get(path)).slice(0, 2)).toEqual([409, ""]);
    const poll = await fetch(`${service.url}${path}&_=1`);
    expect([poll.status, await poll.text()]).toEqual([400, "Cannot change transports mid-connection"]);
    const cannotStop = await fetch(service.url + path, { method: "DELETE" });
    expect([cannotStop.status, await cannotStop.text()]).toEqual([
      400,
      "Cannot terminate this connection using the DELETE endpoint.",
    ]);
    for (const method of ["PUT", "PATCH", "HEAD"]) {
      expect((await fetch(service.url + path, { method, headers: STREAM })).status).toBe(405);
    }
  });

  it("is none of a hub without it", async () => {
    const { hubs } = recordedHub();
    const { service } = await start({ hubs, transports: ["WebSockets", "LongPolling"] });
    const { connectionToken } = await service.offer();
    const get = async () => {
      const response = await fetch(`${service.url}/chat?id=${connectionToken}`, { headers: STREAM });
      return [response.status, await response.text()];
    };
    expect(await get()).toEqual([404, "ServerSentEvents transport not supported by this end point type"]);
  });

  it("carries no MessagePack", async () => {
    const { hubs, names } = recordedHub();
    const time = await VirtualTime.serve({ hubs });
    const { service } = time;
    const { post, events } = await time.until(connect(service));
    await time.until(post({ protocol: "messagepack", version: 1 }));
    const [reply] = messagesOf(await time.until(events.next())) as { error: string }[];
    expect(reply?.error).toBe(
      "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.",
    );
    expect(await time.until(events.next())).toBe("end");
    expect(names()).toEqual([]);
    // A stock client does not get that far.
    const options = { ...time.network.options, transport: HttpTransportType.ServerSentEvents };
    const connection = service.build("/chat", options).withHubProtocol(new MessagePackHubProtocol()).build();
    const refused = expect(connection.start()).rejects.toThrow("'ServerSentEvents' does not support Binary.");
    await time.until(refused);
  });

  it("tells a client that never shakes hands so, and ends", async () => {
    const { hubs, names } = recordedHub();
    const time = await VirtualTime.serve({ hubs });
    const { events } = await time.until(connect(time.service));
    expect(messagesOf(await time.until(events.next()))).toEqual([{ error: "Handshake was canceled." }]);
    expect(await time.until(events.next())).toBe("end");
    expect(names()).toEqual([]);
  });

  it("tells a page whose resume key another one uses, which then has the connection", async () => {
    const { service, names } = await start();
    const first = await greet(service, `&resume=${KEY}`);
    const second = await greet(service, `&resume=${KEY}`);
    expect(second.connectionId).toBe(first.connectionId);
    expect(await first.next()).toEqual([
      { type: 7, error: "The connection was resumed by another client with the same resume key." },
    ]);
    expect(await first.events.next()).toBe("end");
    await second.post(call("echo", "mine"));
    expect(await second.next()).toEqual([{ type: 3, invocationId: "1", result: "mine" }]);
    expect((await fetch(service.url + first.path, { headers: STREAM })).status).toBe(404);
    expect(names()).toEqual(["connected", "reconnected"]);
  });
});

describe("a client that does not read its stream", () => {
  /** Calls, of 1.2 MB each: more than lies between the two ends of a connection on this machine. */
  const FLOOD = 8;

  async function flood(statefulReconnectBufferSize: number) {
    const ended = new Arrivals<unknown>();
    const chat = defineHub<{ told(text: string): void }>()({
      methods: {
        async flood(hub, connectionId: string) {
          for (let count = 0; count < 10; count++) await hub.clients.client(connectionId).told("x".repeat(120_000));
        },
        tellAll: (hub, text: string) => hub.clients.all.told(text),
      },
      onDisconnected: (_hub, { stopCalled, error }) => ended.push([stopCalled, error?.code]),
    });
    const time = await VirtualTime.serve({ hubs: { chat }, statefulReconnectBufferSize });
    const lazy = await time.until(greetWithoutReading(time.service));
    const other = await time.until(greet(time.service));
    for (let count = 0; count < FLOOD && ended.all.length === 0; count++) {
      await time.until(other.post(call("flood", lazy.connectionId)));
      await time.until(other.next());
    }
    return { time, lazy, other, ended };
  }

  it("holds a sender up once, and then ends: more waits than is kept", async () => {
    const { time, other, ended } = await flood(1_000_000);
    expect(await time.until(ended.next())).toEqual([false, "outbox_full"]);
    await time.until(other.post({ type: 1, target: "tellAll", arguments: ["go on"] }));
    const told = { type: 1, target: "told", arguments: ["go on"] };
    for (let heard: unknown[] = []; !heard.some((each) => isDeepStrictEqual(each, told)); )
      heard = await time.until(other.next());
  });

  it("is lost when it takes nothing for as long as it may be silent, though it pings", async () => {
    const { time, lazy, other, ended } = await flood(50_000_000);
    expect(ended.all).toEqual([]);
    const gone = lazy.closed;
    for (let second = 0; second < 60 && ended.all.length === 0; second += 10) {
      await time.until(Promise.all([lazy.post({ type: 6 }), other.post({ type: 6 })]));
      await time.pass(10_000);
    }
    expect(ended.all).toEqual([[false, "transport_lost"]]);
    lazy.socket.resume();
    await time.until(gone);
  });
});

async function greetWithoutReading(service: RunningService) {
  const negotiated = await fetch(urlOf(service, "/chat/negotiate?negotiateVersion=1"), { method: "POST" });
  const { connectionToken, connectionId } = (await negotiated.json()) as Offer;
  const path = `/chat?id=${connectionToken}`;
  const socket = connectSocket(Number(new URL(service.url).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
  await once(socket, "data");
  socket.pause();
  const post = (message: object): Promise<Response> =>
    fetch(urlOf(service, path), { method: "POST", body: JSON.stringify(message) + SEPARATOR });
  await post(HANDSHAKE);
  return { connectionId, socket, closed, post };
}
