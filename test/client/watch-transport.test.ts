// What a watch tells of the stock client's transport. The socket is a fake; the client is not.

import { watchTransport } from "signalr-lambda/client";
import { describe, expect, it, vi } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { FakeTimers } from "./fake-timers.ts";
import { build, PING, telling } from "./stock-client.ts";

/** Of the client's default timeout. Milliseconds. */
const TWO_THIRDS = 20_000;

describe("onConnectionSlow", () => {
  it("is told when nothing has arrived for two thirds of the server timeout, once", async () => {
    const { timers, told, start } = build();
    await start();
    timers.advance(TWO_THIRDS - 1);
    expect(told.all).toEqual([]);
    timers.advance(1);
    expect(told.all).toEqual(["onConnectionSlow"]);
    timers.advance(TWO_THIRDS);
    expect(told.all).toEqual(["onConnectionSlow"]);
  });

  it("follows serverTimeoutInMilliseconds", async () => {
    const { connection, timers, told, start } = build();
    connection.serverTimeoutInMilliseconds = 9000;
    await start();
    timers.advance(6000);
    expect(told.all).toEqual(["onConnectionSlow"]);
  });

  it("is cleared by the next frame, a ping too, and may come again", async () => {
    const { timers, told, start } = build();
    const socket = await start();
    timers.advance(TWO_THIRDS);
    socket.deliver(PING);
    timers.advance(TWO_THIRDS);
    const once = ["onConnectionSlow", "onConnectionRecovered"];
    expect(told.all).toEqual([...once, "onConnectionSlow"]);
    socket.deliver({ type: 1, target: "told", arguments: [] });
    expect(told.all).toEqual([...once, ...once]);
  });

  it("is not told as long as frames arrive", async () => {
    const { timers, told, start } = build();
    const socket = await start();
    for (let frames = 0; frames < 10; frames += 1) {
      timers.advance(TWO_THIRDS - 1);
      socket.deliver(PING);
    }
    expect(told.all).toEqual([]);
  });

  it("is not told when the transport notices first", async () => {
    const { timers, told, start } = build();
    const socket = await start();
    timers.advance(TWO_THIRDS - 1);
    socket.drop();
    timers.advance(TWO_THIRDS);
    expect(told.all).toEqual(["onTransportLost", "onreconnecting"]);
    expect(timers.due).toBeUndefined();
  });

  it("is over when the transport is lost", async () => {
    const { timers, told, start, accept } = build();
    const socket = await start();
    timers.advance(TWO_THIRDS);
    socket.drop();
    const next = await accept();
    const events = ["onConnectionSlow", "onTransportLost", "onreconnecting", "onreconnected", "onTransportRestored"];
    for (const event of events) expect(await told.next()).toBe(event);
    next.deliver(PING);
    expect(told.all).toEqual(events);
  });

  it("is not told while the connection starts, or starts again", async () => {
    const { timers, told, sockets, connection } = build();
    const started = connection.start();
    const socket = await sockets.next();
    timers.advance(TWO_THIRDS);
    socket.open();
    await socket.sent.next();
    timers.advance(TWO_THIRDS);
    socket.deliver({});
    await started;
    socket.drop();
    const next = await sockets.next();
    next.open();
    timers.advance(TWO_THIRDS);
    expect(told.all).toEqual(["onTransportLost", "onreconnecting"]);
  });
});

