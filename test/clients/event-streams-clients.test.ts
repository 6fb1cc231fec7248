// The stock client over server-sent events: everything that it can do over sockets.

import { HttpTransportType, type HubConnection, Subject } from "@microsoft/signalr";
import { type AuthRequest, defineHub, type ServiceOptions, upload } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { recordedHub } from "./recorded-hub.ts";
import { RunningClock } from "./running-clock.ts";
import { calls, serve } from "./running-service.ts";
import { VirtualTime } from "./virtual-time.ts";

const SSE = { transport: HttpTransportType.ServerSentEvents };
const KEY = "0123456789abcdef0123456789abcdef";
const MINUTE = 60_000;
/** After this a sweeper is at work. Milliseconds. */
const SWEEPING = 65_000;

interface Client {
  confirm(question: string): string;
}

const tools = defineHub<Client>()({
  methods: {
    ask: (hub) => hub.clients.caller.invoke("confirm", ["Sure?"]),
    async *count(_hub, to: number) {
      for (let number = 1; number <= to; number++) yield number;
    },
    sum: {
      args: [upload(z.number())],
      async handler(_hub, numbers) {
        let sum = 0;
        for await (const number of numbers) sum += number;
        return sum;
      },
    },
    close: (hub) => hub.connections.close(hub.connectionId, { reason: "Enough." }),
    large: (_hub, size: number) => "ä".repeat(size),
  },
});

/** A stock client with automatic reconnect, in a time of its own, and what it notices. */
async function connectIn(time: VirtualTime, path = "/chat", options: object = {}) {
  const { service, network } = time;
  const builder = service.build(path, { ...network.options, ...SSE, ...options }).withAutomaticReconnect();
  const connection = service.track(builder.build());
  const noticed: string[] = [];
  connection.onreconnecting((error) => noticed.push(`reconnecting${error === undefined ? "" : ` ${error.message}`}`));
  connection.onreconnected((id) => noticed.push(`reconnected, ${id === connectionId ? "same" : "new"} id`));
  connection.onclose((error) => noticed.push(`closed ${error?.message}`));
  await time.until(connection.start());
  const { connectionId } = connection;
  return { connection, connectionId, noticed, told: calls(connection, "told") };
}

async function startIn(options: Partial<ServiceOptions> = {}) {
  const hub = recordedHub();
  return { ...hub, time: await VirtualTime.serve({ hubs: hub.hubs, ...options }) };
}

describe("over an event stream", () => {
  it("a stock client invokes, is told, streams both ways, and is asked", async () => {
    const hub = recordedHub();
    const service = await serve({ hubs: { ...hub.hubs, tools } }, new RunningClock());
    const [one, other] = [await service.connect("/chat", SSE), await service.connect("/chat", SSE)];
    const told = calls(other, "told");
    await other.invoke("join", "room");
    for (let count = 0; count < 5; count++) void one.send("tell", "room", count);
    for (let count = 0; count < 5; count++) expect(await told.next()).toEqual([count]);
    await one.invoke("tellAll", "hällo");
    expect(await told.next()).toEqual(["hällo"]);
    await expect(one.invoke("none")).rejects.toThrow("Method does not exist.");

    const tool = await service.connect("/tools", SSE);
    tool.on("confirm", (question) => `${question} Yes.`);
    expect(await tool.invoke("ask")).toBe("Sure? Yes.");
    expect(await items(tool, "count", 3)).toEqual([1, 2, 3]);
    const numbers = new Subject<number>();
    const sum = tool.invoke("sum", numbers);
    for (const number of [1, 2, 3]) numbers.next(number);
    numbers.complete();
    expect(await sum).toBe(6);
    expect((await tool.invoke<string>("large", 50_000)).length).toBe(50_000);
    await hub.events.next();
    await hub.events.next();
    await one.stop();
    expect((await hub.events.next()).name).toBe("disconnected true undefined");
  });
});

describe("a quarter of an hour", () => {
  it("passes for clients that receive or send: a key keeps the id when the function is over", async () => {
    const { hubs, names } = recordedHub();
    const clock = new RunningClock();
    const time = await VirtualTime.serve({ hubs }, clock);
    const idle = await connectIn(time, `/chat?resume=${KEY}`);
    const sending = await connectIn(time);
    let sent = 0;
    /** What was taken: a POST may meet a stream that is being replaced, and is refused. */
    const taken: unknown[] = [];
    const send = async (number: number): Promise<void> => {
      await sending.connection.send("tellOne", idle.connectionId, number);
      taken.push([number]);
    };
    /** A message every ten seconds, before a ping of the sender's own is due. */
    const live = async (milliseconds: number): Promise<void> => {
      for (const end = Date.now() + milliseconds; Date.now() < end; ) {
        await time.pass(10_000);
        void send(++sent).catch(() => undefined);
      }
    };
    await live(2 * MINUTE);
    // Nobody has lived through these, so nobody is missed.
    clock.jump(9 * MINUTE);
    await live(0.9 * MINUTE);
    for (const { noticed } of [idle, sending]) expect(noticed).toEqual([]);
    await live(2.3 * MINUTE);
    await time.pass(1_000);
    expect(idle.noticed).toEqual(["reconnecting", "reconnected, same id"]);
    expect(sending.noticed).toEqual(["reconnecting", "reconnected, new id"]);
    expect(idle.told.all).toEqual(taken);
    expect(taken.length).toBeGreaterThan(sent - 3);
    expect(names(sending.connectionId)).toEqual(["connected", "disconnected false rotated"]);
    expect(names(idle.connectionId)).toEqual(["connected", "reconnected"]);
  });
});

