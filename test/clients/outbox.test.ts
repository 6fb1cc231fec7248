// A stateful client that does not acknowledge: what is kept for it is bounded.

import { describe, expect, it } from "vitest";
import { recordedHub } from "./recorded-hub.ts";
import { VirtualTime } from "./virtual-time.ts";

const HANDSHAKE = '{"protocol":"json","version":2}';
const PING = { type: 6 };

async function start() {
  const hub = recordedHub();
  const time = await VirtualTime.serve({ hubs: hub.hubs, statefulReconnectBufferSize: 4096 });
  const offer = await time.negotiate("?negotiateVersion=1&useStatefulReconnect=true");
  const path = `/chat?id=${offer.connectionToken}`;
  const receiver = await time.open(path);
  await time.until(receiver.handshake(HANDSHAKE));
  const sender = time.service.track(time.service.build("/chat", time.network.options).build());
  await time.until(sender.start());
  const text = "x".repeat(1000);
  const send = () => sender.invoke("tellOne", offer.connectionId, text);
  return { ...hub, time, path, receiver, send, connectionId: String(offer.connectionId) };
}

describe("a client that acknowledges nothing", () => {
  it("makes senders wait, and is told to go when nothing has changed after seconds", async () => {
    const { time, receiver, send, names, connectionId } = await start();
    for (let count = 0; count < 4; count++) {
      await time.until(send());
      expect(await time.until(receiver.next())).toMatchObject({ type: 1, target: "told" });
    }
    const from = Date.now();
    await time.until(send());
    expect(Date.now() - from).toBeGreaterThanOrEqual(5_000);
    expect(Date.now() - from).toBeLessThan(6_000);
    const last = (await time.until(receiver.untilClosed())).at(-1);
    expect(last).toEqual({
      type: 7,
      error: expect.stringContaining("Connection closed with an error."),
      allowReconnect: true,
    });
    await time.pass(60_000);
    expect(names(connectionId)).toEqual(["connected", "disconnected false outbox_full"]);
  });

  it("makes room for those who wait when it does", async () => {
    const { time, receiver, send, names, connectionId } = await start();
    for (let count = 0; count < 4; count++) {
      await time.until(send());
      await time.until(receiver.next());
    }
    const waiting = send();
    await time.pass(2_000);
    expect(receiver.received.all).toHaveLength(5);
    receiver.send({ type: 8, sequenceId: 4 }, PING);
    await time.until(waiting);
    await time.pass(1);
    expect(receiver.received.all.filter(({ type }) => type === 1)).toHaveLength(5);
    for (let count = 0; count < 3; count++) await time.until(send());
    expect(names(connectionId)).toEqual(["connected"]);
  });
});