describe("a lost transport", () => {
  it("is told before automatic reconnect begins, and restored when it has succeeded", async () => {
    const { told, start, accept } = build();
    (await start()).drop();
    await accept();
    expect([await told.next(), await told.next()]).toEqual(["onTransportLost", "onreconnecting"]);
    expect([await told.next(), await told.next()]).toEqual(["onreconnected", "onTransportRestored"]);
  });

  it("is told once, however many attempts it takes", async () => {
    const { told, sockets, start, accept } = build();
    (await start()).drop();
    (await sockets.next()).drop();
    const shortLived = await sockets.next();
    shortLived.open();
    await shortLived.sent.next();
    shortLived.drop();
    const socket = await accept();
    for (const event of ["onTransportLost", "onreconnecting", "onreconnected", "onTransportRestored"]) {
      expect(await told.next()).toBe(event);
    }
    socket.deliver(PING);
    expect(told.all.length).toBe(4);
  });

  it("is followed by the client's onclose when it does not reconnect", async () => {
    const { timers, told, start } = build({ automatic: false });
    (await start()).drop();
    expect(told.all).toEqual(["onTransportLost", "onclose"]);
    expect(timers.due).toBeUndefined();
  });

  it("is not what stop() is", async () => {
    const { connection, timers, told, start } = build();
    const socket = await start();
    timers.advance(TWO_THIRDS);
    const stopped = connection.stop();
    socket.deliver(PING);
    await stopped;
    timers.advance(TWO_THIRDS);
    expect(told.all).toEqual(["onConnectionSlow", "onclose"]);
    expect(timers.due).toBeUndefined();
  });

  it("is not what a Close is that ends the connection", async () => {
    const { told, start } = build();
    (await start()).deliver({ type: 7, error: "No." });
    expect(await told.next()).toBe("onclose");
    expect(told.all).toEqual(["onclose"]);
  });

  it("belongs to one start of the connection", async () => {
    const { timers, told, start } = build({ automatic: false });
    (await start()).drop();
    const socket = await start();
    timers.advance(TWO_THIRDS);
    socket.deliver(PING);
    socket.drop();
    const lost = ["onTransportLost", "onclose"];
    expect(told.all).toEqual([...lost, "onConnectionSlow", "onConnectionRecovered", ...lost]);
  });
});

describe("a stateful reconnect", () => {
  it("is told, though the client says nothing of it", async () => {
    const { connection, timers, told, sockets, start } = build({ stateful: true });
    const first = await start();
    first.drop();
    expect(told.all).toEqual(["onTransportLost"]);
    timers.advance(TWO_THIRDS);
    const second = await sockets.next();
    expect(second.url).toBe(first.url);
    second.open();
    expect(await second.sent.next()).toContain('"type":9');
    expect(told.all).toEqual(["onTransportLost"]);
    second.deliver({ type: 9, sequenceId: 1 });
    expect(told.all).toEqual(["onTransportLost", "onTransportRestored"]);
    timers.advance(TWO_THIRDS);
    expect(told.all).toEqual(["onTransportLost", "onTransportRestored", "onConnectionSlow"]);
    expect(connection.connectionId).toBe("connection-1");
  });

  it("that is refused is one loss, which automatic reconnect restores", async () => {
    const { told, sockets, start, accept } = build({ stateful: true });
    (await start()).drop();
    (await sockets.next()).drop();
    await accept();
    for (const event of ["onTransportLost", "onreconnecting", "onreconnected", "onTransportRestored"]) {
      expect(await told.next()).toBe(event);
    }
  });

  it("that the client attempts after a Close, and gives up, restores nothing", async () => {
    const { connection, told, sockets, start, accept } = build({ stateful: true });
    const first = await start();
    first.deliver({ type: 7, allowReconnect: true });
    const ghost = await sockets.next();
    expect(ghost.url).toBe(first.url);
    ghost.open();
    expect([await told.next(), await told.next()]).toEqual(["onTransportLost", "onreconnecting"]);
    ghost.deliver({ type: 9, sequenceId: 1 });
    expect(told.all.length).toBe(2);
    await accept();
    expect([await told.next(), await told.next()]).toEqual(["onreconnected", "onTransportRestored"]);
    expect(connection.connectionId).toBe("connection-2");
  });

  it("that left a socket behind loses the transport when that closes, as the client does", async () => {
    const { connection, told, sockets, start, accept } = build({ stateful: true });
    (await start()).deliver({ type: 7, allowReconnect: true });
    const ghost = await sockets.next();
    ghost.open();
    await accept();
    for (const event of ["onTransportLost", "onreconnecting", "onreconnected", "onTransportRestored"]) {
      expect(await told.next()).toBe(event);
    }
    // The client takes it for the end of the socket it has, tries the first connection's once more, and starts anew.
    ghost.drop();
    expect(await told.next()).toBe("onTransportLost");
    (await sockets.next()).drop();
    await accept();
    for (const event of ["onreconnecting", "onreconnected", "onTransportRestored"]) {
      expect(await told.next()).toBe(event);
    }
    expect(connection.connectionId).toBe("connection-3");
  });

  it("that left a socket behind stop() is silent when that closes", async () => {
    const { connection, timers, told, sockets, start } = build({ stateful: true, automatic: false });
    (await start()).deliver({ type: 7, allowReconnect: true });
    const ghost = await sockets.next();
    ghost.open();
    expect([await told.next(), await told.next()]).toEqual(["onTransportLost", "onclose"]);
    await connection.stop();
    ghost.deliver(PING);
    timers.advance(TWO_THIRDS);
    ghost.drop();
    expect(told.all.length).toBe(2);
    expect(timers.due).toBeUndefined();
  });
});

