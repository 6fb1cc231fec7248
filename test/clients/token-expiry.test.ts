// `closeOnAuthenticationExpiration`: what becomes of a connection when the token expires that opened it.

import type { HubConnection } from "@microsoft/signalr";
import type { AuthRequest, ServiceOptions } from "signalr-lambda";
import { expect, it } from "vitest";
import { recordedHub } from "./recorded-hub.ts";
import { closing } from "./running-service.ts";
import { VirtualTime } from "./virtual-time.ts";

const MINUTE = 60_000;
/** From the moment that a token expires to that when its connection is closed, at most: a tick, and what it takes. */
const NOTICED = 10_000;
const KEY = "0123456789abcdef0123456789abcdef";

/** A token is its claims: these tests are not about signatures. */
const auth = ({ token }: AuthRequest) => (token ? JSON.parse(Buffer.from(token, "base64url").toString()) : null);
const tokenOf = (claims: object) => Buffer.from(JSON.stringify({ sub: "ada", ...claims })).toString("base64url");
const inSeconds = (milliseconds: number) => Math.ceil((Date.now() + milliseconds) / 1000);

async function serve(options: Partial<ServiceOptions> = {}) {
  const hub = recordedHub();
  const time = await VirtualTime.serve({ hubs: hub.hubs, auth, closeOnAuthenticationExpiration: true, ...options });
  const noticed: string[] = [];

  /** A stock client whose tokens last as long as it says, from when it asks for one. */
  async function connect(lifetime: () => number, path = "/chat", isStateful = false): Promise<HubConnection> {
    const accessTokenFactory = () => tokenOf({ exp: inSeconds(lifetime()) });
    const builder = time.service.build(path, { ...time.network.options, accessTokenFactory }).withAutomaticReconnect();
    if (isStateful) builder.withStatefulReconnect();
    const connection = time.service.track(builder.build());
    connection.onreconnecting((error) => noticed.push(`reconnecting ${error?.message}`));
    connection.onreconnected((id) => noticed.push(`reconnected ${id === connectionId ? "same" : "new"} id`));
    connection.onclose((error) => noticed.push(`closed ${error?.message}`));
    await time.until(connection.start());
    const { connectionId } = connection;
    return connection;
  }
  return { hub, time, noticed, connect };
}

it.each([
  ["a plain connection", "/chat", false],
  ["one with a resume key", `/chat?resume=${KEY}`, false],
  ["a stateful one", "/chat", true],
])("ends %s, whose client comes back with a new token", async (_title, path, isStateful) => {
  const { hub, time, noticed, connect } = await serve();
  const connection = await connect(() => 2 * MINUTE, path, isStateful);
  const other = await connect(() => 60 * MINUTE);
  const { connectionId } = connection;
  await time.pass(2 * MINUTE - 1_000);
  expect(noticed).toEqual([]);
  await time.pass(1_000 + NOTICED);
  expect(noticed).toEqual([expect.stringContaining("reconnecting"), "reconnected new id"]);
  expect(hub.names(connectionId)).toEqual(["connected", "disconnected false token_expired"]);
  expect(await time.until(connection.invoke("echo", "here"))).toBe("here");
  expect(await time.until(other.invoke("echo", "unharmed"))).toBe("unharmed");
  // The new token has a time of its own.
  await time.pass(MINUTE);
  expect(noticed).toHaveLength(2);
});

it("tells a client nothing but that it may reconnect", async () => {
  const { hub, time } = await serve();
  const { service, network } = time;
  const accessTokenFactory = () => tokenOf({ exp: inSeconds(2 * MINUTE) });
  const connection = service.track(service.build("/chat", { ...network.options, accessTokenFactory }).build());
  const closed = closing(connection);
  await time.until(connection.start());
  await time.pass(MINUTE);
  const socket = await time.open(`/chat?access_token=${tokenOf({ exp: inSeconds(15_000) })}`);
  expect(await time.until(socket.handshake())).toEqual({});
  expect(await time.until(socket.next())).toEqual({ type: 7, allowReconnect: true });
  expect(await time.until(closed)).toBeUndefined();
  expect(hub.names()).toEqual(expect.arrayContaining(["disconnected false token_expired"]));
});

it("waits for the end of the token that came with the last resume", async () => {
  const { hub, time, noticed, connect } = await serve();
  const lifetimes = [2 * MINUTE, 2 * MINUTE, 4 * MINUTE, 10 * MINUTE, 10 * MINUTE];
  const connection = await connect(() => lifetimes.shift() ?? 10 * MINUTE, "/chat", true);
  const { connectionId } = connection;
  await time.pass(MINUTE);
  time.network.webSocket?.terminate();
  await time.pass(2 * MINUTE + NOTICED);
  expect(await time.until(connection.invoke("echo", "here"))).toBe("here");
  expect(noticed).toEqual([]);
  await time.pass(2 * MINUTE);
  expect(hub.names(connectionId).at(-1)).toBe("disconnected false token_expired");
});

it("leaves its time to a client that is away, and comes back with a new token", async () => {
  const { hub, time, noticed, connect } = await serve();
  const connection = await connect(() => 2 * MINUTE, `/chat?resume=${KEY}`);
  await time.pass(2 * MINUTE - 3_000);
  time.network.shut();
  time.network.webSocket?.terminate();
  await time.pass(15_000);
  time.network.open();
  await time.pass(NOTICED);
  expect(noticed).toEqual([expect.stringContaining("reconnecting"), "reconnected same id"]);
  expect(hub.names(connection.connectionId)).toEqual(["connected", "reconnected"]);
});

it("ends a connection while its method runs; the method's answer goes nowhere", async () => {
  const { hub, time, noticed, connect } = await serve();
  const connection = await connect(() => 2 * MINUTE);
  await time.pass(2 * MINUTE - 2_000);
  const answer = connection.invoke("work", "late");
  answer.catch(() => undefined);
  expect(await time.until(hub.started.next())).toBe("late");
  await time.pass(NOTICED);
  expect(noticed.at(-1)).toBe("reconnected new id");
  hub.goOn();
  await expect(time.until(answer)).rejects.toThrow("closed");
  expect(hub.names().filter((name) => name.startsWith("disconnected"))).toEqual(["disconnected false token_expired"]);
});

it("is not asked for by default", async () => {
  const { hub, time, noticed, connect } = await serve({ closeOnAuthenticationExpiration: false });
  await connect(() => MINUTE);
  await time.pass(3 * MINUTE);
  expect(noticed).toEqual([]);
  expect(hub.names()).toEqual(["connected"]);
});

it.each([["soon"], [null], [1e300], [undefined], [[1]], [{}]])("knows no end in an `exp` of %j", async (exp) => {
  const { hub, time } = await serve();
  const accessTokenFactory = () => tokenOf({ exp });
  const { service, network } = time;
  const connection = service.track(service.build("/chat", { ...network.options, accessTokenFactory }).build());
  await time.until(connection.start());
  await time.pass(2 * MINUTE);
  expect(await time.until(connection.invoke("echo", "here"))).toBe("here");
  expect(hub.names()).toEqual(["connected"]);
});

it("does not concern clients that nobody knows", async () => {
  const { hub, time } = await serve();
  const connection = time.service.track(time.service.build("/chat", time.network.options).build());
  await time.until(connection.start());
  await time.pass(2 * MINUTE);
  expect(hub.names()).toEqual(["connected"]);
});
