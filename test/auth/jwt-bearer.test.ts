import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { base64url, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { jwtAuthenticator } from "../../lambdas/auth/index.ts";
import type { AuthRequest, JwtBearerOptions, LogFields } from "../../lambdas/hub/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { recordingLog } from "../recording-log.ts";

const SECRET = "a shared secret of 32 characters or more";
const ISSUER = "https://id.example.com/";
const NOW = Date.UTC(2026, 0, 1);
const SECONDS = NOW / 1000;
const lines: LogFields[] = [];
const good = { sub: "ada", iss: ISSUER, aud: "chat", exp: SECONDS + 60 };

it("says in the log why a token was refused, and never the token", async () => {
  lines.splice(0);
  const token = await hmac({ ...good, exp: SECONDS - 60 });
  expect(await claimsOf({ secret: SECRET }, token)).toBeNull();
  expect(lines).toMatchObject([{ message: "An access token was refused.", code: "ERR_JWT_EXPIRED" }]);
  expect(JSON.stringify(lines)).not.toContain(token.split(".")[1]);
});

describe("a token signed with the shared secret", () => {
  const options: JwtBearerOptions = { secret: SECRET, issuer: ISSUER, audience: "chat" };

  it.each(["HS256", "HS384", "HS512"])("verifies with %s", async (alg) => {
    expect(await claimsOf(options, await hmac(good, { alg }))).toStrictEqual(good);
  });

  it.each<[string, object]>([
    ["with several audiences, one of them ours", { ...good, aud: ["mail", "chat"] }],
    ["that expired within the tolerance", { ...good, exp: SECONDS - 4 }],
    ["that is valid from within the tolerance", { ...good, nbf: SECONDS + 4 }],
    ["with claims of every type", { ...good, roles: ["Admin"], nested: { deep: [1, null, true] } }],
  ])("verifies %s", async (_title, payload) => {
    expect(await claimsOf(options, await hmac(payload))).toStrictEqual(payload);
  });

  it.each<[string, object]>([
    ["that has expired", { ...good, exp: SECONDS - 6 }],
    ["without exp", { ...good, exp: undefined }],
    ["whose exp is text", { ...good, exp: String(SECONDS + 60) }],
    ["that is not valid yet", { ...good, nbf: SECONDS + 6 }],
    ["of another issuer", { ...good, iss: "https://evil.example.com/" }],
    ["without issuer", { ...good, iss: undefined }],
    ["whose issuer is a list", { ...good, iss: [ISSUER] }],
    ["for another audience", { ...good, aud: "mail" }],
    ["without audience", { ...good, aud: undefined }],
    ["whose audience is no text", { ...good, aud: { chat: true } }],
  ])("is nobody's when it is one %s", async (_title, payload) => {
    expect(await claimsOf(options, await hmac(payload))).toBeNull();
  });

  it.each<[string, () => string | undefined | Promise<string>]>([
    ["no token", () => undefined],
    ["an empty token", () => ""],
    ["garbage", () => "not.a.token"],
    ["garbage of text beyond ASCII", () => "é.ü.😀"],
    ["alg none", () => new UnsecuredJWT(good).encode()],
    ["alg none and a signature", () => `${base64url.encode('{"alg":"none"}')}.${encoded(good)}.AAAA`],
    ["another secret", () => hmac(good, { secret: `${SECRET}!` })],
    ["a truncated signature", async () => (await hmac(good)).slice(0, -4)],
    ["a changed payload", async () => (await hmac(good)).replace(/\.[^.]+\./, `.${encoded({ ...good, sub: "eve" })}.`)],
    ["an unknown critical header", () => hmac(good, { crit: ["x"], x: true })],
    ["an unencoded payload", () => hmac(good, { crit: ["b64"], b64: false })],
    ["an asymmetric algorithm", async () => (await keyPair("RS256", "k")).sign(good)],
    ["five parts, as an encrypted one", () => "e30.AAAA.AAAA.AAAA.AAAA"],
    ["a payload that is no object", () => hmac(["ada"])],
    ["more length than any gateway lets through", () => hmac({ ...good, padding: "x".repeat(10_000) })],
  ])("is nobody's with %s", async (_title, token) => {
    expect(await claimsOf(options, await token())).toBeNull();
  });

  it("is judged by the clock it was given", async () => {
    const clock = new FakeClock(NOW);
    const authenticate = jwtAuthenticator({ secret: SECRET, clockTolerance: 0 }, clock, recordingLog(lines));
    const token = await hmac(good);
    await clock.advance(59_999);
    expect(await authenticate(request(token))).toStrictEqual(good);
    await clock.advance(1);
    expect(await authenticate(request(token))).toBeNull();
  });

  it("takes a tolerance in milliseconds", async () => {
    const expired = await hmac({ ...good, exp: SECONDS - 59 });
    expect(await claimsOf({ ...options, clockTolerance: 60_000 }, expired)).not.toBeNull();
    expect(await claimsOf({ ...options, clockTolerance: 59_000 }, expired)).toBeNull();
  });

  it("may come from any of several issuers for any of several audiences", async () => {
    const several = { secret: SECRET, issuer: ["https://a/", ISSUER], audience: ["mail", "chat"] } as const;
    expect(await claimsOf(several, await hmac(good))).toStrictEqual(good);
    expect(await claimsOf(several, await hmac({ ...good, iss: "https://b/" }))).toBeNull();
  });

  it("needs neither issuer nor audience when none is asked for", async () => {
    expect(await claimsOf({ secret: SECRET }, await hmac({ exp: good.exp }))).toStrictEqual({ exp: good.exp });
  });

  it("keeps hostile claim names as data", async () => {
    const hostile = `{"exp":${good.exp},"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}`;
    const claims = await claimsOf({ secret: SECRET }, await hmac(hostile));
    expect(Object.keys(claims ?? {})).toStrictEqual(["exp", "__proto__", "constructor"]);
    expect(claims).not.toHaveProperty("admin");
    expect({}).not.toHaveProperty("admin");
  });

  it("is answered for any text without throwing (property)", async () => {
    const authenticate = jwtAuthenticator(options, new FakeClock(NOW), recordingLog(lines));
    const json = fc.oneof(
      fc.json(),
      fc
        .record({ alg: fc.constantFrom("HS256", "none", "RS256", "__proto__", "constructor"), crit: fc.json() })
        .map((h) => JSON.stringify(h)),
    );
    const segment = fc.oneof(
      fc.string(),
      json.map((text) => base64url.encode(text)),
    );
    const anything = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.tuple(segment, segment, segment).map((parts) => parts.join(".")),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (token) => {
        expect(await authenticate(request(token))).toBeNull();
      }),
    );
  });
});

