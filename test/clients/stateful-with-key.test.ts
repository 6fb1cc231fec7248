// Stateful and automatic reconnect with a resume key: what the one cannot bring back, the other does.

import type { IRetryPolicy } from "@microsoft/signalr";
import { describe, expect, it } from "vitest";
import { Refused } from "../local/local-gateway.ts";
import { disorder, recordedHub } from "./recorded-hub.ts";
import { calls, closing } from "./running-service.ts";
import { VirtualTime } from "./virtual-time.ts";

const KEY = "0123456789abcdef0123456789abcdef";

async function start() {
  const hub = recordedHub();
  const time = await VirtualTime.serve({ hubs: hub.hubs });
  const { service, network } = time;

  async function connect({
    path = `/chat?resume=${KEY}`,
    policy,
  }: {
    path?: string;
    policy?: number[] | IRetryPolicy;
  } = {}) {
    const builder = service.build(path, network.options).withStatefulReconnect();
    if (policy === undefined) builder.withAutomaticReconnect();
    else if (Array.isArray(policy)) builder.withAutomaticReconnect(policy);
    else builder.withAutomaticReconnect(policy);
    const connection = service.track(builder.build());
    const noticed: string[] = [];
    connection.onreconnecting(() => noticed.push("reconnecting"));
    connection.onreconnected((id) => noticed.push(`reconnected ${id}`));
    connection.onclose((error) => noticed.push(`closed ${error?.message}`));
    await time.until(connection.start());
    return { connection, noticed, told: calls(connection, "told") };
  }
  const socket = () => service.server.transports().at(-1)?.id ?? "";
  return { ...hub, time, service, connect, socket };
}

describe("a client whose stateful try is refused", () => {
  it("comes back with its key: same id, groups, items, and what was sent meanwhile", async () => {
    const { connect, service, socket, time, names, events } = await start();
    const { connection: sender } = await connect({ path: "/chat" });
    const { connection, noticed, told } = await connect();
    const { connectionId } = connection;
    await time.until(connection.invoke("join", "room"));
    await time.until(connection.invoke("remember", "me"));
    await time.until(sender.invoke("tell", "room", "before"));
    expect(await time.until(told.next())).toEqual(["before"]);
    // Until the client has acknowledged it.
    await time.pass(2_000);
    const lost = new Promise<unknown>((resolve) => connection.onreconnecting(resolve));
    service.server.faults.throwIn("connect", 2);
    service.server.faults.cut(socket());
    await time.until(lost);
    for (const text of ["one", "two", "three"]) await time.until(sender.invoke("tell", "room", text));
    await time.pass(5_000);
    expect(noticed).toEqual(["reconnecting", `reconnected ${connectionId}`]);
    expect(await time.until(connection.invoke("recall"))).toEqual(["me", ["room"]]);
    await time.until(sender.invoke("tell", "room", "after"));
    for (const text of ["one", "two", "three", "after"]) expect(await time.until(told.next())).toEqual([text]);
    expect(names(connectionId)).toEqual(["connected", "reconnected"]);
    expect(disorder(events.all)).toBeUndefined();
    // Both sides count from 1 again: the next socket that breaks is not noticed.
    service.server.faults.cut(socket());
    expect(await time.until(connection.invoke("echo", "again"))).toBe("again");
    expect(noticed).toHaveLength(2);
    expect(names(connectionId)).toEqual(["connected", "reconnected", "reconnected"]);
  });

  it("is not answered what it asked before, and is what it asks then", async () => {
    const { connect, service, socket, time, started, goOn, runs } = await start();
    const { connection, noticed } = await connect();
    const asked = connection.invoke("work", "dead").catch(() => "rejected");
    await time.until(started.next());
    service.server.faults.throwIn("connect", 1);
    service.server.faults.cut(socket());
    expect(await time.until(asked)).toBe("rejected");
    await time.pass(1_000);
    expect(noticed).toHaveLength(2);
    const next = connection.invoke("echo", "new");
    goOn();
    expect(await time.until(next)).toBe("new");
    expect(runs).toEqual(["new"]);
  });

  it.each<[string, number[] | IRetryPolicy]>([
    ["an array of delays", [0, 0, 10_000]],
    [
      "a policy that looks at the time that has passed",
      {
        nextRetryDelayInMilliseconds: ({ elapsedMilliseconds }) => (elapsedMilliseconds < 60_000 ? 4_000 : null),
      },
    ],
  ])("comes back by %s", async (_title, policy) => {
    const { connect, service, socket, time } = await start();
    const { connection, noticed } = await connect({ policy });
    const { connectionId } = connection;
    service.server.faults.throwIn("connect", 3);
    service.server.faults.cut(socket());
    await time.pass(20_000);
    expect(noticed).toEqual(["reconnecting", `reconnected ${connectionId}`]);
  });

  it("gives up when its policy does, and its connection ends", async () => {
    const { connect, service, socket, time, names } = await start();
    const policy = {
      nextRetryDelayInMilliseconds: ({ elapsedMilliseconds }: { elapsedMilliseconds: number }) =>
        elapsedMilliseconds < 60_000 ? 5_000 : null,
    };
    const { connection, noticed } = await connect({ policy });
    const { connectionId } = connection;
    service.server.faults.throwIn("connect");
    service.server.faults.throwIn("negotiate");
    service.server.faults.cut(socket());
    const from = Date.now();
    await time.until(closing(connection));
    expect(Date.now() - from).toBe(60_000);
    expect(noticed[0]).toBe("reconnecting");
    await time.pass(60_000);
    expect(names(connectionId)).toEqual(["connected", "disconnected false transport_lost"]);
    service.server.faults.reset();
  });
});

describe("two pages with one key", () => {
  it.each([1, 21_000])(
    "leave the connection to the newer one, %d ms later; the older is told and stays away",
    async (later) => {
      const { connect, time, service, names } = await start();
      const { connection: older, noticed } = await connect();
      const { connectionId } = older;
      await time.pass(later);
      const { connection: newer, noticed: noticedByNewer } = await connect();
      await time.pass(120_000);
      expect(noticed).toEqual([expect.stringContaining("resumed by another client")]);
      expect(noticedByNewer).toEqual([]);
      expect(newer.connectionId).toBe(connectionId);
      expect(service.server.transports()).toHaveLength(1);
      expect(await time.until(newer.invoke("echo", "mine"))).toBe("mine");
      expect(names()).toEqual(["connected", "reconnected"]);
    },
  );

  it("and the older one's token can not steal it back", async () => {
    const { connect, time, names } = await start();
    const offer = await time.negotiate(`?negotiateVersion=1&useStatefulReconnect=true&resume=${KEY}`);
    const path = `/chat?resume=${KEY}&id=${offer.connectionToken}`;
    const older = await time.open(path);
    await time.until(older.handshake('{"protocol":"json","version":2}'));
    await time.pass(21_000);
    const { connection: newer } = await connect();
    expect((await time.until(older.untilClosed())).at(-1)).toMatchObject({ type: 7, error: expect.any(String) });
    await expect(time.open(path)).rejects.toEqual(new Refused(409));
    expect(await time.until(newer.invoke("echo", "mine"))).toBe("mine");
    expect(names()).toEqual(["connected", "reconnected"]);
  });
});
