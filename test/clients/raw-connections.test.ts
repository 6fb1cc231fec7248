// Raw connections: text in and out, without the hub protocol.

import { HttpTransportType } from "@microsoft/signalr";
import { defineConnection, defineHub, type ServiceOptions } from "signalr-lambda";
import { createHubContext } from "signalr-lambda/aws";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { openSocket, startConnection } from "./raw-client.ts";
import { RunningClock } from "./running-clock.ts";
import { type Offer, type RunningService, serve } from "./running-service.ts";

const KEY = "0123456789abcdef0123456789abcdef";
const MINUTE = 60_000;
const WELCOME = "Welcome!";
const TRANSPORTS = [
  ["WebSockets", HttpTransportType.WebSockets],
  ["ServerSentEvents", HttpTransportType.ServerSentEvents],
  ["LongPolling", HttpTransportType.LongPolling],
] as const;

const HOSTILE = [
  "\u001e",
  '{"protocol":"json","version":1}\u001e',
  '{"type":6}\u001e',
  '{"type":7}\u001e{"type":7}\u001e',
  '{"type":1,"target":"onReceived","arguments":["x"],"invocationId":"1"}\u001e',
  '{"type":9,"sequenceId":1}\u001e',
  "__proto__",
  "constructor",
  "onReceived",
  " ",
  "\n",
  "null",
  "\u0000",
];

/** A raw connection that tells what happens to it, and does what it is told. */
function recordedConnection() {
  const events = new Arrivals<string>();
  const feed = defineConnection({
    async onConnected(connection) {
      events.push("connected");
      await connection.groups.add("everybody");
      await connection.send(WELCOME);
    },
    async onReceived(connection, text) {
      events.push(`received ${text}`);
      const [command, ...words] = text.split(" ");
      const rest = words.join(" ");
      if (command === "echo") await connection.send(rest);
      if (command === "all") await connection.clients.group("everybody").send(rest);
      if (command === "twice") await Promise.all([connection.send(`${rest} 1`), connection.send(`${rest} 2`)]);
      if (command === "throw") throw new Error(rest);
      if (command === "leave") connection.abort();
      if (command === "remember") connection.items.set("value", rest);
      if (command === "recall") await connection.send(String(connection.items.get("value")));
    },
    onReconnected: () => events.push("reconnected"),
    onDisconnected: (_connection, { stopCalled, error }) => events.push(`disconnected ${stopCalled} ${error?.code}`),
  });
  return { feed, events };
}

async function serving({ hubs, ...options }: Partial<ServiceOptions> = {}) {
  const { feed, events } = recordedConnection();
  const clock = new RunningClock();
  const service = await serve({ ...options, hubs: { feed, ...hubs } }, clock);
  return {
    service,
    events,
    clock,
    url: `${service.url}/feed`,
    /** Resolves when something has happened, which has to be this. */
    async happens(...expected: readonly string[]): Promise<void> {
      for (const event of expected) expect(await events.next()).toBe(event);
    },
  };
}

const chat = defineHub<{ told(text: string): void }>()({ methods: { echo: (_hub, text: string) => text } });

/** As a function or a server finds its environment. */
function contextOf({ server }: RunningService) {
  for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  return createHubContext({ hub: "feed", protocol: "raw" });
}

describe.each([
  ["alone in its service", {}],
  ["beside a hub", { chat }],
])("a raw socket %s", (_title, hubs) => {
  it("is connected although it says nothing", async () => {
    const { url, happens } = await serving({ hubs });
    const client = await openSocket(url);
    expect(await client.messages.next()).toBe(WELCOME);
    client.webSocket.close();
    await happens("connected", "disconnected true undefined");
  });

  it("exchanges text from the first moment on", async () => {
    const { url, happens } = await serving({ hubs });
    const client = await openSocket(url);
    client.send("echo Hello");
    expect(await client.messages.next()).toBe(WELCOME);
    expect(await client.messages.next()).toBe("Hello");
    client.webSocket.terminate();
    await happens("connected", "received echo Hello", "disconnected false transport_lost");
  });

  it("takes everything for what it is: text", async () => {
    const { url, happens } = await serving({ hubs });
    const client = await openSocket(url);
    await happens("connected");
    expect(await client.messages.next()).toBe(WELCOME);
    for (const text of HOSTILE) {
      client.send("");
      client.send(text);
      await happens(`received ${text}`);
      client.send(`all ${text}`);
      await happens(`received all ${text}`);
      expect(await client.messages.next()).toBe(text);
    }
    client.send("leave");
    await client.closed;
    await happens("received leave", "disconnected false aborted");
    expect(client.messages.all).toHaveLength(1 + HOSTILE.length);
  });
});

