// Sockets cut at every point: each of the server's requests to its table, one after the other, is a point.

import { describe, expect, it } from "vitest";
import { disorder, recordedHub } from "./recorded-hub.ts";
import { resumableClient } from "./resumable-client.ts";
import { VirtualTime } from "./virtual-time.ts";

async function start() {
  const hub = recordedHub();
  const time = await VirtualTime.serve({ hubs: hub.hubs });
  const { service } = time;
  let cutAfter = Number.POSITIVE_INFINITY;
  service.eachTableClient((client) =>
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        cutAfter -= 1;
        if (cutAfter === 0) for (const { id } of service.server.transports()) service.server.faults.cut(id);
        return result;
      },
      { step: "initialize", name: "cuts" },
    ),
  );
  /** Cuts every socket after so many requests from now on. */
  const cutIn = (requests: number) => {
    cutAfter = requests;
  };
  return { ...hub, time, service, cutIn, wasCut: () => cutAfter <= 0 };
}

describe("a socket that is cut", () => {
  it("at any point of an invocation costs nothing", async () => {
    const { time, cutIn, wasCut, runs, events } = await start();
    const { connection, noticed } = resumableClient(time, "invocation");
    await time.until(connection.start());
    const { connectionId } = connection;
    let point = 0;
    do {
      point += 1;
      // Some of them later than the answer.
      cutIn(point);
      expect(await time.until(connection.invoke("echo", point))).toBe(point);
      await time.pass(10_000);
    } while (wasCut() && point < 30);
    expect(runs).toEqual(Array.from({ length: point }, (_, index) => index + 1));
    expect(connection.connectionId).toBe(connectionId);
    expect(noticed).toEqual([]);
    expect(disorder(events.all)).toBeUndefined();
  });

  it("at any point of a resume costs nothing but a reconnect with the same id", async () => {
    const { time, service, cutIn, runs, events } = await start();
    const { connection, noticed, told } = resumableClient(time, "resume");
    await time.until(connection.start());
    const { connectionId } = connection;
    await time.until(connection.invoke("join", "room"));
    const points = 25;
    for (let point = 1; point <= points; point++) {
      cutIn(point);
      service.server.faults.cut(service.server.transports()[0]?.id ?? "");
      const asked = connection.invoke("echo", point).catch(() => "rejected");
      await time.pass(15_000);
      expect([point, "rejected"]).toContain(await time.until(asked));
      await time.until(connection.invoke("tell", "room", point));
      expect(await time.until(told.next())).toEqual([point]);
    }
    expect(new Set(runs).size).toBe(runs.length);
    expect(connection.connectionId).toBe(connectionId);
    expect(noticed.filter((each) => each !== "reconnecting" && each !== `reconnected ${connectionId}`)).toEqual([]);
    expect(disorder(events.all)).toBeUndefined();
  });

  it("at any point of a start leaves a client that can start again", async () => {
    const { time, cutIn, events } = await start();
    let point = 0;
    do {
      point += 1;
      const { connection } = resumableClient(time, `start ${point}`);
      cutIn(point);
      await time.until(connection.start().catch(() => undefined));
      await time.pass(10_000);
      if (connection.state === "Disconnected") await time.until(connection.start());
      expect(await time.until(connection.invoke("echo", point))).toBe(point);
      cutIn(Number.POSITIVE_INFINITY);
      await time.until(connection.stop());
    } while (point < 20);
    expect(disorder(events.all)).toBeUndefined();
  });
});