describe("a token signed with a key of a key set", () => {
  const provider = identityProvider();
  beforeAll(() => provider.listen());
  afterAll(() => provider.close());
  afterEach(() => void vi.useRealTimers());

  it.each(["RS256", "PS512", "ES256", "ES384", "EdDSA"])("verifies with %s", async (alg) => {
    const pair = await keyPair(alg, "key-1");
    provider.publish(pair.jwk);
    expect(await claimsOf(provider.options(), await pair.sign(good))).toStrictEqual(good);
  });

  it.each<[string, (pair: KeyPair) => string | Promise<string>]>([
    ["has expired", (pair) => pair.sign({ ...good, exp: SECONDS - 6 })],
    ["has no exp", (pair) => pair.sign({ ...good, exp: undefined })],
    ["is of another issuer", (pair) => pair.sign({ ...good, iss: "https://evil.example.com/" })],
    ["is for another audience", (pair) => pair.sign({ ...good, aud: "mail" })],
    ["is signed with another key of the same kid", async () => (await keyPair("RS256", "key-1")).sign(good)],
    [
      "takes the public key for a shared secret",
      async (pair) => hmac(good, { secret: await exportSPKI(pair.publicKey) }),
    ],
    [
      "takes the public JWK for a shared secret",
      (pair) => hmac(good, { secret: JSON.stringify(pair.jwk), kid: "key-1" }),
    ],
    [
      "brings its own key along",
      async () => {
        const own = await keyPair("RS256", "own");
        return own.sign(good, { kid: "key-1", jwk: own.jwk });
      },
    ],
    [
      "brings its own key set along",
      async () => (await keyPair("RS256", "own")).sign(good, { jku: "http://127.0.0.1:9/" }),
    ],
    ["says alg none", () => new UnsecuredJWT(good).encode()],
  ])("is nobody's when it %s", async (_title, token) => {
    const pair = await keyPair("RS256", "key-1");
    provider.publish(pair.jwk);
    expect(await claimsOf(provider.options(), await token(pair))).toBeNull();
  });

  it("is told by garbage and forbidden algorithms without asking the provider", async () => {
    const authenticate = jwtAuthenticator(provider.options(), new FakeClock(NOW), recordingLog(lines));
    const before = provider.requests();
    for (const token of ["garbage", "a.b.c", new UnsecuredJWT(good).encode(), await hmac(good)]) {
      expect(await authenticate(request(token))).toBeNull();
    }
    expect(provider.requests()).toBe(before);
  });

  it("asks the provider once for many tokens", async () => {
    const pair = await keyPair("ES256", "key-1");
    provider.publish(pair.jwk);
    const authenticate = jwtAuthenticator(provider.options(), new FakeClock(NOW), recordingLog(lines));
    const before = provider.requests();
    const token = await pair.sign(good);
    const answers = await Promise.all(Array.from({ length: 20 }, () => authenticate(request(token))));
    expect(answers).toStrictEqual(Array.from({ length: 20 }, () => good));
    expect(provider.requests()).toBe(before + 1);
  });

  it("verifies with a key that was rotated in, and no longer with the one rotated out", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: NOW });
    const [old, fresh] = [await keyPair("ES256", "old"), await keyPair("ES256", "fresh")];
    provider.publish(old.jwk);
    const authenticate = jwtAuthenticator(provider.options(), new FakeClock(NOW), recordingLog(lines));
    expect(await authenticate(request(await old.sign(good)))).toStrictEqual(good);

    provider.publish(fresh.jwk);
    vi.setSystemTime(NOW + 31_000);
    expect(await authenticate(request(await fresh.sign(good)))).toStrictEqual(good);
    expect(await authenticate(request(await old.sign(good)))).toBeNull();
  });

  it("is nobody's when its kid is unknown also to a fresh key set", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: NOW });
    const [known, unknown] = [await keyPair("ES256", "known"), await keyPair("ES256", "unknown")];
    provider.publish(known.jwk);
    const authenticate = jwtAuthenticator(provider.options(), new FakeClock(NOW), recordingLog(lines));
    await authenticate(request(await known.sign(good)));
    vi.setSystemTime(NOW + 31_000);
    const before = provider.requests();
    for (let attempt = 0; attempt < 10; attempt++) {
      expect(await authenticate(request(await unknown.sign(good)))).toBeNull();
    }
    expect(provider.requests(), "unknown keys cannot make us flood the provider").toBe(before + 1);
  });

  it("verifies without kid when any of several keys fits", async () => {
    const [one, two, three] = [await keyPair("ES256", "1"), await keyPair("ES256", "2"), await keyPair("ES256", "3")];
    provider.publish(one.jwk, two.jwk);
    expect(await claimsOf(provider.options(), await two.sign(good, { kid: undefined }))).toStrictEqual(good);
    expect(await claimsOf(provider.options(), await three.sign(good, { kid: undefined }))).toBeNull();
  });

  it.each<[string, number, string]>([
    ["answers 500", 500, "{}"],
    ["answers 404", 404, "not found"],
    ["redirects", 302, ""],
    ["answers garbage", 200, "<html>"],
    ["answers JSON that is no key set", 200, '{"keys":{}}'],
    ["answers an empty document", 200, ""],
    ["publishes a key that is none", 200, '{"keys":[{"kty":"EC","crv":"P-256","kid":"key-1","x":"AA","y":"AA"}]}'],
    ["publishes a private key", 200, '{"keys":[{"kty":"oct","k":"AAAA"},null]}'],
  ])("cannot be judged when the provider %s", async (_title, status, body) => {
    const pair = await keyPair("ES256", "key-1");
    provider.answer(status, body);
    const judgement = claimsOf(provider.options(), await pair.sign(good));
    await expect(judgement).rejects.toMatchObject({
      name: "JwksUnavailableError",
      code: "jwks_unavailable",
      message: expect.stringContaining(provider.options().jwksUri),
      cause: expect.any(Error),
    });
  });

  it("cannot be judged when nobody listens, and can as soon as somebody does", async () => {
    const late = identityProvider();
    await late.listen();
    const pair = await keyPair("ES256", "key-1");
    late.publish(pair.jwk);
    const authenticate = jwtAuthenticator(late.options(), new FakeClock(NOW), recordingLog(lines));
    const port = await late.close();
    await expect(authenticate(request(await pair.sign(good)))).rejects.toMatchObject({
      code: "jwks_unavailable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    await late.listen(port);
    expect(await authenticate(request(await pair.sign(good)))).toStrictEqual(good);
    await late.close();
  });
});

