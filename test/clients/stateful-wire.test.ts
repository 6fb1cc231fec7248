// Stateful reconnect, record by record: what goes over the wire when a client resumes, acknowledges and counts.

import { describe, expect, it } from "vitest";
import { Refused } from "../local/local-gateway.ts";
import type { BareClient, Message } from "./bare-client.ts";
import { disorder, recordedHub } from "./recorded-hub.ts";
import { VirtualTime } from "./virtual-time.ts";

const HANDSHAKE = '{"protocol":"json","version":2}';
const PING = { type: 6 };
/** After a frame's arrival, until none before it can be missing any more; after a resume, until all are counted. Milliseconds. */
const SETTLING = 3_001;
const LATE_COUNTING = 8_001;

const sequence = (sequenceId: number) => ({ type: 9, sequenceId });
const ack = (sequenceId: number) => ({ type: 8, sequenceId });
const echo = (id: string, value: unknown) => ({ type: 1, invocationId: id, target: "echo", arguments: [value] });
const note = (value: unknown) => ({ type: 1, target: "note", arguments: [value] });
const tellMe = (text: string) => ({ type: 1, target: "tellMe", arguments: [text] });
const result = (id: string, value: unknown) => ({ type: 3, invocationId: id, result: value });
const told = (text: string) => ({ type: 1, target: "told", arguments: [text] });

async function start() {
  const hub = recordedHub();
  const auth = ({ query }: { query: Readonly<Record<string, string | undefined>> }) =>
    query.user === undefined ? null : { sub: query.user };
  const time = await VirtualTime.serve({ hubs: hub.hubs, auth });
  const { service } = time;

  /** What a client that has negotiated connects with. */
  async function negotiate(query = ""): Promise<string> {
    const offer = await time.negotiate(`?negotiateVersion=1&useStatefulReconnect=true${query}`);
    expect(offer.useStatefulReconnect).toBe(true);
    return `/chat?id=${offer.connectionToken}${query}`;
  }
  const open = (path: string) => time.open(path);
  const next = (client: BareClient) => time.until(client.next());

  async function connect() {
    const path = await negotiate();
    const client = await open(path);
    expect(await time.until(client.handshake(HANDSHAKE))).toEqual({});
    await time.until(hub.events.next());
    return { path, client };
  }

  /** A client whose socket broke resumes. */
  async function resume(path: string, sequenceId: number, ...repeated: Message[]) {
    const client = await open(path);
    client.send(sequence(sequenceId));
    for (const message of repeated) client.send(message);
    return client;
  }

  /** Everything that arrives until nothing does. */
  async function rest(client: BareClient): Promise<readonly Message[]> {
    const before = client.received.all.length;
    await time.pass(1);
    return client.received.all.slice(before);
  }
  return { ...hub, time, service, negotiate, open, next, connect, resume, rest };
}

