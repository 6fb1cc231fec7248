// An API of the user's own answers negotiate, on a server of its own, and sends stock clients on to the service.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import {
  DefaultHttpClient,
  HttpClient,
  type HttpRequest,
  HttpResponse,
  HubConnectionBuilder,
  type IHttpConnectionOptions,
  NullLogger,
} from "@microsoft/signalr";
import { SignJWT } from "jose";
import { type AuthRequest, defineHub, jwtBearer, type ServiceOptions } from "signalr-lambda";
import { createNegotiator, type NegotiateOptions } from "signalr-lambda/negotiate";
import { describe, expect, it, onTestFinished } from "vitest";
import { Arrivals, Refused } from "../local/local-gateway.ts";
import { RunningClock, type TestClock } from "./running-clock.ts";
import { type RunningService, serve } from "./running-service.ts";

const USERS_SECRET = "a shared secret of 32 characters or more";

const hub = defineHub()({
  authorize: true,
  methods: {
    whoAmI: ({ userIdentifier, user: { name, roles, claims } }) => ({ userIdentifier, name, roles, tier: claims.tier }),
    connectionId: ({ connectionId }) => connectionId,
    query: ({ request }) => ({ ...request.query }),
  },
});

/** What the API was asked. */
interface Asked {
  readonly url: string;
  readonly authorization: string | undefined;
}

