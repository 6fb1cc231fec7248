import { hkdfSync } from "node:crypto";
import fc from "fast-check";
import { base64url, CompactSign, SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import { connectionTokens } from "../../lambdas/auth/index.ts";
import type { ConnectionTokenClaims } from "../../lambdas/hub/index.ts";

const SECRET = "a secret of thirty-two characters";
const tokens = connectionTokens(SECRET);
const claims: ConnectionTokenClaims = {
  hub: "chat",
  connectionId: "mQvXl0mB3vYwqkTz9bW8-A",
  stateful: false,
  userIdentifier: "ada",
  issuedAt: Date.UTC(2026, 0, 1),
};

describe("a connection token", () => {
  it.each<[string, ConnectionTokenClaims]>([
    ["with a user", claims],
    ["without a user", { hub: "chat", connectionId: "c", stateful: false, issuedAt: 0 }],
    ["of a stateful client", { ...claims, stateful: true }],
    ["of a stateful client without a user", { hub: "chat", connectionId: "c", stateful: true, issuedAt: 0 }],
    ["with an empty user, which is not none", { ...claims, userIdentifier: "" }],
    ["with text of every plane", { ...claims, hub: "hubs/notifications", userIdentifier: "Zoë 😀 \u0000 \ud800" }],
    [
      "with names of Object's own",
      { hub: "constructor", connectionId: "__proto__", stateful: false, userIdentifier: "toString", issuedAt: 1 },
    ],
  ])("carries its claims %s", async (_title, given) => {
    expect(await tokens.verify(await tokens.issue(given))).toStrictEqual(given);
  });

  it("carries any claims (property)", async () => {
    const any = fc.record(
      {
        hub: fc.string({ unit: "binary" }),
        connectionId: fc.string(),
        userIdentifier: fc.string({ unit: "binary" }),
        issuedAt: fc.maxSafeNat(),
        stateful: fc.boolean(),
      },
      { requiredKeys: ["hub", "connectionId", "issuedAt", "stateful"], noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(any, async (given) => {
        expect(await tokens.verify(await tokens.issue(given as ConnectionTokenClaims))).toStrictEqual(given);
      }),
    );
  });

  it("is another one for a client that counts", async () => {
    expect(await tokens.issue({ ...claims, stateful: true })).not.toBe(await tokens.issue(claims));
  });

  it("is short and needs no escaping in a URL", async () => {
    const token = await tokens.issue(claims);
    expect(encodeURIComponent(token)).toBe(token);
    expect(token.length).toBeLessThan(120);
  });

  it("verifies wherever the secret is the same", async () => {
    expect(await connectionTokens(SECRET).verify(await tokens.issue(claims))).toStrictEqual(claims);
  });
});

describe("verify", () => {
  it("finds every single character that was changed", async () => {
    const token = await tokens.issue(claims);
    for (let index = 0; index < token.length; index++) {
      for (const other of ["A", "B", "_", ".", " ", "="]) {
        if (token[index] === other) continue;
        const forged = token.slice(0, index) + other + token.slice(index + 1);
        expect(await tokens.verify(forged), forged).toBeUndefined();
      }
    }
  });

  it("finds every truncation", async () => {
    const token = await tokens.issue(claims);
    for (let length = 0; length < token.length; length++) {
      expect(await tokens.verify(token.slice(0, length))).toBeUndefined();
      expect(await tokens.verify(token.slice(token.length - length))).toBeUndefined();
    }
  });

  it("takes one spelling of a signature only", async () => {
    const token = await tokens.issue(claims);
    const last = token.charCodeAt(token.length - 1);
    expect(await tokens.verify(token.slice(0, -1) + String.fromCharCode(last + 1))).toBeUndefined();
    expect(await tokens.verify(`${token} `)).toBeUndefined();
    expect(await tokens.verify(`${token}\n`)).toBeUndefined();
    expect(await tokens.verify(`${token}=`)).toBeUndefined();
  });

  it.each<[string, () => Promise<string>]>([
    ["of another secret", () => connectionTokens(`${SECRET}!`).issue(claims)],
    ["that is a user's JWT of the same secret", () => userJwt(new TextEncoder().encode(SECRET))],
    [
      "that is a user's JWT without its header",
      async () => withoutHeader(await userJwt(new TextEncoder().encode(SECRET))),
    ],
    ["that is a user's JWT made with the derived key", async () => withoutHeader(await userJwt(derivedKey()))],
    ["without a signature", async () => new UnsecuredJWT({ hub: "chat" }).encode()],
    ["with its header put back", async () => `${base64url.encode('{"alg":"HS256"}')}.${await tokens.issue(claims)}`],
    ["with alg none put before it", async () => `${base64url.encode('{"alg":"none"}')}.${await tokens.issue(claims)}`],
    ["longer than a URL may be", () => tokens.issue({ ...claims, userIdentifier: "u".repeat(5000) })],
  ])("refuses a token %s", async (_title, token) => {
    expect(await tokens.verify(await token())).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ["an object", claims],
    ["null", null],
    ["no connection id", ["chat"]],
    ["a hub that is no text", [1, "c", 0, 0]],
    ["a connection id that is no text", ["chat", { toString: "c" }, 0, 0]],
    ["a time that is text", ["chat", "c", "0", 0]],
    ["a time that is no whole number", ["chat", "c", 0.5, 0]],
    ["nothing about counting, as before there was any", ["chat", "c", 0]],
    ["a user where it should say whether its client counts", ["chat", "c", 0, "ada"]],
    ["a truth for a number", ["chat", "c", 0, true]],
    ["a number that says nothing", ["chat", "c", 0, 2]],
    ["a user that is null", ["chat", "c", 0, 0, null]],
    ["a user that is a list", ["chat", "c", 0, 0, ["ada"]]],
  ])("refuses a well signed token that holds %s", async (_title, payload) => {
    expect(await tokens.verify(await signed(["chat", "c", 0, 1, "ada"]))).toBeDefined();
    expect(await tokens.verify(await signed(payload))).toBeUndefined();
  });

  it("answers any text without throwing (property)", async () => {
    const segment = fc.string({ unit: fc.constantFrom(..."ABCxyz019-_") });
    const anything = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.tuple(segment, segment).map((parts) => parts.join(".")),
      fc
        .tuple(segment, fc.string({ unit: fc.constantFrom(..."AEIMwz048-_"), minLength: 43, maxLength: 43 }))
        .map((p) => p.join(".")),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (token) => {
        expect(await tokens.verify(token)).toBeUndefined();
      }),
    );
  });
});