describe("a raw socket", () => {
  it("hears what came before it was connected in the order in which it came", async () => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const received = new Arrivals<string>();
    const slow = defineConnection({
      onConnected: () => opened,
      onReceived: (_connection, text) => received.push(text),
    });
    const { service } = await serving({ hubs: { slow } });
    const client = await openSocket(`${service.url}/slow`);
    const texts = ["1", "2", "3"];
    for (const text of texts) {
      client.send(text);
      await client.ping();
    }
    open();
    for (const text of texts) expect(await received.next()).toBe(text);
    client.webSocket.close();
  });

  it("is negotiated as a hub is, but never stateful", async () => {
    const { service, url, happens } = await serving();
    const asked = "?negotiateVersion=1&useStatefulReconnect=true";
    const answer = (await (await service.negotiate(asked, {}, "/feed")).json()) as Offer;
    expect(answer).not.toHaveProperty("useStatefulReconnect");
    expect(answer).toHaveProperty(
      "availableTransports",
      TRANSPORTS.map(([transport]) => ({ transport, transferFormats: ["Text"] })),
    );
    const client = await openSocket(`${url}?id=${answer.connectionToken}`);
    expect(await client.messages.next()).toBe(WELCOME);
    await expect(openSocket(`${url}?id=${answer.connectionToken}`)).rejects.toThrow("409");
    client.webSocket.close();
    await happens("connected", "disconnected true undefined");
  });

  it("is closed by a text that is too large, by what the gateway refuses, and by nothing that fails", async () => {
    const { service, url, happens } = await serving({ maximumReceiveMessageSize: 100 });
    const large = await openSocket(url);
    await happens("connected");
    large.send("x".repeat(101));
    expect(await large.closed).toEqual({ code: 1000, reason: "" });
    await happens("disconnected false protocol_error");

    const binary = await openSocket(url);
    await happens("connected");
    binary.send(Buffer.from("echo x"));
    expect(await binary.closed).toMatchObject({ code: 1003 });
    await happens("disconnected false message_refused");

    const failing = await openSocket(url);
    await happens("connected");
    failing.send("throw something");
    await happens("received throw something");
    failing.send("echo still here");
    await failing.messages.next();
    expect(await failing.messages.next()).toBe("still here");
    expect(service.lines.all).toContainEqual(
      expect.objectContaining({ message: "A hub method failed.", method: "onReceived" }),
    );
    failing.webSocket.close();
  });

  it("is closed when onConnected throws", async () => {
    const disconnected = vi.fn();
    const rude = defineConnection({
      onConnected() {
        throw new Error("No.");
      },
      onDisconnected: disconnected,
    });
    const { service } = await serving({ hubs: { rude } });
    const client = await openSocket(`${service.url}/rude`);
    await client.closed;
    expect(client.messages.all).toEqual([]);
    expect(disconnected).not.toHaveBeenCalled();
  });

  it("is refused to whom `authorize` refuses it", async () => {
    const inside = defineConnection({ authorize: true });
    const { service } = await serving({ hubs: { inside }, auth: () => null });
    await expect(openSocket(`${service.url}/inside`)).rejects.toThrow("401");
    expect((await service.negotiate("", {}, "/inside")).status).toBe(401);
  });

  it("runs inside the filters of the service", async () => {
    const names: string[] = [];
    const { url, happens } = await serving({
      filters: [
        {
          async invokeMethod(context, next) {
            names.push(context.hubMethodName);
            await context.hub.clients.caller.send("filtered");
            return next({ hubMethodArguments: [String(context.hubMethodArguments[0]).toLowerCase()] });
          },
        },
      ],
    });
    const client = await openSocket(url);
    client.send("ECHO HELLO");
    await client.messages.next();
    expect([await client.messages.next(), await client.messages.next()]).toEqual(["filtered", "hello"]);
    expect(names).toEqual(["onReceived"]);
    client.webSocket.close();
    await happens("connected", "received echo hello", "disconnected true undefined");
  });
});

