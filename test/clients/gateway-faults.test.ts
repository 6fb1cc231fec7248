// What the gateway does to resumable connections on a bad day: lost, doubled and late events, failing posts, frames that
// it refuses, and clocks that jump.

import { describe, expect, it } from "vitest";
import { disorder, recordedHub } from "./recorded-hub.ts";
import { resumableClient } from "./resumable-client.ts";
import { RunningClock } from "./running-clock.ts";
import { VirtualTime } from "./virtual-time.ts";

async function start() {
  const hub = recordedHub();
  const clock = new RunningClock();
  const time = await VirtualTime.serve({ hubs: hub.hubs }, clock);
  const { service } = time;
  const client = resumableClient(time, "faults");
  await time.until(client.connection.start());
  await time.until(client.connection.invoke("join", "room"));
  const { faults } = service.server;
  const socket = () => service.server.transports().at(-1)?.id ?? "";
  return { ...hub, ...client, connectionId: client.connection.connectionId, time, clock, service, faults, socket };
}

describe("$disconnect that", () => {
  it.each(["is lost", "comes twice", "comes after the resume"])("%s makes no difference", async (fate) => {
    const { faults, socket, connection, noticed, time, names, events, connectionId } = await start();
    if (fate === "is lost") faults.dropDisconnects();
    else if (fate === "comes twice") faults.duplicateDisconnects();
    else faults.delayDisconnects(2_000);
    for (const round of [1, 2, 3]) {
      faults.cut(socket());
      expect(await time.until(connection.invoke("echo", round))).toBe(round);
      await time.pass(5_000);
    }
    expect(noticed).toEqual([]);
    expect(names(connectionId)).toEqual(["connected", "reconnected", "reconnected", "reconnected"]);
    await time.until(connection.stop());
    await time.pass(90_000);
    expect(names(connectionId).at(-1)).toBe("disconnected true undefined");
    expect(disorder(events.all)).toBeUndefined();
  });
});

describe("frames of the socket before", () => {
  it("that arrive after the resume are run once", async () => {
    const { faults, socket, connection, noticed, time, runs } = await start();
    faults.delayMessages(1_000, 3);
    const asked = [connection.invoke("echo", 1), connection.invoke("echo", 2), connection.send("note", 3)];
    await time.pass(100);
    faults.cut(socket());
    asked.push(connection.invoke("echo", 4));
    await time.until(Promise.all(asked));
    await time.pass(20_000);
    expect(runs.toSorted()).toEqual([1, 2, 3, 4]);
    expect(noticed).toEqual([]);
  });
});

describe("posts that fail", () => {
  it.each([429, 500, 503])("with %i a few times are made again", async (statusCode) => {
    const { faults, connection, told, noticed, time } = await start();
    faults.failPosts({ statusCode, times: 3 });
    await time.until(connection.invoke("tell", "room", "text"));
    expect(await time.until(told.next())).toEqual(["text"]);
    expect(noticed).toEqual([]);
  });

  it("for good bring the client back on another socket, which gets what it lacks", async () => {
    const { faults, socket, connection, told, time, events, connectionId } = await start();
    faults.failPosts({ statusCode: 500, transportId: socket() });
    const asked = connection.invoke("tell", "room", "text");
    expect(await time.until(told.next())).toEqual(["text"]);
    await time.until(asked);
    expect(connection.connectionId).toBe(connectionId);
    expect(disorder(events.all)).toBeUndefined();
  });
});

describe("a frame that the gateway refuses", () => {
  it.each([
    ["for its size", "x".repeat(33 * 1024)],
    ["for being binary", Buffer.from("x")],
  ])("%s ends the connection; its client does not try again and again", async (_, frame) => {
    const { connection, noticed, time, service, names, connectionId } = await start();
    let connects = 0;
    service.eachTableClient((client) =>
      client.middlewareStack.add(
        (next, { commandName }) =>
          (args) => {
            if (commandName === "PutItemCommand" && JSON.stringify(args.input).includes('"phase"')) connects += 1;
            return next(args);
          },
        { step: "initialize", name: "connects" },
      ),
    );
    const asked = expect(time.until(connection.invoke("work", "for ever"))).rejects.toThrow();
    await time.pass(1_000);
    time.network.webSocket?.send(frame);
    await asked;
    await time.pass(60_000);
    expect(names(connectionId)).toEqual(["connected", "disconnected false message_refused"]);
    expect(connects).toBeLessThanOrEqual(2);
    expect(noticed).toEqual(["reconnecting", expect.stringMatching(/^reconnected /)]);
    expect(connection.connectionId).not.toBe(connectionId);
    expect(await time.until(connection.invoke("echo", "here"))).toBe("here");
  });
});

describe("a clock that jumps", () => {
  it.each([
    ["5 minutes", 5 * 60_000, ["connected"]],
    ["an hour, which closes sockets as idle,", 60 * 60_000, ["connected", "reconnected"]],
  ])("forward by %s ends nobody who is still there", async (_, milliseconds, expected) => {
    const { connection, noticed, time, clock, names, connectionId } = await start();
    await time.pass(70_000);
    clock.jump(milliseconds);
    await time.pass(60_000);
    expect(await time.until(connection.invoke("echo", "here"))).toBe("here");
    expect(noticed).toEqual([]);
    expect(names(connectionId)).toEqual(expected);
  });
});

describe("a clock that stops", () => {
  it("and goes on ends who is not there any more, and nobody else", async () => {
    const { connection, noticed, time, clock, names, connectionId } = await start();
    await time.pass(70_000);
    const silent = await time.open(`/chat?id=${(await time.negotiate("?negotiateVersion=1")).connectionToken}`);
    await time.until(silent.handshake());
    clock.stop();
    await time.pass(120_000);
    clock.goOn();
    await time.pass(60_000);
    expect(await time.until(connection.invoke("echo", "here"))).toBe("here");
    expect(noticed).toEqual([]);
    expect(names(connectionId)).toEqual(["connected"]);
    expect(names()).toEqual(["connected", "connected", "disconnected false client_timeout"]);
  });
});