describe("connectionTokens", () => {
  it.each(["", "fifteen letters"])("refuses the secret '%s', which can be guessed", (secret) => {
    expect(() => connectionTokens(secret)).toThrow(TypeError);
  });
});

/** What only someone who reads the source and knows the secret can make. */
const derivedKey = () => new Uint8Array(hkdfSync("sha256", SECRET, "", "signalr-lambda connection token", 32));

async function signed(payload: unknown): Promise<string> {
  const signer = new CompactSign(new TextEncoder().encode(JSON.stringify(payload)));
  return withoutHeader(await signer.setProtectedHeader({ alg: "HS256", typ: "signalr-connection" }).sign(derivedKey()));
}

function userJwt(key: Uint8Array): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg: "HS256", typ: "JWT" }).setExpirationTime("1h").sign(key);
}

const withoutHeader = (jws: string) => jws.slice(jws.indexOf(".") + 1);

describe("the name of a resume key", () => {
  const KEY = "0123456789abcdef0123456789abcdef";

  it("is the same each time, and does not show the key", async () => {
    const name = await tokens.nameOfKey("chat", "ada", KEY);
    expect(await connectionTokens(SECRET).nameOfKey("chat", "ada", KEY)).toBe(name);
    expect(name).toMatch(/^[\w-]{43}$/);
    expect(name).not.toContain(KEY);
  });

  it.each<[string, string, string | undefined, string]>([
    ["hub", "other", "ada", KEY],
    ["user", "chat", "bob", KEY],
    ["user, who is nobody", "chat", undefined, KEY],
    ["user, who is empty", "chat", "", KEY],
    ["key", "chat", "ada", KEY.toUpperCase()],
  ])("is another one for another %s", async (_title, hub, user, key) => {
    expect(await tokens.nameOfKey(hub, user, key)).not.toBe(await tokens.nameOfKey("chat", "ada", KEY));
  });

  it("tells nobody from somebody without a name", async () => {
    expect(await tokens.nameOfKey("chat", undefined, KEY)).not.toBe(await tokens.nameOfKey("chat", "", KEY));
  });

  it("is another one under another secret", async () => {
    const others = connectionTokens("another secret of at least 32 characters");
    expect(await others.nameOfKey("chat", "ada", KEY)).not.toBe(await tokens.nameOfKey("chat", "ada", KEY));
  });
});
