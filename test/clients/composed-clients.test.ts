// Clients that cannot be run here, .NET's and Swift's: requests and records in the form that their sources give them.
// They are composed by hand, not captured. Swift's encoder promises no order of keys, so these are two of many.

import { defineHub, upload } from "signalr-lambda";
import { expect, it } from "vitest";
import { z } from "zod";
import { frame, RS } from "../protocol/records.ts";
import { RunningClock } from "./running-clock.ts";
import { type RunningService, serve } from "./running-service.ts";

/** `Microsoft SignalR/{major.minor} ({version}; {OS}; {runtime}; …)`, as each composes it. */
const DOTNET = {
  "User-Agent": "Microsoft SignalR/9.0 (9.0.4+1c4a2e1f; Linux; .NET; .NET 9.0.4)",
  "X-Requested-With": "XMLHttpRequest",
};
const SWIFT = { "User-Agent": "Microsoft SignalR/1.0 (1.0.0-preview.4; macOS; Swift; unknown; unknown)" };

const HANDSHAKE = '{"protocol":"json","version":1}';
const PING = '{"type":6}';
const CLOSE = '{"type":7}';

const chat = defineHub<{ told(text: string): void; ask(): string }>()({
  methods: {
    echo: (_hub, text: string) => text,
    trace: (hub) => hub.traceContext?.traceparent ?? "none",
    tell: (hub, text: string) => hub.clients.caller.told(text),
    ask: (hub) => hub.clients.caller.invoke("ask", []),
    *count(_hub, until: number) {
      for (let number = 0; number < until; number++) yield number;
    },
    sum: {
      args: [upload(z.number())],
      async handler(_hub, numbers) {
        let sum = 0;
        for await (const number of numbers) sum += number;
        return sum;
      },
    },
  },
});

async function serveChat() {
  const clock = new RunningClock();
  return { clock, service: await serve({ hubs: { chat } }, clock) };
}

/** The requests of a client by long polling, each with its client's headers and nothing of its own. */
async function poller({ url, negotiate }: RunningService, headers: Readonly<Record<string, string>>, mark = "") {
  const offer = await (await negotiate("?negotiateVersion=1", { headers })).json();
  const { connectionToken } = offer as { connectionToken: string };
  const at = `${url}/chat?id=${encodeURIComponent(connectionToken)}`;
  const poll = () => fetch(`${at}${mark}`, { headers });
  return {
    offer,
    poll,
    /** Bytes, so that there is no content type. */
    post: (...records: readonly string[]) =>
      fetch(at, { method: "POST", headers, body: Buffer.from(frame(...records)) }),
    delete: () => fetch(at, { method: "DELETE", headers }),
    /** Polls until so many records have come. */
    async records(count: number): Promise<readonly unknown[]> {
      const records: string[] = [];
      while (records.length < count) records.push(...(await (await poll()).text()).split(RS).slice(0, -1));
      return records.map((record) => JSON.parse(record));
    },
  };
}

it("offers .NET and Swift every transport, in the order in which they try them", async () => {
  const { service } = await serveChat();
  for (const headers of [DOTNET, SWIFT]) {
    const answer = await (await service.negotiate("?negotiateVersion=1", { headers })).json();
    expect(answer).toMatchObject({
      negotiateVersion: 1,
      availableTransports: [
        { transport: "WebSockets", transferFormats: ["Text"] },
        { transport: "ServerSentEvents", transferFormats: ["Text"] },
        { transport: "LongPolling", transferFormats: ["Text", "Binary"] },
      ],
    });
  }
});