describe("a watch", () => {
  it("passes every line of the client's log on", async () => {
    const { lines, start } = build();
    await start();
    expect(lines).toContain("HubConnection connected successfully.");
    expect(lines).toContainEqual(expect.stringContaining("WebSocket connected to ws://localhost/chat?id=token-1"));
  });

  it("knows nothing of transports without a server timeout, nor of a client that words its log otherwise", async () => {
    const { timers, told, transport, start } = build();
    const socket = await start();
    socket.drop();
    const logger = transport.logger();
    logger.log(0, "(LongPolling transport) data received. String data of length 11.");
    logger.log(0, "data received");
    expect(timers.due).toBeUndefined();
    expect(told.all).toEqual(["onTransportLost", "onreconnecting"]);
  });

  it("tells of automatic reconnect without a line of the log", async () => {
    const { connection, start, accept } = build();
    const told = new Arrivals<string>();
    watchTransport({ timers: new FakeTimers() }).observe(connection, telling(told));
    (await start()).drop();
    await accept();
    expect([await told.next(), await told.next()]).toEqual(["onTransportLost", "onTransportRestored"]);
  });

  it("waits for nothing when a start is refused", async () => {
    const { connection, timers, told, sockets } = build();
    const started = connection.start();
    const socket = await sockets.next();
    socket.open();
    await socket.sent.next();
    socket.deliver({ error: "No." });
    await expect(started).rejects.toThrow("No.");
    expect(timers.due).toBeUndefined();
    expect(told.all).toEqual([]);
  });

  it("tells nothing after it was stopped", async () => {
    const { timers, told, stop, start, accept } = build();
    const socket = await start();
    timers.advance(TWO_THIRDS);
    stop();
    socket.deliver(PING);
    timers.advance(TWO_THIRDS);
    socket.drop();
    await accept();
    for (const event of ["onConnectionSlow", "onreconnecting", "onreconnected"]) expect(await told.next()).toBe(event);
    expect(told.all.length).toBe(3);
  });

  it("can be stopped by what it tells", async () => {
    const { connection, transport, timers, start } = build();
    const told = new Arrivals<string>();
    const socket = await start();
    const stop = transport.observe(connection, {
      ...telling(told),
      onConnectionRecovered() {
        told.push("onConnectionRecovered");
        stop();
      },
    });
    socket.deliver(PING);
    timers.advance(TWO_THIRDS);
    socket.deliver(PING);
    timers.advance(TWO_THIRDS);
    expect(told.all).toEqual(["onConnectionSlow", "onConnectionRecovered"]);
  });

  it("begins with the next frame when the connection has started already", async () => {
    const { connection, transport, timers, start } = build();
    const told = new Arrivals<string>();
    const socket = await start();
    transport.observe(connection, telling(told));
    timers.advance(TWO_THIRDS);
    expect(told.all).toEqual([]);
    socket.deliver(PING);
    timers.advance(TWO_THIRDS);
    expect(told.all).toEqual(["onConnectionSlow"]);
  });

  it("keeps connections apart", async () => {
    const timers = new FakeTimers();
    const [one, other] = [build({ timers }), build({ timers })];
    const socket = await one.start();
    await other.start();
    timers.advance(TWO_THIRDS / 2);
    socket.deliver(PING);
    timers.advance(TWO_THIRDS / 2);
    expect([one.told.all, other.told.all]).toEqual([[], ["onConnectionSlow"]]);
  });

  it("keeps what a handler throws out of the client, for whoever hears uncaught errors", async () => {
    const uncaught: (() => void)[] = [];
    vi.stubGlobal("queueMicrotask", (callback: () => void) => uncaught.push(callback));
    const { connection, transport, told, start, accept } = build();
    transport.observe(connection, {
      onTransportLost() {
        throw new RangeError("mine");
      },
    });
    (await start()).drop();
    await accept();
    for (const event of ["onTransportLost", "onreconnecting", "onreconnected", "onTransportRestored"]) {
      expect(await told.next()).toBe(event);
    }
    vi.unstubAllGlobals();
    expect(uncaught.length).toBe(1);
    expect(uncaught[0]).toThrow("mine");
  });
});