/** Answers every `POST /…/negotiate` as `answer` says. */
async function openApi(answer: (request: IncomingMessage) => Promise<{ body: object; cookie?: string }>) {
  const asked = new Arrivals<Asked>();
  const server = createServer(async (request, response) => {
    asked.push({ url: request.url ?? "", authorization: request.headers.authorization });
    const { body, cookie } = await answer(request);
    const headers = { "content-type": "application/json", ...(cookie !== undefined && { "set-cookie": cookie }) };
    response.writeHead(200, headers).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://localhost:${(server.address() as AddressInfo).port}`, asked };
}

/** A service, and an API in front of it whose client is Ada. */
async function start(
  negotiation: Partial<NegotiateOptions> = {},
  options: Partial<ServiceOptions> = {},
  clock?: TestClock,
) {
  const service = await serve({ hubs: { chat: hub, "hubs/other": hub }, ...options }, clock);
  const { SIGNALR_URL: url, SIGNALR_TOKEN_SECRET: secret } = service.server.environment;
  const negotiator = createNegotiator({ url, secret, clock: service.clock });
  const ada = { hub: "chat", userIdentifier: "ada", claims: { name: "Ada", role: ["Admin"], tier: "gold" } };
  const negotiate = (more: Partial<NegotiateOptions> = {}) => negotiator.negotiate({ ...ada, ...negotiation, ...more });
  const api = await openApi(async ({ url = "" }) => ({ body: await negotiate({ requestUrl: url }) }));
  return { service, negotiate, api };
}

/** The unmodified client of the API. */
function build(service: RunningService, url: string, options: IHttpConnectionOptions = {}, isStateful = false) {
  const builder = new HubConnectionBuilder().withUrl(url, options).configureLogging(NullLogger.instance);
  return service.track((isStateful ? builder.withStatefulReconnect() : builder).withAutomaticReconnect([0]).build());
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

describe("a client that is redirected", () => {
  it("connects as the user whom the API knows, with the query of its URL", async () => {
    const { service, api } = await start();
    const connection = build(service, `${api.url}/chat?room=a%20b&__proto__=x`, {
      accessTokenFactory: () => "for the API alone",
    });
    await connection.start();
    expect(await connection.invoke("whoAmI")).toEqual({
      userIdentifier: "ada",
      name: "Ada",
      roles: ["Admin"],
      tier: "gold",
    });
    expect(await connection.invoke("query")).toEqual(JSON.parse('{"room":"a b","__proto__":"x"}'));
    expect(await connection.invoke("connectionId")).toBe(connection.connectionId);
    expect(api.asked.all).toEqual([
      { url: "/chat/negotiate?room=a+b&__proto__=x&negotiateVersion=1", authorization: "Bearer for the API alone" },
    ]);
  });

  it("begins at the API again when it reconnects, and when it is started again, with a token of its own", async () => {
    const { service, api } = await start();
    let times = 0;
    const connection = build(service, `${api.url}/chat`, { accessTokenFactory: () => `token ${++times}` });
    const reconnected = new Promise<void>((resolve) => connection.onreconnected(() => resolve()));
    await connection.start();
    const connectionId = await connection.invoke("connectionId");
    for (const { id } of service.server.transports()) service.server.faults.cut(id);
    await reconnected;
    expect(connection.connectionId).not.toBe(connectionId);
    expect(await connection.invoke("whoAmI")).toMatchObject({ userIdentifier: "ada" });
    await connection.stop();
    await connection.start();
    expect(await connection.invoke("whoAmI")).toMatchObject({ userIdentifier: "ada" });
    const url = "/chat/negotiate?negotiateVersion=1";
    expect(api.asked.all).toEqual(
      ["token 1", "token 2", "token 3"].map((token) => ({ url, authorization: `Bearer ${token}` })),
    );
  });

  it("keeps its connection by its resume key, which the API passes on", async () => {
    const { service, api } = await start({}, {}, new RunningClock());
    const connection = build(service, `${api.url}/chat?resume=${"k".repeat(32)}`);
    const reconnected = new Promise((resolve) => connection.onreconnected(resolve));
    await connection.start();
    const connectionId = await connection.invoke("connectionId");
    for (const { id } of service.server.transports()) service.server.faults.cut(id);
    expect(await reconnected).toBe(connectionId);
  });

  it("is told when the way goes on for ever", async () => {
    const service = await serve({ hubs: { chat: hub } });
    const api = await openApi(async ({ headers }) => ({ body: { url: `http://${headers.host}/chat` } }));
    await expect(build(service, `${api.url}/chat`).start()).rejects.toThrow("Negotiate redirection limit exceeded.");
    expect(api.asked.all).toHaveLength(100);
  });
});

describe("an access token", () => {
  it("counts at negotiate and at the socket, in the header and in the query, and with negotiation skipped", async () => {
    const { service, negotiate } = await start();
    const { accessToken } = await negotiate();
    const { connectionToken } = await service.offer("/chat", bearer(accessToken));
    for (const path of [
      `/chat?id=${connectionToken}&access_token=${accessToken}`,
      `/chat?access_token=${accessToken}`,
    ]) {
      expect(await (await service.open(path)).handshake()).toEqual({});
    }
    const client = await service.open("/CHAT", bearer(accessToken));
    expect(await client.handshake()).toEqual({});
  });

  it("opens no other hub, nothing after its time, and no connection of another user", async () => {
    const { service, negotiate } = await start();
    const { accessToken } = await negotiate();
    const { connectionToken } = await service.offer("/chat", bearer(accessToken));
    const eve = await negotiate({ userIdentifier: "eve" });
    await expect(service.open(`/chat?id=${connectionToken}`, bearer(eve.accessToken))).rejects.toThrow(
      new Refused(403),
    );
    expect((await service.negotiate("", bearer(accessToken), "/hubs/other")).status).toBe(401);
    await expect(service.open("/hubs/other", bearer(accessToken))).rejects.toThrow(new Refused(401));
    await service.clock.advance(3_600_000 + 6_000);
    expect((await service.negotiate("", bearer(accessToken))).status).toBe(401);
    await expect(service.open("/chat", bearer(accessToken))).rejects.toThrow(new Refused(401));
  });

  it("does not become good again by a connection token that is", async () => {
    const { service, negotiate } = await start({ expiresIn: 1000 });
    const { accessToken } = await negotiate();
    const { connectionToken } = await service.offer("/chat", bearer(accessToken));
    await service.clock.advance(7_000);
    const query = `?negotiateVersion=1&id=${connectionToken}`;
    expect((await service.negotiate(query, bearer(accessToken))).status).toBe(401);
    // Nor is a connection token of another hub one, or anything that looks like one.
    for (const id of [connectionToken.slice(0, -1), "constructor", ""]) {
      await expect(service.open(`/chat?id=${id}`, bearer(accessToken))).rejects.toThrow(new Refused(401));
    }
  });

  it("leaves users of auth as they are", async () => {
    const auth = jwtBearer({ secret: USERS_SECRET });
    const { service, negotiate, api } = await start({}, { auth });
    const accessTokenFactory = () =>
      new SignJWT({ sub: "eve", exp: service.clock.now() / 1000 + 60 })
        .setProtectedHeader({ alg: "HS256" })
        .sign(new TextEncoder().encode(USERS_SECRET));
    const direct = await service.connect("/chat", { accessTokenFactory });
    expect(await direct.invoke("whoAmI")).toMatchObject({ userIdentifier: "eve" });
    const redirected = build(service, `${api.url}/chat`, { accessTokenFactory });
    await redirected.start();
    expect(await redirected.invoke("whoAmI")).toMatchObject({ userIdentifier: "ada" });
    const { accessToken } = await negotiate({ hub: "hubs/other" });
    expect((await service.negotiate("", bearer(accessToken))).status).toBe(401);
    expect(service.lines.all.filter(({ message }) => message === "An access token was refused.")).toHaveLength(2);
  });

  it("is the one that the client goes on with when no URL comes with it", async () => {
    const { service, negotiate } = await start();
    const { accessToken } = await negotiate();
    // An API in front of the service, on the same host: it asks the service, and adds the token to its answer.
    class InFront extends HttpClient {
      readonly #client = new DefaultHttpClient(NullLogger.instance);

      async send(request: HttpRequest): Promise<HttpResponse> {
        const headers = { ...request.headers, Authorization: `Bearer ${accessToken}` };
        const { statusCode, statusText = "", content } = await this.#client.send({ ...request, headers });
        return new HttpResponse(
          statusCode,
          statusText,
          JSON.stringify({ ...JSON.parse(String(content)), accessToken }),
        );
      }
    }
    let times = 0;
    const accessTokenFactory = () => `for the API alone, ${++times}`;
    const connection = await service.connect("/chat", { httpClient: new InFront(), accessTokenFactory });
    expect(await connection.invoke("whoAmI")).toMatchObject({ userIdentifier: "ada" });
    expect(times).toBe(1);
  });
});

describe("a client with stateful reconnect", () => {
  it("resumes when the token that it was redirected with has expired: it has no other", async () => {
    const { service, api } = await start({ expiresIn: 1000 }, {}, new RunningClock());
    const connection = build(service, `${api.url}/chat`, {}, true);
    const noticed: string[] = [];
    connection.onreconnecting(() => noticed.push("reconnecting"));
    await connection.start();
    const connectionId = await connection.invoke("connectionId");
    await service.clock.advance(7_000);
    for (const { id } of service.server.transports()) service.server.faults.cut(id);
    expect(await connection.invoke("connectionId")).toBe(connectionId);
    expect(await connection.invoke("whoAmI")).toMatchObject({ userIdentifier: "ada", roles: ["Admin"] });
    expect(noticed).toEqual([]);
    expect(api.asked.all).toHaveLength(1);
  });

  it("begins anew, with a new token, where expiry matters", async () => {
    const { service, api } = await start(
      { expiresIn: 1000 },
      { enableAuthenticationRefresh: true },
      new RunningClock(),
    );
    const connection = build(service, `${api.url}/chat`, {}, true);
    const reconnected = new Promise((resolve) => connection.onreconnected(resolve));
    await connection.start();
    const connectionId = await connection.invoke("connectionId");
    await service.clock.advance(7_000);
    for (const { id } of service.server.transports()) service.server.faults.cut(id);
    expect(await reconnected).not.toBe(connectionId);
    expect(api.asked.all).toHaveLength(2);
  });
});

it("has the cookies of the answer with every request behind it, the socket's too", async () => {
  const seen: (string | undefined)[] = [];
  const auth = ({ cookies }: AuthRequest) => {
    seen.push(cookies.session);
    return cookies.session === undefined ? null : { sub: cookies.session };
  };
  const service = await serve({ hubs: { chat: hub }, auth });
  const body = { url: `${service.url}/chat` };
  const api = await openApi(async () => ({ body, cookie: "session=ada; Path=/; HttpOnly" }));
  const connection = build(service, `${api.url}/chat`);
  await connection.start();
  expect(await connection.invoke("whoAmI")).toMatchObject({ userIdentifier: "ada" });
  expect(seen).toEqual(["ada", "ada"]);
});
