import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { describe, expect, it } from "vitest";
import { openGateway as open } from "./local-gateway.ts";

const MINUTE = 60_000;

async function openGateway() {
  const opened = await open();
  const { gateway } = opened;
  const management = new ApiGatewayManagementApiClient({
    region: "eu-central-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    endpoint: gateway.callbackUrl,
    requestHandler: gateway.requestHandler,
  });
  return {
    ...opened,
    faults: gateway.faults,
    post: (id: string, data: string) => management.send(new PostToConnectionCommand({ ConnectionId: id, Data: data })),
  };
}

describe("faults of $disconnect", () => {
  /** Opens and closes sockets one after the other, and returns their ids once each is gone. */
  async function comeAndGo({ openTransport, gateway }: Awaited<ReturnType<typeof openGateway>>, count: number) {
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) {
      const { client, id } = await openTransport();
      gateway.faults.cut(id);
      await client.closed;
      ids.push(id);
    }
    return ids;
  }

  const heard = ({ invoked }: Awaited<ReturnType<typeof openGateway>>) =>
    invoked.disconnect.all.map(({ event }) => event.requestContext.connectionId);

  it("drop the next ones", async () => {
    const opened = await openGateway();
    opened.faults.dropDisconnects(2);
    const [, , third] = await comeAndGo(opened, 3);
    expect(heard(opened)).toEqual([third]);
  });

  it("drop all until reset", async () => {
    const opened = await openGateway();
    opened.faults.dropDisconnects();
    await comeAndGo(opened, 3);
    opened.faults.reset();
    const [id] = await comeAndGo(opened, 1);
    expect(heard(opened)).toEqual([id]);
  });

  it("drop that of one transport, and no other", async () => {
    const opened = await openGateway();
    const { id } = await opened.openTransport();
    opened.faults.dropDisconnects(1, id);
    const [other] = await comeAndGo(opened, 1);
    opened.faults.cut(id);
    const [another] = await comeAndGo(opened, 1);
    expect(heard(opened)).toEqual([other, another]);
  });

  it("bring them twice, the same event", async () => {
    const opened = await openGateway();
    opened.faults.duplicateDisconnects(1);
    const [first, second] = await comeAndGo(opened, 2);
    expect(heard(opened)).toEqual([first, first, second]);
    expect(opened.invoked.disconnect.all[0]?.event).toEqual(opened.invoked.disconnect.all[1]?.event);
  });

  it("delay them by the clock, and tell when they happened", async () => {
    const opened = await openGateway();
    opened.faults.delayDisconnects(30_000, 1);
    const [late, prompt] = await comeAndGo(opened, 2);
    expect(heard(opened)).toEqual([prompt]);
    await opened.clock.advance(30_000);
    expect(heard(opened)).toEqual([prompt, late]);
    expect(opened.invoked.disconnect.all[1]?.event.requestContext.requestTimeEpoch).toBe(Date.UTC(2026, 0, 1));
  });
});

describe("a half-open transport", () => {
  it("lets nothing pass in either direction, accepts posts, and tells nobody", async () => {
    const { openTransport, faults, post, invoked, gateway, clock } = await openGateway();
    const { client, id } = await openTransport();
    const { client: other } = await openTransport();
    faults.halfOpen(id);
    client.send("up");
    await post(id, "down");
    client.webSocket.ping();
    // Whatever the gateway does with the first socket, it has done once the second had its turn.
    other.send("up");
    await invoked.message.next();
    await other.ping();
    await clock.advance(5 * MINUTE);
    expect(invoked.message.all).toHaveLength(1);
    expect(client.messages.all).toEqual([]);
    expect(invoked.disconnect.all).toEqual([]);
    expect(gateway.transports().map((transport) => transport.id)).toContain(id);
  });

  it("passes on what was held, in order, when released", async () => {
    const { openTransport, faults, post, invoked } = await openGateway();
    const { client, id } = await openTransport();
    faults.halfOpen(id);
    client.send("up 1");
    client.send("up 2");
    await post(id, "down 1");
    await post(id, "down 2");
    faults.release(id);
    await post(id, "down 3");
    expect([(await invoked.message.next()).event.body, (await invoked.message.next()).event.body]).toEqual([
      "up 1",
      "up 2",
    ]);
    for (const n of [1, 2, 3]) expect(await client.messages.next()).toBe(`down ${n}`);
  });

  it("does not notice that the client is gone until it is released", async () => {
    const { openTransport, faults, post, invoked, gateway } = await openGateway();
    const { client, id } = await openTransport();
    faults.halfOpen(id);
    client.webSocket.terminate();
    await client.closed;
    await post(id, "into the void");
    expect(gateway.transports()).toHaveLength(1);
    expect(invoked.disconnect.all).toEqual([]);
    faults.release(id);
    expect((await invoked.disconnect.next()).event.requestContext.disconnectStatusCode).toBe(1006);
  });

  it("ends by the idle time without the client learning of it before the release", async () => {
    const { openTransport, faults, post, invoked, clock } = await openGateway();
    const { client, id } = await openTransport();
    faults.halfOpen(id);
    await clock.advance(10 * MINUTE);
    expect((await invoked.disconnect.next()).event.requestContext).toMatchObject({
      connectionId: id,
      disconnectStatusCode: 1001,
    });
    await expect(post(id, "x")).rejects.toMatchObject({ name: "GoneException" });
    expect(client.webSocket.readyState).toBe(client.webSocket.OPEN);
    faults.reset();
    expect((await client.closed).code).toBe(1006);
    expect(invoked.disconnect.all).toHaveLength(1);
  });

  it("does not keep the gateway from closing", async () => {
    const { openTransport, faults, gateway } = await openGateway();
    const { client, id } = await openTransport();
    faults.halfOpen(id);
    await gateway.close();
    expect((await client.closed).code).toBe(1001);
  });
});