function request(token: string | undefined): AuthRequest {
  return { hubPath: "chat", headers: {}, query: {}, cookies: {}, sourceIp: undefined, token };
}

const claimsOf = async (options: JwtBearerOptions, token: string | undefined) =>
  jwtAuthenticator(options, new FakeClock(NOW), recordingLog(lines))(request(token));

const encoded = (payload: unknown) => base64url.encode(JSON.stringify(payload));

/** Signed by hand where jose would refuse to: text is taken as it is. */
async function hmac(payload: unknown, header: { secret?: string; [name: string]: unknown } = {}): Promise<string> {
  const { secret = SECRET, ...rest } = header;
  const fields = { alg: "HS256", ...rest };
  const hash = `SHA-${fields.alg.slice(2)}`;
  const raw = new TextEncoder().encode(secret);
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash }, false, ["sign"]);
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  const input = `${encoded(fields)}.${base64url.encode(text)}`;
  const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(input));
  return `${input}.${base64url.encode(new Uint8Array(signature))}`;
}

type KeyPair = Awaited<ReturnType<typeof keyPair>>;

async function keyPair(alg: string, kid: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, use: "sig" };
  const sign = (payload: object, header: object = {}) =>
    new SignJWT({ ...payload }).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
  return { publicKey, jwk, sign };
}

/** An identity provider that publishes keys, or fails to. */
function identityProvider() {
  let answer = { status: 200, body: '{"keys":[]}' };
  let requests = 0;
  const server = createServer((_request, response) => {
    requests++;
    response.writeHead(answer.status, { connection: "close", location: "/elsewhere" }).end(answer.body);
  });
  const port = () => (server.address() as AddressInfo).port;
  let uri = "";
  return {
    async listen(at = 0) {
      server.listen(at, "127.0.0.1");
      await once(server, "listening");
      uri = `http://127.0.0.1:${port()}/jwks.json`;
    },
    async close() {
      const last = port();
      server.close();
      await once(server, "close");
      return last;
    },
    options: () => ({ jwksUri: uri, issuer: ISSUER, audience: "chat" }),
    publish(...keys: JWK[]) {
      answer = { status: 200, body: JSON.stringify({ keys }) };
    },
    answer(status: number, body: string) {
      answer = { status, body };
    },
    requests: () => requests,
  };
}