it("leaves hubs beside it as they are", async () => {
  const { service } = await serving({ hubs: { chat } });
  const connection = await service.connect();
  expect(await connection.invoke("echo", "x")).toBe("x");
  const client = await service.open();
  expect(await client.handshake('{"protocol":"raw","version":1}')).toEqual({
    error: "The protocol 'raw' is not supported.",
  });
  const bare = await service.greet();
  bare.send({ type: 6 });
  expect(await bare.next()).toEqual({ type: 6 });
});

describe.each(TRANSPORTS)("the stock client without hubs, by %s", (_name, transport) => {
  it("exchanges text, each by itself", async () => {
    const { url, happens } = await serving();
    const client = await startConnection(url, transport);
    expect(await client.messages.next()).toBe(WELCOME);
    await client.send("twice Hällo\n{}");
    expect([await client.messages.next(), await client.messages.next()]).toEqual(["Hällo\n{} 1", "Hällo\n{} 2"]);
    await client.send("leave");
    expect(await client.closed).toBe(undefined);
    await happens("connected", "received twice Hällo\n{}", "received leave", "disconnected false aborted");
  });

  it("is sent text from outside, and closed", async () => {
    const { service, url, happens, clock } = await serving();
    const context = contextOf(service);
    const client = await startConnection(url, transport);
    expect(await client.messages.next()).toBe(WELCOME);
    await context.clients.group("everybody").send('From "outside"');
    await context.clients.all.send("");
    await context.clients.all.send("\u001e");
    expect([await client.messages.next(), await client.messages.next()]).toEqual(['From "outside"', "\u001e"]);
    expect(await context.presence.count()).toBe(1);
    await context.connections.close({ group: "everybody" }, { reason: "Nobody reads this." });
    expect(await client.closed).toBe(undefined);
    // Nobody says of a client over HTTP that it is gone: the next sweep looks.
    await clock.advance(2 * MINUTE);
    await happens("connected", "disconnected false aborted");
  });
});

it("has one group of clients, however they are connected", async () => {
  const { url, happens } = await serving();
  const clients = [];
  for (const [, transport] of TRANSPORTS) {
    const client = await startConnection(url, transport);
    expect(await client.messages.next()).toBe(WELCOME);
    clients.push(client);
  }
  await happens("connected", "connected", "connected");
  await clients[0]?.send("all Hello");
  expect(await Promise.all(clients.map(({ messages }) => messages.next()))).toEqual(["Hello", "Hello", "Hello"]);
  for (const client of clients) await client.send("leave");
  await Promise.all(clients.map(({ closed }) => closed));
});

