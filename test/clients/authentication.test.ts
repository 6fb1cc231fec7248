// Who a client is, by header, query and cookie, and whom a hub turns away.

import { HttpTransportType } from "@microsoft/signalr";
import { SignJWT, UnsecuredJWT } from "jose";
import { type Authorize, defineHub, jwtBearer } from "signalr-lambda";
import { beforeAll, describe, expect, it } from "vitest";
import { FakeClock } from "../fake-clock.ts";
import { Refused } from "../local/local-gateway.ts";
import { type RunningService, serve, start } from "./running-service.ts";

const SECRET = "a shared secret of 32 characters or more";
const NOW = new FakeClock().now() / 1000;
const UNAUTHORIZED = "Failed to complete negotiation with the server: Error: Unauthorized: Status code '401'";
const FORBIDDEN = "Failed to complete negotiation with the server: Error: Forbidden: Status code '403'";

function hubFor(authorize?: Authorize) {
  return defineHub()({
    methods: {
      whoAmI: ({ userIdentifier, user: { isAuthenticated, roles } }) => ({ userIdentifier, isAuthenticated, roles }),
    },
    ...(authorize && { authorize }),
  });
}

const hubs = { open: hubFor(), members: hubFor(true), admins: hubFor({ roles: ["Admin", "Owner"] }) };

const anonymous = { isAuthenticated: false, roles: [] };
const ada = { userIdentifier: "ada", isAuthenticated: true, roles: [] };

describe("a bearer token", () => {
  let service: RunningService;
  beforeAll(async () => {
    service = await start({ hubs, auth: jwtBearer({ secret: SECRET, issuer: "me", audience: "chat" }) });
    return () => service.close();
  });

  it.each(["/open", "/members"])("says who the client of %s is", async (path) => {
    const accessTokenFactory = () => sign({});
    expect(await (await service.connect(path, { accessTokenFactory })).invoke("whoAmI")).toEqual(ada);
  });

  it("counts in the query as well", async () => {
    const connection = await service.connect(`/members?access_token=${await sign({})}`);
    expect(await connection.invoke("whoAmI")).toEqual(ada);
  });

  it("in the header counts before one in the query", async () => {
    const connection = await service.connect(`/members?access_token=${await sign({ sub: "eve" })}`, {
      accessTokenFactory: () => sign({}),
    });
    expect(await connection.invoke("whoAmI")).toEqual(ada);
  });

  it("is needed at the socket, when negotiation is skipped", async () => {
    const options = { skipNegotiation: true, transport: HttpTransportType.WebSockets };
    const connection = await service.connect("/members", { ...options, accessTokenFactory: () => sign({}) });
    expect(await connection.invoke("whoAmI")).toEqual(ada);
    await expect(service.open("/members")).rejects.toThrow(new Refused(401));
  });

  describe.each<[string, () => string | Promise<string>]>([
    ["none", () => ""],
    ["that has expired", () => sign({ exp: NOW - 6 })],
    ["without an end", () => sign({ exp: undefined })],
    ["that somebody else signed", () => sign({}, `${SECRET}!`)],
    ["with alg none", () => new UnsecuredJWT({ sub: "ada", iss: "me", aud: "chat", exp: NOW + 60 }).encode()],
    ["of another issuer", () => sign({ iss: "them" })],
    ["for another audience", () => sign({ aud: "mail" })],
    ["that is garbage", () => "garbage"],
  ])("%s", (_title, accessTokenFactory) => {
    it("is nobody on an open hub", async () => {
      const connection = await service.connect("/open", { accessTokenFactory });
      expect(await connection.invoke("whoAmI")).toEqual(anonymous);
    });

    it.each(["/members", "/admins"])("is a 401 at %s", async (path) => {
      await expect(service.connect(path, { accessTokenFactory })).rejects.toThrow(exactly(UNAUTHORIZED));
      await expect(service.open(`${path}?access_token=${await accessTokenFactory()}`)).rejects.toThrow(
        new Refused(401),
      );
    });
  });

  it.each<[readonly string[] | string | undefined]>([[undefined], [[]], ["User"], [["admin", "User"]]])(
    "with the roles %j is a 403 where another role is needed",
    async (role) => {
      const accessTokenFactory = () => sign({ role });
      await expect(service.connect("/admins", { accessTokenFactory })).rejects.toThrow(exactly(FORBIDDEN));
    },
  );

  it.each<[readonly string[] | string]>([["Owner"], [["User", "Admin"]]])("with the roles %j opens", async (role) => {
    const connection = await service.connect("/admins", { accessTokenFactory: () => sign({ role }) });
    expect(await connection.invoke("whoAmI")).toMatchObject({ roles: [role].flat() });
  });

  it("binds the connection that negotiate hands out to its user", async () => {
    const bearer = async (claims: object) => ({ headers: { authorization: `Bearer ${await sign(claims)}` } });
    const { connectionToken } = await service.offer("/open", await bearer({}));
    const path = `/open?id=${connectionToken}`;
    await expect(service.open(path)).rejects.toThrow(new Refused(401));
    await expect(service.open(path, await bearer({ sub: "eve" }))).rejects.toThrow(new Refused(403));
    expect(await (await service.open(path, await bearer({}))).handshake()).toEqual({});
  });
});

