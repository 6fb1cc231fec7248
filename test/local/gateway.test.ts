import { describe, expect, it } from "vitest";
import type { Clock } from "../../lambdas/hub/index.ts";
import { startGateway } from "../../lambdas/local/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { hang, openGateway } from "./local-gateway.ts";

const MINUTE = 60_000;

describe("the schedule", () => {
  it("runs sweep at the start and every minute, whether or not the one before has ended", async () => {
    const { invoked, clock } = await openGateway({ functions: { sweep: hang } });
    expect(invoked.sweep.all).toHaveLength(1);
    const { event, context } = await invoked.sweep.next();
    expect(event).toEqual({ source: "aws.scheduler" });
    expect(context.getRemainingTimeInMillis()).toBe(180_000);
    await clock.advance(MINUTE - 1);
    expect(invoked.sweep.all).toHaveLength(1);
    await clock.advance(1);
    expect(invoked.sweep.all).toHaveLength(2);
    await clock.advance(2 * MINUTE);
    expect(invoked.sweep.all).toHaveLength(4);
  });

  it("runs sweep as often as told", async () => {
    const { invoked, clock } = await openGateway({ sweepInterval: 10 * MINUTE });
    await clock.advance(10 * MINUTE);
    expect(invoked.sweep.all).toHaveLength(2);
  });

  it("goes on after a sweep that throws, and logs it", async () => {
    const error = new Error("no");
    const { invoked, clock, lines } = await openGateway({ functions: { sweep: () => Promise.reject(error) } });
    await clock.advance(MINUTE);
    expect(invoked.sweep.all).toHaveLength(2);
    expect(lines[0]).toEqual({ level: "error", message: "A function threw.", function: "sweep", error });
  });
});

describe("closing the gateway", () => {
  it("closes sockets with 1001 and starts nothing any more, not even disconnect", async () => {
    const { gateway, openTransport, invoked, clock } = await openGateway();
    const { client } = await openTransport();
    gateway.faults.delayDisconnects(MINUTE);
    const { client: closedBefore } = await openTransport();
    closedBefore.webSocket.close();
    await closedBefore.closed;
    await gateway.close();
    expect(await client.closed).toEqual({ code: 1001, reason: "Going away" });
    await clock.advance(10 * MINUTE);
    expect(invoked.disconnect.all).toEqual([]);
    expect(invoked.sweep.all).toHaveLength(1);
    expect(gateway.transports()).toEqual([]);
    await expect(fetch(gateway.url)).rejects.toThrow("fetch failed");
  });

  it("waits for functions that run, but not for sweep", async () => {
    let finish = () => {};
    const { gateway, openTransport, invoked } = await openGateway({
      functions: {
        message: () => new Promise((resolve) => (finish = () => resolve({ statusCode: 200 }))),
        sweep: hang,
      },
    });
    const { client } = await openTransport();
    client.send("x");
    await invoked.message.next();
    let isClosed = false;
    const closing = gateway.close().then(() => (isClosed = true));
    await client.closed;
    expect(isClosed).toBe(false);
    finish();
    await closing;
  });

  it("gives up on a function that does not end, and cuts what is still open", async () => {
    const { gateway, open, invoked } = await openGateway({ functions: { connect: hang } });
    const opening = open();
    await invoked.connect.next();
    await Promise.all([expect(opening).rejects.toThrow("socket hang up"), gateway.close()]);
  });

  it("refuses with 503 what connect accepted too late", async () => {
    let accept = () => {};
    const { gateway, open, invoked } = await openGateway({
      functions: { connect: () => new Promise((resolve) => (accept = () => resolve({ statusCode: 200 }))) },
    });
    const opening = open();
    await invoked.connect.next();
    const closing = gateway.close();
    accept();
    await Promise.all([expect(opening).rejects.toMatchObject({ status: 503 }), closing]);
    expect(invoked.disconnect.all).toEqual([]);
  });

  it("leaves no timer behind, whatever still runs", async () => {
    const clock = new FakeClock();
    const sleeping = new Set<Promise<void>>();
    const counting: Clock = {
      now: () => clock.now(),
      sleep(milliseconds, signal) {
        const sleep = clock.sleep(milliseconds, signal).finally(() => sleeping.delete(sleep));
        sleeping.add(sleep);
        return sleep;
      },
    };
    const { gateway, openTransport, invoked } = await openGateway({
      clock: counting,
      functions: { sweep: hang, message: hang },
    });
    const { client } = await openTransport();
    client.send("x");
    await invoked.message.next();
    gateway.faults.delayMessages(MINUTE);
    client.send("y");
    await client.ping();
    // The schedule, its sweep, the transport's lifetime, one message that runs and one that is delayed.
    expect(sleeping.size).toBe(5);
    await gateway.close();
    await Promise.all(sleeping);
    expect(sleeping.size).toBe(0);
  });

  it("may be asked for twice", async () => {
    const { gateway } = await openGateway();
    expect(gateway.close()).toBe(gateway.close());
    await gateway.close();
  });
});

describe("starting the gateway", () => {
  it("says what to do when the port is taken", async () => {
    const { gateway, deployed, clock } = await openGateway();
    const port = Number(new URL(gateway.url).port);
    const log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };
    await expect(startGateway({ functions: deployed, clock, log, port })).rejects.toMatchObject({
      name: "PortInUseError",
      code: "port_in_use",
      message: `Port ${port} is in use. Stop what listens there, or choose another port.`,
    });
  });

  it("takes a port again once it is free", async () => {
    const { gateway } = await openGateway();
    const port = Number(new URL(gateway.url).port);
    await gateway.close();
    const { gateway: next } = await openGateway({ port });
    expect(next.url).toBe(`http://localhost:${port}`);
  });

  it("names the host it listens on", async () => {
    const { gateway } = await openGateway({ host: "127.0.0.2" });
    expect(gateway.url).toMatch(/^http:\/\/127\.0\.0\.2:\d+$/);
    expect(gateway.callbackUrl).toBe(`${gateway.url}/_gateway/prod`);
    expect((await fetch(gateway.url)).status).toBe(404);
  });
});
