// Stock clients with their own timers, over hours: nobody falls silent, and the gateway's two hours are not noticed.

import { expect, it } from "vitest";
import { recordedHub } from "./recorded-hub.ts";
import { VirtualTime } from "./virtual-time.ts";

const KEY = "0123456789abcdef0123456789abcdef";
const MINUTE = 60_000;

it("clients live for hours, whether they are idle, only send or only receive", async () => {
  const hub = recordedHub();
  const time = await VirtualTime.serve({ hubs: hub.hubs });
  const { service, network } = time;
  const noticed: string[] = [];

  async function connect(name: string, path: string, isStateful: boolean) {
    const builder = service.build(path, network.options).withAutomaticReconnect();
    if (isStateful) builder.withStatefulReconnect();
    const connection = service.track(builder.build());
    connection.onreconnecting(() => noticed.push(`${name} reconnecting`));
    connection.onreconnected((id) => noticed.push(`${name} ${id === connectionId ? "reconnected" : "lost its id"}`));
    connection.onclose(() => noticed.push(`${name} closed`));
    await time.until(connection.start());
    const { connectionId } = connection;
    return connection;
  }
  const sending = await connect("sending", "/chat", true);
  const receiving = await connect("receiving", "/chat", true);
  await connect("idle", `/chat?resume=${KEY}`, true);
  const idleWithKey = await connect("idle with key", `/chat?resume=${KEY.toUpperCase()}`, false);
  let sent = 0;
  const told: unknown[] = [];
  receiving.on("told", (text) => told.push(text));

  /** A message every ten seconds, before a ping of the sender's own is due. */
  async function live(milliseconds: number): Promise<void> {
    for (const end = Date.now() + milliseconds; Date.now() < end; ) {
      await time.pass(10_000);
      sent += 1;
      void sending.send("tellOne", receiving.connectionId, sent);
    }
  }
  await live(10 * MINUTE);
  // Time costs least without a sweeper; and it may be away.
  service.server.faults.throwIn("sweep");
  await live(95 * MINUTE);
  service.server.faults.reset();
  expect(noticed).toEqual([]);
  await live(20 * MINUTE);
  await time.pass(1_000);

  expect(noticed).toEqual(["idle with key reconnecting", "idle with key reconnected"]);
  expect(told).toEqual(Array.from({ length: sent }, (_, index) => index + 1));
  expect(await time.until(idleWithKey.invoke("echo", "here"))).toBe("here");
  expect(hub.names().toSorted()).toEqual([...Array(4).fill("connected"), ...Array(4).fill("reconnected")]);
  expect(service.server.transports()).toHaveLength(4);
});