describe("auth of one's own", () => {
  it("reads cookies, at negotiate and at connect", async () => {
    const service = await serve({ hubs, auth: ({ cookies }) => (cookies.session ? { sub: cookies.session } : null) });
    const connection = await service.connect("/members", { headers: { Cookie: "theme=dark; session=ada" } });
    expect(await connection.invoke("whoAmI")).toEqual(ada);
    await expect(service.connect("/members")).rejects.toThrow(exactly(UNAUTHORIZED));
  });

  it("that fails lets nobody in, and is logged", async () => {
    const error = new Error("The directory is down.");
    const service = await serve({ hubs, auth: () => Promise.reject(error) });
    await expect(service.connect("/open")).rejects.toThrow("Authentication is not available: Status code '500'");
    expect(service.lines.all.filter(({ level }) => level === "error")).toMatchObject([{ error }]);
  });
});

describe("a page's origin", () => {
  const APP = "https://app.example.com";
  let service: RunningService;
  beforeAll(async () => {
    service = await start({ hubs, allowedOrigins: [APP] });
    return () => service.close();
  });

  it("that is listed may negotiate with credentials, and connect", async () => {
    const response = await service.negotiate("", { headers: { origin: APP } }, "/open");
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBe(APP);
    expect(response.headers.get("access-control-allow-credentials")).toBe("true");
    expect(response.headers.get("vary")).toBe("Origin");
    const client = await service.open("/open", { origin: APP });
    expect(await client.handshake()).toEqual({});
  });

  it.each(["https://evil.example.com", "https://app.example.com.evil.com", "http://app.example.com", "null"])(
    "that is not listed may neither, and the log says which option would allow it: %s",
    async (origin) => {
      const before = service.lines.all.length;
      const response = await service.negotiate("", { headers: { origin } }, "/open");
      expect(response.status).toBe(403);
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
      await expect(service.open("/open", { origin })).rejects.toThrow(new Refused(403));
      const refused = { level: "warn", origin, message: expect.stringContaining("allowedOrigins") };
      const warnings = service.lines.all.slice(before).filter(({ level }) => level === "warn");
      expect(warnings).toMatchObject([refused, refused]);
    },
  );

  it("is asked before every request a browser would preflight", async () => {
    const headers = { origin: APP, "access-control-request-headers": "authorization,x-requested-with,x-own" };
    const response = await service.negotiate("", { method: "OPTIONS", headers }, "/open");
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-headers")).toBe("authorization,x-requested-with,x-own");
    expect(response.headers.get("access-control-allow-methods")).toBe("GET, POST, DELETE, OPTIONS");
    expect(response.headers.get("access-control-allow-credentials")).toBe("true");
    const refused = await service.negotiate("", { method: "OPTIONS", headers: { origin: "https://evil" } }, "/open");
    expect(refused.status).toBe(403);
    expect(refused.headers.get("access-control-allow-origin")).toBeNull();
  });

  it("of the same host may connect when there is no list, others may not", async () => {
    const own = await serve({ hubs });
    expect(await (await own.open("/open", { origin: own.url })).handshake()).toEqual({});
    await expect(own.open("/open", { origin: APP })).rejects.toThrow(new Refused(403));
  });

  it("may be any with *", async () => {
    const anyones = await serve({ hubs, allowedOrigins: ["*"] });
    const response = await anyones.negotiate("", { headers: { origin: APP } }, "/open");
    expect(response.headers.get("access-control-allow-origin")).toBe(APP);
  });
});

/** A token of Ada's that is good but for what `claims` says. */
function sign(claims: object, secret = SECRET): Promise<string> {
  return new SignJWT({ sub: "ada", iss: "me", aud: "chat", exp: NOW + 60, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(secret));
}

/** Vitest looks for a part of a message unless it is given an expression. */
function exactly(message: string): RegExp {
  return new RegExp(`^${message.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
}