it.each([
  {
    client: ".NET",
    headers: DOTNET,
    // The type first; headers only with a trace; an upload's own arguments beside its stream ids.
    echo: '{"type":1,"invocationId":"1","target":"Echo","arguments":["a/\\u00FC\\u003C"]}',
    trace:
      '{"type":1,"headers":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},"invocationId":"2","target":"Trace","arguments":[]}',
    stream: '{"type":4,"invocationId":"3","target":"Count","arguments":[2]}',
    sum: '{"type":1,"invocationId":"4","target":"Sum","arguments":[],"streamIds":["5"]}',
    item: '{"type":2,"invocationId":"5","item":7}',
    end: '{"type":3,"invocationId":"5"}',
    result: (id: string) => `{"type":3,"invocationId":"${id}","result":"yes"}`,
    tracedAs: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  },
  {
    client: "Swift",
    headers: SWIFT,
    // Keys in any order, all of them always, and Foundation's escaped slashes.
    echo: '{"arguments":["a\\/\u00fc<"],"headers":{},"invocationId":"1","streamIds":[],"target":"Echo","type":1}',
    trace: '{"target":"Trace","type":1,"invocationId":"2","streamIds":[],"arguments":[],"headers":{}}',
    stream: '{"streamIds":[],"arguments":[2],"type":4,"target":"Count","invocationId":"3"}',
    sum: '{"streamIds":["5"],"target":"Sum","invocationId":"4","arguments":[],"type":1}',
    item: '{"item":7,"type":2,"invocationId":"5"}',
    end: '{"invocationId":"5","type":3}',
    result: (id: string) => `{"result":"yes","type":3,"invocationId":"${id}"}`,
    tracedAs: "none",
  },
])("reads the records of $client by a socket", async ({ headers, echo, trace, stream, sum, item, end, ...rest }) => {
  const { service } = await serveChat();
  const { connectionToken } = await service.offer("/chat", { headers });
  const client = await service.open(`/chat?id=${connectionToken}`, { headers });
  expect(await client.handshake(HANDSHAKE)).toEqual({});
  const next = async () => {
    const message = await client.next();
    return message.type === 6 ? client.next() : message;
  };
  client.send(PING);
  expect(await client.next()).toEqual({ type: 6 });
  client.send(echo);
  expect(await next()).toEqual({ type: 3, invocationId: "1", result: "a/ü<" });
  client.send(trace);
  expect(await next()).toEqual({ type: 3, invocationId: "2", result: rest.tracedAs });
  client.send(stream);
  expect(await next()).toEqual({ type: 2, invocationId: "3", item: 0 });
  expect(await next()).toEqual({ type: 2, invocationId: "3", item: 1 });
  expect(await next()).toEqual({ type: 3, invocationId: "3" });
  client.send(sum, item, end);
  expect(await next()).toEqual({ type: 3, invocationId: "4", result: 7 });
  client.send('{"type":1,"invocationId":"6","target":"Ask","arguments":[]}');
  const question = await next();
  expect(question).toMatchObject({ type: 1, target: "ask", arguments: [] });
  client.send(rest.result(String(question.invocationId)));
  expect(await next()).toEqual({ type: 3, invocationId: "6", result: "yes" });
  client.send(CLOSE);
  expect((await client.closed).code).toBe(1000);
});

it("takes a whole buffer of .NET's in one POST, and lets it go by DELETE", async () => {
  const { service } = await serveChat();
  // Its polls have no `_`, only its name.
  const { post, poll, records, delete: leave } = await poller(service, DOTNET);
  const first = await poll();
  expect([first.status, await first.text()]).toEqual([200, ""]);
  expect((await post(HANDSHAKE)).status).toBe(200);
  expect(await records(1)).toEqual([{}]);
  const sent = await post(
    PING,
    '{"type":1,"target":"Tell","arguments":["one"]}',
    '{"type":1,"invocationId":"1","target":"Echo","arguments":["two"]}',
    '{"type":1,"target":"Tell","arguments":["three"]}',
  );
  expect([sent.status, await sent.text()]).toEqual([200, ""]);
  const heard = (await records(3)).filter((record) => (record as { type: number }).type !== 6);
  expect(heard).toEqual([
    { type: 1, target: "told", arguments: ["one"] },
    { type: 3, invocationId: "1", result: "two" },
    { type: 1, target: "told", arguments: ["three"] },
  ]);
  expect((await post(CLOSE)).status).toBe(200);
  expect([202, 404]).toContain((await leave()).status);
});

it("tells Swift something with each poll, because it gives up on a server that it hears no message from", async () => {
  const { clock, service } = await serveChat();
  const { post, poll, records, delete: leave } = await poller(service, SWIFT, "&_=1763720000000");
  await poll();
  await post(HANDSHAKE);
  expect(await records(1)).toEqual([{}]);
  const answer = poll().then((response) => response.text());
  let isAnswered = false;
  void answer.then(() => {
    isAnswered = true;
  });
  for (let second = 0; second < 30 && !isAnswered; second++) {
    await clock.advance(1_000);
    await fetch(`${service.url}/nowhere`);
  }
  expect(await answer).toBe(PING + RS);
  expect((await leave()).status).toBe(202);
});