describe("a client that negotiated stateful reconnect", () => {
  it("shakes hands with version 2, and with no other", async () => {
    const { negotiate, open, next, names } = await start();
    const client = await open(await negotiate());
    client.send('{"protocol":"json","version":1}');
    expect(await next(client)).toHaveProperty("error");
    expect(names()).toEqual([]);
  });

  it("is told what has arrived with the next frame, once that is settled", async () => {
    const { connect, next, time } = await start();
    const { client } = await connect();
    client.send(echo("0", "a"), note("b"));
    client.send(echo("1", "c"));
    expect([await next(client), await next(client)]).toEqual([result("0", "a"), result("1", "c")]);
    client.send(PING);
    expect(await next(client)).toEqual(PING);
    await time.pass(SETTLING);
    client.send(PING);
    expect([await next(client), await next(client)]).toEqual(expect.arrayContaining([PING, ack(3)]));
    client.send(PING);
    expect(await next(client)).toEqual(PING);
  });

  it("is sent again what it has not acknowledged, and nothing else", async () => {
    const { connect, resume, next, rest, names } = await start();
    const { path, client } = await connect();
    for (const text of ["a", "b", "c"]) {
      client.send(tellMe(text));
      expect(await next(client)).toEqual(told(text));
    }
    client.send(ack(2), PING);
    expect(await next(client)).toEqual(PING);
    await client.vanish();
    const second = await resume(path, 4);
    expect([await next(second), await next(second)]).toEqual([sequence(3), told("c")]);
    second.send(tellMe("d"), tellMe("e"));
    expect([await next(second), await next(second)]).toEqual([told("d"), told("e")]);
    second.send(ack(4), PING);
    expect(await next(second)).toEqual(PING);
    await second.vanish();
    const third = await resume(path, 6);
    expect([await next(third), await next(third)]).toEqual([sequence(5), told("e")]);
    expect(await rest(third)).toEqual([]);
    expect(names()).toEqual(["connected", "reconnected", "reconnected"]);
  });

  it("has what it repeats run once, and is told when all of it is counted", async () => {
    const { connect, resume, next, rest, time, runs } = await start();
    const { path, client } = await connect();
    client.send(note("a"));
    client.send(echo("0", "b"));
    expect(await next(client)).toEqual(result("0", "b"));
    await client.vanish();
    const second = await resume(path, 1, note("a"), echo("0", "b"), echo("1", "c"));
    expect([await next(second), await next(second)]).toEqual([sequence(1), result("0", "b")]);
    expect(await next(second)).toEqual(result("1", "c"));
    expect(runs).toEqual(["a", "b", "c"]);
    await time.pass(SETTLING);
    second.send(PING);
    expect(await next(second)).toEqual(PING);
    expect(await rest(second)).toEqual([]);
    await time.pass(LATE_COUNTING - SETTLING);
    second.send(PING);
    expect([await next(second), await next(second)]).toEqual(expect.arrayContaining([PING, ack(3)]));
  });

  it("may send its Sequence and what follows in one frame, as .NET does", async () => {
    const { connect, open, next, runs } = await start();
    const { path, client } = await connect();
    client.send(echo("0", "a"));
    expect(await next(client)).toEqual(result("0", "a"));
    await client.vanish();
    const second = await open(path);
    second.send(sequence(1), echo("0", "a"), note("b"), PING, echo("1", "c"));
    const seen: Message[] = [];
    while (!seen.some((message) => message.invocationId === "1")) seen.push(await next(second));
    expect(seen.filter((message) => message.type !== 6)).toEqual([sequence(1), result("0", "a"), result("1", "c")]);
    expect(runs).toEqual(["a", "b", "c"]);
  });

  it("resumes with a Sequence alone, when all is acknowledged", async () => {
    const { connect, resume, next, rest } = await start();
    const { path, client } = await connect();
    await client.vanish();
    const second = await resume(path, 1);
    expect(await next(second)).toEqual(sequence(1));
    expect(await rest(second)).toEqual([]);
    second.send(echo("0", "a"));
    expect(await next(second)).toEqual(result("0", "a"));
  });

  it.each([0, 5, -1, Number.MAX_SAFE_INTEGER])(
    "acknowledges %d in vain: what was never sent is kept",
    async (count) => {
      const { connect, resume, next } = await start();
      const { path, client } = await connect();
      client.send(tellMe("a"));
      expect(await next(client)).toEqual(told("a"));
      client.send(ack(count), PING);
      expect(await next(client)).toEqual(PING);
      await client.vanish();
      const second = await resume(path, 2);
      expect([await next(second), await next(second)]).toEqual([sequence(1), told("a")]);
    },
  );
});