describe("plain HTTP", () => {
  async function polling() {
    const all = await serving();
    const { connectionToken } = await all.service.offer("/feed");
    const at = `${all.url}?id=${connectionToken}`;
    return {
      ...all,
      poll: async () => {
        const response = await fetch(`${at}&_=1`);
        return [response.status, await response.text()];
      },
      post: async (body: string | Uint8Array) => (await fetch(at, { method: "POST", body: body as string })).status,
      leave: async () => (await fetch(at, { method: "DELETE" })).status,
    };
  }

  it("is answered with one text by each poll, and told the end by the last", async () => {
    const { poll, post, leave, happens } = await polling();
    expect(await poll()).toEqual([200, ""]);
    expect(await post("twice x")).toBe(200);
    expect(await post("")).toBe(200);
    expect(await poll()).toEqual([200, WELCOME]);
    expect(await poll()).toEqual([200, "x 1"]);
    expect(await poll()).toEqual([200, "x 2"]);
    const last = poll();
    expect(await leave()).toBe(202);
    expect(await last).toEqual([204, ""]);
    await happens("connected", "received twice x", "disconnected true undefined");
  });

  it("is heard in the order of its requests, also before it is connected", async () => {
    const { poll, post, leave, happens } = await polling();
    await poll();
    for (const text of ["1", "2", "3", '{"type":6}\u001e']) expect(await post(text)).toBe(200);
    await happens("connected", "received 1", "received 2", "received 3", 'received {"type":6}\u001e');
    expect(await leave()).toBe(202);
  });

  it("is ended by a text that is too large", async () => {
    const { poll, post, happens } = await polling();
    await poll();
    await poll();
    expect(await post("x".repeat(32_769))).toBe(200);
    expect(await poll()).toEqual([204, ""]);
    await happens("connected", "disconnected false protocol_error");
  });

  it("reads an event stream in which texts keep their lines", async () => {
    const { service, url, happens } = await serving();
    const { connectionToken } = await service.offer("/feed");
    const at = `${url}?id=${connectionToken}`;
    const response = await fetch(at, { headers: { accept: "text/event-stream" } });
    const text = response.text();
    await happens("connected");
    await fetch(at, { method: "POST", body: "echo a\r\n\rb\ndata: c" });
    await fetch(at, { method: "POST", body: "leave" });
    const events = (await text).split("\r\n\r\n").filter((event) => event.includes("data: "));
    expect(events.map((event) => event.replace(/^:\r\n/, ""))).toEqual([
      `data: ${WELCOME}`,
      "data: a\r\ndata: \r\ndata: b\r\ndata: data: c",
    ]);
  });
});

describe("a raw connection with a resume key", () => {
  it("is the same by its next socket, and hears what was sent meanwhile", async () => {
    const { service, url, happens } = await serving();
    const context = contextOf(service);
    const first = await openSocket(`${url}?resume=${KEY}`);
    first.send("remember this");
    await happens("connected", "received remember this");
    const [transport] = service.server.transports();
    service.server.faults.cut(String(transport?.id));
    await first.closed;
    await service.table.ended();
    await context.clients.all.send("while you were away");
    const second = await openSocket(`${url}?resume=${KEY}`);
    second.send("recall");
    expect(await second.messages.next()).toBe("while you were away");
    expect(await second.messages.next()).toBe("this");
    await happens("reconnected", "received recall");
    second.send("all still in the group");
    expect(await second.messages.next()).toBe("still in the group");
    second.webSocket.close();
    await happens("received all still in the group", "disconnected true undefined");
  });

  it("is taken over by the newer of two clients", async () => {
    const { url, happens } = await serving();
    const older = await openSocket(`${url}?resume=${KEY}`);
    expect(await older.messages.next()).toBe(WELCOME);
    const newer = await openSocket(`${url}?resume=${KEY}`);
    await older.closed;
    newer.send("echo mine");
    expect(await newer.messages.next()).toBe("mine");
    expect(older.messages.all).toEqual([WELCOME]);
    newer.webSocket.close();
    await happens("connected", "reconnected", "received echo mine", "disconnected true undefined");
  });

  it("goes over from a socket to polls", async () => {
    const { service, url, happens } = await serving();
    const socket = await openSocket(`${url}?resume=${KEY}`);
    expect(await socket.messages.next()).toBe(WELCOME);
    const client = await startConnection(`${url}?resume=${KEY}`, HttpTransportType.LongPolling);
    await socket.closed;
    await client.send("echo by polls");
    expect(await client.messages.next()).toBe("by polls");
    await client.stop();
    await happens("connected", "reconnected", "received echo by polls", "disconnected true undefined");
    await service.table.ended();
  });
});
