// Access tokens that `signalr-lambda/negotiate` issues, as the functions judge them.

import { hkdfSync } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { defineHub, defineService, type ServiceOptions } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { accessTokens } from "../../lambdas/auth/access-tokens.ts";
import { accessTokenBearer, connectionTokens } from "../../lambdas/auth/index.ts";
import type { Authenticate, AuthRequest, LogFields } from "../../lambdas/hub/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { recordingLog } from "../recording-log.ts";

const SECRET = "a secret of thirty-two characters";
const NOW = new FakeClock().now();
const HOUR = 3_600_000;
const TYP = "signalr-access+jwt";
const PURPOSE = "signalr-lambda access token";
const tokens = accessTokens(SECRET);

const issue = (claims: JWTPayload = { sub: "ada" }, { hub = "chat", issuedAt = NOW, expiresAt = NOW + HOUR } = {}) =>
  tokens.issue(claims, { hub, issuedAt, expiresAt });

type Asking = Partial<AuthRequest> & {
  readonly now?: number;
  readonly options?: Partial<ServiceOptions>;
  readonly auth?: Authenticate;
};

/** What is answered in the end, how often the user's own `auth` was asked, and what was logged. */
async function judge(token: string | undefined, { now = NOW, options = {}, auth, ...request }: Asking = {}) {
  const lines: LogFields[] = [];
  let asked = 0;
  const service = defineService({ hubs: { chat: defineHub()({ methods: {} }) }, ...options });
  const ports = { secret: SECRET, service, clock: new FakeClock(now), log: recordingLog(lines) };
  const own: Authenticate = (request) => {
    asked++;
    return auth?.(request) ?? null;
  };
  const given = { hubPath: "chat", headers: {}, query: {}, cookies: {}, sourceIp: undefined, token, ...request };
  return { claims: await accessTokenBearer(ports, own)(given), asked, lines };
}

describe("an access token", () => {
  it("says who somebody is, at a path in any case, and nobody else is asked", async () => {
    const token = await issue({ sub: "ada", role: ["Admin"], tier: { level: 3 } });
    for (const hubPath of ["chat", "Chat", "CHAT"]) {
      expect(await judge(token, { hubPath })).toEqual({
        claims: {
          sub: "ada",
          role: ["Admin"],
          tier: { level: 3 },
          aud: "chat",
          iat: NOW / 1000,
          exp: (NOW + HOUR) / 1000,
        },
        asked: 0,
        lines: [],
      });
    }
  });

  it("is good as long as it says, to five seconds", async () => {
    const token = await issue();
    const good = async (now: number) => (await judge(token, { now })).claims !== null;
    expect(await Promise.all([-5000, 0, HOUR, HOUR + 4000].map((after) => good(NOW + after)))).toEqual(
      Array(4).fill(true),
    );
    expect(await Promise.all([-6000, HOUR + 5000, 2 * HOUR].map((after) => good(NOW + after)))).toEqual(
      Array(3).fill(false),
    );
  });

  it("is good for a day, however long it says", async () => {
    const token = await issue({}, { expiresAt: NOW + 365 * 24 * HOUR });
    expect((await judge(token, { now: NOW + 24 * HOUR })).asked).toBe(0);
    expect((await judge(token, { now: NOW + 24 * HOUR + 6000 })).asked).toBe(1);
  });

  it("may hold names of Object's own", async () => {
    const claims = JSON.parse('{"__proto__":"x","constructor":"y","sub":"__proto__"}');
    const judgement = await judge(await issue(claims), { options: { claimTypes: { userIdentifier: ["id"] } } });
    expect(Object.entries(judgement.claims ?? {})).toEqual(
      expect.arrayContaining([
        ["__proto__", "x"],
        ["constructor", "y"],
        ["id", "__proto__"],
      ]),
    );
  });
});

describe("the user identifier", () => {
  it.each([
    [undefined, { sub: "ada" }, {}],
    [["sub"], { sub: "ada" }, {}],
    [["employee_id", "sub"], { sub: "ada" }, {}],
    [["employee_id"], { sub: "ada" }, { employee_id: "ada" }],
    [["employee_id", "sub"], { sub: "ada", employee_id: "7" }, { employee_id: "ada" }],
    [["employee_id", "email"], { sub: "ada", email: "a@b" }, { employee_id: "ada" }],
    [["employee_id"], { employee_id: "7" }, {}],
  ])("is the token's where a service looks for %j, and the claims are %j", async (userIdentifier, claims, more) => {
    const options = userIdentifier === undefined ? {} : { claimTypes: { userIdentifier } };
    const judgement = await judge(await issue(claims), { options });
    expect(judgement.claims).toEqual({ ...claims, ...more, aud: "chat", iat: NOW / 1000, exp: (NOW + HOUR) / 1000 });
  });
});

const sign = (key: Uint8Array, header: object = {}, claims: object = {}) =>
  new SignJWT({ sub: "ada", aud: "chat", iat: NOW / 1000, exp: NOW / 1000 + 60, ...claims })
    .setProtectedHeader({ alg: "HS256", typ: TYP, ...header })
    .sign(key);
const keyFor = (purpose: string, secret = SECRET) => new Uint8Array(hkdfSync("sha256", secret, "", purpose, 32));