describe("other faults", () => {
  it("cut a transport: both sides see 1006", async () => {
    const { openTransport, faults, post, invoked } = await openGateway();
    const { client, id } = await openTransport();
    faults.cut(id);
    await expect(post(id, "x")).rejects.toMatchObject({ name: "GoneException" });
    expect((await client.closed).code).toBe(1006);
    expect((await invoked.disconnect.next()).event.requestContext).toMatchObject({
      connectionId: id,
      disconnectStatusCode: 1006,
    });
  });

  it("refuse a transport that is not open", async () => {
    const { faults } = await openGateway();
    expect(() => faults.cut("x=")).toThrow(
      new TypeError('There is no open transport "x=". Take an id from gateway.transports().'),
    );
    expect(() => faults.halfOpen("x=")).toThrow(TypeError);
    faults.release("x=");
  });

  it("refuse negotiations and sockets for a while, before any function runs", async () => {
    const { open, gateway, faults, invoked, clock } = await openGateway();
    const negotiate = async () => (await fetch(`${gateway.url}/chat/negotiate`, { method: "POST" })).status;
    faults.refuseConnects(5_000);
    await clock.advance(4_999);
    await expect(open()).rejects.toMatchObject({ status: 503 });
    expect(await negotiate()).toBe(503);
    expect([...invoked.connect.all, ...invoked.negotiate.all]).toEqual([]);
    await clock.advance(1);
    await open();
    expect(await negotiate()).toBe(200);
  });

  it("refuse only those whose query says so, until reset", async () => {
    const { open, faults } = await openGateway();
    faults.refuseConnects(5_000, { lab: "a", room: "1" });
    for (const query of ["", "?lab=a", "?lab=b&room=1", "?room=1"]) await open(`/chat${query}`);
    await expect(open("/chat?room=1&lab=a&x=y")).rejects.toMatchObject({ status: 503 });
    faults.reset();
    await open("/chat?room=1&lab=a&x=y");
  });

  it("make a transport older, which is cut at 2 hours", async () => {
    const { openTransport, faults, clock, invoked, gateway } = await openGateway();
    const { client, id } = await openTransport();
    const { id: other } = await openTransport();
    faults.age(id, 120 * MINUTE - 1_000);
    await clock.advance(999);
    expect(client.webSocket.readyState).toBe(client.webSocket.OPEN);
    await clock.advance(1);
    expect((await client.closed).code).toBe(1001);
    expect((await invoked.disconnect.next()).event.requestContext).toMatchObject({
      connectionId: id,
      disconnectStatusCode: 1001,
      connectedAt: clock.now() - 120 * MINUTE,
    });
    expect(gateway.transports().map((transport) => transport.id)).toEqual([other]);
  });

  it("make a message throw before its function runs", async () => {
    const { openTransport, faults, invoked } = await openGateway();
    const { client } = await openTransport();
    faults.throwIn("message", 1);
    client.send("lost");
    expect(await client.messages.next()).toContain("Internal server error");
    client.send("arrives");
    expect((await invoked.message.next()).event.body).toBe("arrives");
    expect(invoked.message.all).toHaveLength(1);
  });

  it("make the other functions throw too, each its own", async () => {
    const { open, gateway, faults, invoked, clock, lines } = await openGateway();
    faults.throwIn("connect", 1);
    faults.throwIn("negotiate", 1);
    faults.throwIn("sweep", 1);
    await expect(open()).rejects.toMatchObject({ status: 500 });
    expect((await fetch(`${gateway.url}/chat/negotiate`, { method: "POST" })).status).toBe(500);
    await clock.advance(MINUTE);
    expect(lines.map((line) => line.function)).toEqual(["connect", "negotiate", "sweep"]);
    expect(invoked.sweep.all).toHaveLength(1);
    await open();
    await invoked.connect.next();
  });

  it("delay one message so that the next overtakes it", async () => {
    const { openTransport, faults, invoked, clock } = await openGateway();
    const { client } = await openTransport();
    faults.delayMessages(1_000, 1);
    client.send("first");
    client.send("second");
    await client.ping();
    expect(invoked.message.all.map(({ event }) => event.body)).toEqual(["second"]);
    await clock.advance(1_000);
    expect(invoked.message.all.map(({ event }) => event.body)).toEqual(["second", "first"]);
  });

  it("shorten the 2 hours of sockets that are open already", async () => {
    const { openTransport, faults, clock } = await openGateway();
    const { client } = await openTransport();
    await clock.advance(5_000);
    faults.limitLifetime({ connectionDuration: 20_000 });
    await clock.advance(14_999);
    expect(client.webSocket.readyState).toBe(client.webSocket.OPEN);
    await clock.advance(1);
    expect(await client.closed).toEqual({ code: 1001, reason: "Going away" });
  });

  it("shorten the idle time, until reset", async () => {
    const { openTransport, faults, clock, gateway } = await openGateway();
    faults.limitLifetime({ idleTimeout: 1_000 });
    const { client } = await openTransport();
    await clock.advance(1_000);
    expect((await client.closed).code).toBe(1001);
    const { id } = await openTransport();
    faults.reset();
    await clock.advance(5 * MINUTE);
    expect(gateway.transports().map((transport) => transport.id)).toEqual([id]);
  });
});