describe("a Sequence", () => {
  it.each([0, -1, 1.5, 3, 1e308])("of %d, when one message has come, ends the connection", async (sequenceId) => {
    const { connect, resume, next, open, time, service, names } = await start();
    const { path, client } = await connect();
    client.send(echo("0", "a"));
    expect(await next(client)).toEqual(result("0", "a"));
    await client.vanish();
    const second = await resume(path, sequenceId);
    expect(await time.until(second.untilClosed())).toEqual([{ type: 7, error: "Connection closed with an error." }]);
    await time.until(service.table.ended());
    expect(names()).toEqual(["connected", "disconnected false protocol_error"]);
    await expect(open(path)).rejects.toEqual(new Refused(404));
  });

  it("on a socket that was never lost is ignored", async () => {
    const { connect, next } = await start();
    const { client } = await connect();
    client.send(sequence(1), PING);
    expect(await next(client)).toEqual(PING);
    client.send(echo("0", "a"));
    expect(await next(client)).toEqual(result("0", "a"));
  });

  it("as the very first frame is no handshake", async () => {
    const { negotiate, open, time, names } = await start();
    const client = await open(await negotiate());
    client.send(sequence(1));
    const [answer] = await time.until(client.untilClosed());
    expect(answer).toHaveProperty("error");
    expect(names()).toEqual([]);
  });
});

describe("a connection token", () => {
  it("brings the newer of two sockets in; the older is closed without a Close message", async () => {
    const { connect, open, next, time, events, names } = await start();
    const { path, client } = await connect();
    const second = await open(path);
    expect(await time.until(client.untilClosed())).toEqual([{}]);
    second.send(sequence(1));
    expect(await next(second)).toEqual(sequence(1));
    second.send(echo("0", "here"));
    expect(await next(second)).toEqual(result("0", "here"));
    expect(names()).toEqual(["connected", "reconnected"]);
    expect(disorder(events.all)).toBeUndefined();
  });

  it("is refused after the end", async () => {
    const { connect, open, time, service } = await start();
    const { path, client } = await connect();
    client.send({ type: 7 });
    await time.until(client.closed);
    await time.until(service.table.ended());
    await expect(open(path)).rejects.toEqual(new Refused(404));
    await time.pass(60_000);
    await expect(open(path)).rejects.toEqual(new Refused(404));
  });

  it("that is old resumes what lives, and begins nothing", async () => {
    const { connect, resume, next, negotiate, open, time } = await start();
    const { path, client } = await connect();
    const unused = await negotiate();
    await time.pass(21_000);
    client.send(PING);
    expect(await next(client)).toEqual(PING);
    await client.vanish();
    expect(await next(await resume(path, 1))).toEqual(sequence(1));
    await expect(open(unused)).rejects.toEqual(new Refused(404));
  });

  it("resumes nothing for another user", async () => {
    const { connect, negotiate, open } = await start();
    const { path } = await connect();
    await expect(open(`${path}&user=bob`)).rejects.toEqual(new Refused(403));
    const ofAda = await negotiate("&user=ada");
    await open(ofAda);
    await expect(open(ofAda.replace("&user=ada", ""))).rejects.toEqual(new Refused(401));
    await expect(open(ofAda.replace("ada", "bob"))).rejects.toEqual(new Refused(403));
  });
});

describe("a socket that took over and says nothing", () => {
  it("is deleted within seconds, and the connection is lost from then on", async () => {
    const { connect, open, time, service, names, next } = await start();
    const { path, client } = await connect();
    // By then the sweeper has found that there is work.
    for (let seconds = 0; seconds < 60; seconds += 20) {
      await time.pass(20_000);
      client.send(PING);
      expect(await next(client)).toEqual(PING);
    }
    const ghost = await open(path);
    await time.until(client.closed);
    const openedAt = Date.now();
    await time.until(ghost.closed);
    const silence = Date.now() - openedAt;
    expect(silence).toBeGreaterThanOrEqual(5_000);
    expect(silence).toBeLessThanOrEqual(10_000);
    expect(ghost.received.all).toEqual([]);
    await time.pass(29_000);
    expect(names()).toEqual(["connected"]);
    await time.pass(6_000);
    expect(names()).toEqual(["connected", "disconnected false transport_lost"]);
    await time.until(service.table.ended());
  });
});