describe("a stream that breaks", () => {
  it("costs a client with a key nothing: id, groups, and what it was sent meanwhile", async () => {
    const { time, names } = await startIn();
    const { faults } = time.service.server;
    let failing = false;
    time.service.eachTableClient((client) =>
      client.middlewareStack.add(
        (next) => async (args) => {
          if (!failing) return next(args);
          failing = false;
          throw new Error("The function dies.");
        },
        { step: "initialize", name: "dies" },
      ),
    );
    const client = await connectIn(time, `/chat?resume=${KEY}`);
    await time.until(client.connection.invoke("join", "room"));
    const [path, options] = ["/chat", { ...time.network.options }];
    const other = time.service.track(time.service.build(path, options).build());
    await time.until(other.start());
    await time.pass(1_000);
    faults.refuseConnects(1_000, { resume: KEY });
    // The next request to the table is the stream's.
    failing = true;
    await time.pass(300);
    expect(failing).toBe(false);
    expect(client.noticed).toEqual(["reconnecting"]);
    for (let count = 0; count < 5; count++) await time.until(other.invoke("tell", "room", count));
    await time.pass(5_000);
    expect(client.noticed).toEqual(["reconnecting", "reconnected, same id"]);
    expect(client.told.all).toEqual([[0], [1], [2], [3], [4]]);
    expect(names(client.connectionId)).toEqual(["connected", "reconnected"]);
    expect(await time.until(client.connection.invoke("echo", "here"))).toBe("here");
  });

  it("ends a connection without a key by silence: nobody tells a function that its client is gone", async () => {
    const { time, names } = await startIn();
    const client = await connectIn(time);
    await time.pass(SWEEPING);
    time.service.server.faults.cutRequests();
    await time.pass(29_000);
    expect(client.noticed).toEqual(["reconnecting", "reconnected, new id"]);
    expect(names(client.connectionId)).toEqual(["connected"]);
    await time.pass(12_000);
    expect(names(client.connectionId)).toEqual(["connected", "disconnected false client_timeout"]);
  });
});

describe("the end", () => {
  it.each([
    ["abort", (client: HubConnection) => client.send("leave"), "disconnected false aborted", "closed undefined"],
    ["a token that expires", undefined, "disconnected false token_expired", "reconnecting"],
  ] as const)("by %s reaches the client", async (_title, act, event, notice) => {
    const auth = ({ token }: AuthRequest) => (token ? JSON.parse(Buffer.from(token, "base64url").toString()) : null);
    const { time, names } = await startIn({ auth, closeOnAuthenticationExpiration: true });
    const accessTokenFactory = () =>
      Buffer.from(JSON.stringify({ sub: "ada", exp: Math.ceil(Date.now() / 1000) + 100 })).toString("base64url");
    const client = await connectIn(time, "/chat", { accessTokenFactory });
    if (act !== undefined) void act(client.connection);
    await time.pass(act === undefined ? 112_000 : 2_000);
    expect(client.noticed[0]).toBe(notice);
    expect(names(client.connectionId)).toEqual(["connected", event]);
  });

  it("by connections.close tells why", async () => {
    const time = await VirtualTime.serve({ hubs: { tools } });
    const { connection, noticed } = await connectIn(time, "/tools");
    void connection.send("close");
    await time.pass(2_000);
    expect(noticed).toEqual(["closed Server returned an error on close: Enough."]);
  });

  it("by a Close that the stock client drops, because a POST of it waits for its answer, comes by silence", async () => {
    const { time, names } = await startIn();
    const client = await connectIn(time);
    await time.pass(SWEEPING);
    time.network.shut();
    void client.connection.send("note", 1).catch(() => undefined);
    const stopping = client.connection.stop();
    await time.pass(1_000);
    await time.until(stopping);
    await time.pass(45_000);
    expect(names(client.connectionId)[0]).toBe("connected");
    expect(names(client.connectionId)[1]).toMatch(/^disconnected/);
  });
});

function items(connection: HubConnection, method: string, ...args: unknown[]): Promise<unknown[]> {
  const all: unknown[] = [];
  return new Promise((resolve, reject) =>
    connection.stream(method, ...args).subscribe({
      next: (item) => all.push(item),
      complete: () => resolve(all),
      error: reject,
    }),
  );
}
