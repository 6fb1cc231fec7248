// A network that swallows everything for a while, and a stock client with its own timers and all three ways back: key,
// automatic and stateful reconnect.

import { describe, expect, it } from "vitest";
import { recordedHub } from "./recorded-hub.ts";
import { resumableClient } from "./resumable-client.ts";
import { VirtualTime } from "./virtual-time.ts";

const KEY = "0123456789abcdef0123456789abcdef";

describe("a network that is silent for", () => {
  it.each([
    [10, "nothing", 0],
    [20, "nothing", 0],
    [31, "resumed", 1],
    [45, "resumed", 1],
    [75, "ended", 0],
  ] as const)("%i s, with default timers: %s", async (seconds, outcome, reconnected) => {
    const hub = recordedHub();
    const time = await VirtualTime.serve({ hubs: hub.hubs });
    const { service, network } = time;
    const { connection, noticed, told } = resumableClient(time, KEY);
    await time.until(connection.start());
    const { connectionId } = connection;
    await time.until(connection.invoke("join", "room"));
    await time.pass(60_000);

    network.shut();
    service.server.faults.halfOpen(service.server.transports()[0]?.id ?? "");
    await time.pass(seconds * 1000);
    service.server.faults.reset();
    network.open();
    await time.pass(60_000);

    expect(connection.connectionId === connectionId).toBe(outcome !== "ended");
    expect(noticed).toEqual(outcome === "nothing" ? [] : ["reconnecting", `reconnected ${connection.connectionId}`]);
    expect(await time.until(connection.invoke("echo", "here"))).toBe("here");
    if (outcome !== "ended") {
      await time.until(connection.invoke("tell", "room", "still a member"));
      expect(await time.until(told.next())).toEqual(["still a member"]);
    }
    const of = hub.names(connectionId);
    expect(of).toEqual([
      "connected",
      ...Array(reconnected).fill("reconnected"),
      ...(outcome === "ended" ? ["disconnected false transport_lost"] : []),
    ]);
  });
});