describe("what is no access token", () => {
  it("differs from one by what is wrong with it alone", async () => {
    expect((await judge(await sign(keyFor(PURPOSE)))).asked).toBe(0);
  });

  it.each<[string, () => Promise<string>]>([
    ["of another secret", () => sign(keyFor(PURPOSE, `${SECRET}!`))],
    ["signed with the secret itself", () => sign(new TextEncoder().encode(SECRET))],
    ["signed with the key of connection tokens", () => sign(keyFor("signalr-lambda connection token"))],
    ["of another hub", () => issue({}, { hub: "admin" })],
    ["of a hub below it", () => issue({}, { hub: "chat/lobby" })],
    ["for another audience", () => sign(keyFor(PURPOSE), {}, { aud: "https://chat.example.com" })],
    ["for nobody in particular", () => sign(keyFor(PURPOSE), {}, { aud: undefined })],
    ["without an end", () => sign(keyFor(PURPOSE), {}, { exp: undefined })],
    ["without a beginning", () => sign(keyFor(PURPOSE), {}, { iat: undefined })],
    ["that has expired", () => issue({}, { issuedAt: NOW - HOUR, expiresAt: NOW - 6000 })],
    ["of the future", () => issue({}, { issuedAt: NOW + HOUR, expiresAt: NOW + 2 * HOUR })],
    ["with another algorithm", () => sign(keyFor(PURPOSE), { alg: "HS512" })],
    [
      "with alg none",
      async () => {
        const [, payload] = (await issue()).split(".");
        const header = Buffer.from(JSON.stringify({ alg: "none", typ: TYP })).toString("base64url");
        return `${header}.${payload}.`;
      },
    ],
    ["that was cut", async () => (await issue()).slice(0, -3)],
    [
      "with other claims",
      async () => {
        const [header, , signature] = (await issue()).split(".");
        return [header, (await issue({ sub: "eve" })).split(".")[1], signature].join(".");
      },
    ],
  ])("leaves the judgement to the user's own auth, and why is logged: one %s", async (_title, make) => {
    const token = await make();
    const { claims, asked, lines } = await judge(token, { auth: ({ token: seen }) => ({ seen }) });
    expect({ claims, asked }).toEqual({ claims: { seen: token }, asked: 1 });
    expect(lines).toEqual([expect.objectContaining({ level: "info", message: "An access token was refused." })]);
    expect(JSON.stringify(lines)).not.toContain(token);
  });

  it.each<[string, string | undefined | Promise<string>]>([
    ["none at all", undefined],
    ["an empty one", ""],
    ["garbage", "garbage"],
    ["garbage with points", "a.b.c"],
    ["a header that is no object", `${Buffer.from("[1]").toString("base64url")}.e30.`],
    ["a user's JWT", sign(keyFor("x"), { typ: "JWT" })],
    ["a user's JWT without a type, signed with our very key", sign(keyFor(PURPOSE), { typ: undefined })],
    ["a JWT without a signature", new UnsecuredJWT({ sub: "ada" }).encode()],
  ])("is not even looked at: %s", async (_title, token) => {
    expect(await judge(await token)).toEqual({ claims: null, asked: 1, lines: [] });
  });

  it("is a connection token, and the other way round", async () => {
    const connections = connectionTokens(SECRET);
    const connectionToken = await connections.issue({ hub: "chat", connectionId: "c", issuedAt: NOW, stateful: true });
    expect(await judge(connectionToken)).toEqual({ claims: null, asked: 1, lines: [] });
    const [header = "", payload = "", signature = ""] = (await issue()).split(".");
    for (const token of [`${payload}.${signature}`, `${header}.${payload}.${signature}`]) {
      expect(await connections.verify(token)).toBeUndefined();
    }
  });
});

describe("a token that has expired since", () => {
  const late = { now: NOW + 3 * HOUR };

  it("still counts for the connection that was negotiated with it", async () => {
    const token = await issue();
    expect(await judge(token, { ...late, negotiatedAt: NOW + HOUR })).toMatchObject({
      claims: { sub: "ada" },
      asked: 0,
    });
  });

  it.each([undefined, NOW + HOUR + 5000, NOW - 6000])("counts for no other, such as of %s", async (negotiatedAt) => {
    const token = await issue();
    expect(await judge(token, { ...late, negotiatedAt })).toMatchObject({ claims: null, asked: 1 });
  });

  it.each(["closeOnAuthenticationExpiration", "enableAuthenticationRefresh"])(
    "counts for none where it matters after that: %s",
    async (option) => {
      const asking = { ...late, negotiatedAt: NOW, options: { [option]: true } };
      expect(await judge(await issue(), asking)).toMatchObject({ claims: null, asked: 1 });
    },
  );

  it("counts for a connection of its own hub only", async () => {
    const token = await issue({}, { hub: "admin" });
    expect(await judge(token, { ...late, negotiatedAt: NOW })).toMatchObject({ claims: null, asked: 1 });
  });
});

it("is told from other JWTs by its type", async () => {
  const token = await issue();
  expect(decodeProtectedHeader(token)).toEqual({ alg: "HS256", typ: TYP });
  expect(decodeJwt(token)).toEqual({ sub: "ada", aud: "chat", iat: NOW / 1000, exp: (NOW + HOUR) / 1000 });
});

it.each(["", "fifteen letters"])("needs a secret that cannot be guessed: %j", (secret) => {
  expect(() => accessTokens(secret)).toThrow(
    new TypeError("The secret of access tokens must have at least 16 characters: shorter ones can be guessed."),
  );
});

it("fails where auth fails", async () => {
  const auth = () => Promise.reject(new Error("down"));
  await expect(judge(undefined, { auth })).rejects.toThrow("down");
});
