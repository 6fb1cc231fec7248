// Stateful reconnect with the stock client: what breaks below it, neither its user nor its server's author notices.

import type { HubConnection } from "@microsoft/signalr";
import { defineHub } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { RunningClock, type TestClock } from "./running-clock.ts";
import { calls, closing, type RunningService, serve } from "./running-service.ts";

interface Client {
  told(text: string): void;
}

async function start() {
  const events = new Arrivals<string>();
  const runs: unknown[] = [];
  let goOn = (): void => undefined;
  const working = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const chat = defineHub<Client>()({
    methods: {
      join: (hub, group: string) => hub.groups.add(group),
      tell: (hub, group: string, text: string) => hub.clients.group(group).told(text),
      tellMe: (hub, text: string) => hub.clients.caller.told(text),
      echo(_hub, value: unknown) {
        runs.push(value);
        return value;
      },
      async work() {
        events.push("working");
        await working;
        return "late";
      },
    },
    onConnected: () => void events.push("connected"),
    onReconnected: () => void events.push("reconnected"),
    onDisconnected: (_hub, { stopCalled, error }) => void events.push(`disconnected ${stopCalled} ${error?.code}`),
  });
  return { service: await serve({ hubs: { chat } }, new RunningClock()), events, runs, goOn: () => goOn() };
}

async function connect(service: RunningService, path = "/chat"): Promise<HubConnection> {
  const connection = service.track(service.build(path).withStatefulReconnect().build());
  await connection.start();
  return connection;
}

function cut(service: RunningService, index = 0): void {
  service.server.faults.cut(service.server.transports()[index]?.id ?? "");
}

describe("a stateful client", () => {
  it("goes on as if nothing had been when its socket is cut", async () => {
    const { service, events } = await start();
    const connection = await connect(service);
    const told = calls(connection, "told");
    const { connectionId } = connection;
    await connection.invoke("join", "room");
    for (let time = 0; time < 3; time++) {
      const reconnected = time === 0 ? 2 : 1;
      cut(service);
      expect(await connection.invoke("echo", time)).toBe(time);
      await connection.invoke("tell", "room", `text ${time}`);
      expect(await told.next()).toEqual([`text ${time}`]);
      for (let count = 0; count < reconnected; count++) await events.next();
    }
    expect(connection.connectionId).toBe(connectionId);
    await connection.stop();
    expect(await events.next()).toBe("disconnected true undefined");
    expect(events.all).toEqual(["connected", ...Array(3).fill("reconnected"), "disconnected true undefined"]);
  });

  it("gets the result of the method that ran when its socket was cut", async () => {
    const { service, events, goOn } = await start();
    const connection = await connect(service);
    const asked = connection.invoke("work");
    expect([await events.next(), await events.next()]).toEqual(["connected", "working"]);
    cut(service);
    await expect.poll(() => service.server.transports().length).toBe(1);
    goOn();
    expect(await asked).toBe("late");
    expect(await connection.invoke("echo", 1)).toBe(1);
  });
});
