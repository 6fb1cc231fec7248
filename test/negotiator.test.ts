import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { decodeJwt } from "jose";
import { createNegotiator, type NegotiateOptions, type NegotiatorOptions } from "signalr-lambda/negotiate";
import { afterEach, describe, expect, it, vi } from "vitest";
import { FakeClock } from "./fake-clock.ts";

const clock = new FakeClock();
const SECONDS = clock.now() / 1000;
const OPTIONS = { url: "https://d123.cloudfront.net", secret: "a-secret-of-at-least-16-characters", clock };
const negotiator = createNegotiator(OPTIONS);

/** What code without types may ask for. */
const negotiate = negotiator.negotiate as (options: unknown) => ReturnType<typeof negotiator.negotiate>;
const urlOf = async (requestUrl: string) => (await negotiator.negotiate({ hub: "chat", requestUrl })).url;

afterEach(() => void vi.unstubAllEnvs());

describe("negotiate", () => {
  it("answers where the service is, and with a token that says who the client is", async () => {
    const claims = { role: ["Admin"], name: "Ada", tier: { level: 3 } };
    const answer = await negotiator.negotiate({ hub: "Hubs/Chat", userIdentifier: "ada", claims });
    expect(answer).toEqual({ url: "https://d123.cloudfront.net/Hubs/Chat", accessToken: expect.any(String) });
    expect(decodeJwt(answer.accessToken)).toEqual({
      ...claims,
      sub: "ada",
      aud: "hubs/chat",
      iat: SECONDS,
      exp: SECONDS + 3600,
    });
    expect(encodeURIComponent(answer.accessToken)).toBe(answer.accessToken);
  });

  it("knows users without a name, and none at all", async () => {
    for (const userIdentifier of [undefined, "0"]) {
      const options = userIdentifier === undefined ? { hub: "chat" } : { hub: "chat", userIdentifier };
      expect(decodeJwt((await negotiator.negotiate(options)).accessToken).sub).toBe(userIdentifier);
    }
  });

  it.each([
    [1000, 1],
    [60_000, 60],
    [86_400_000, 86_400],
  ])("gives %i ms to make a connection with it", async (expiresIn, seconds) => {
    const { accessToken } = await negotiator.negotiate({ hub: "chat", expiresIn });
    expect(decodeJwt(accessToken).exp).toBe(SECONDS + seconds);
  });

  it.each([
    ["", ""],
    ["/chat/negotiate", ""],
    ["/chat/negotiate?", ""],
    ["/chat/negotiate?negotiateVersion=1&useStatefulReconnect=true", ""],
    ["?NEGOTIATEVERSION=1&Access_Token=x&ID=y&resume=k", "?resume=k"],
    ["/chat/negotiate?resume=a-b_c&negotiateVersion=1&room=a%26b", "?resume=a-b_c&room=a%26b"],
    ["https://app.example.com/chat/negotiate?lang=d%C3%A9&x=1+2&x=3%2B4#top", "?lang=d%C3%A9&x=1%202&x=3%2B4"],
    ["/chat/negotiate?next=/a?b=c", "?next=%2Fa%3Fb%3Dc"],
    ["/x?__proto__=1&constructor=2&%ff=%", "?__proto__=1&constructor=2&%EF%BF%BD=%25"],
  ])("keeps the application's query of %s", async (requestUrl, query) => {
    expect(await urlOf(requestUrl)).toBe(`https://d123.cloudfront.net/chat${query}`);
  });

  it.each<[unknown, string]>([
    [{}, "Hub path 'undefined' must be"],
    [{ hub: "" }, "Hub path '' must be"],
    [{ hub: "/chat" }, "Hub path '/chat' must be"],
    [{ hub: "chat?x" }, "Hub path 'chat?x' must be"],
    [{ hub: "../admin" }, "Hub path '../admin' must be"],
    [{ hub: ["chat"] }, "Hub path 'chat' must be"],
    [{ hub: "chat", userIdentifier: "" }, "`userIdentifier` must be a text"],
    [{ hub: "chat", userIdentifier: 7 }, "`userIdentifier` must be a text"],
    [{ hub: "chat", userIdentifier: null }, "`userIdentifier` must be a text"],
    [{ hub: "chat", claims: null }, "`claims` must be an object"],
    [{ hub: "chat", claims: [] }, "`claims` must be an object"],
    [{ hub: "chat", claims: "Admin" }, "`claims` must be an object"],
    [{ hub: "chat", claims: { sub: "eve" } }, "`claims` cannot have 'sub': `userIdentifier` is for that."],
    [{ hub: "chat", claims: { exp: 1 } }, "`claims` cannot have 'exp': `expiresIn` is for that."],
    [{ hub: "chat", claims: { aud: "x" } }, "`claims` cannot have 'aud': `hub` is for that."],
    [{ hub: "chat", claims: { iat: 0 } }, "`claims` cannot have 'iat': it is the time of the answer."],
    ...[999, 86_400_001, 0, -1, Number.NaN, Number.POSITIVE_INFINITY, "3600000", null].map(
      (expiresIn): [unknown, string] => [
        { hub: "chat", expiresIn },
        `\`expiresIn\` is ${expiresIn}; it is a number of milliseconds, from 1000 to 86400000.`,
      ],
    ),
    [
      { hub: "chat", claims: { text: "x".repeat(3000) } },
      "and 3000 are the most that fit into the URL of a socket. Leave claims out.",
    ],
  ])("refuses %j", async (options, message) => {
    await expect(negotiate(options)).rejects.toThrow(TypeError);
    await expect(negotiate(options)).rejects.toThrow(message);
  });
});

describe("createNegotiator", () => {
  it("finds what it needs in the environment, or takes it as options", async () => {
    vi.stubEnv("SIGNALR_URL", "http://localhost:8080/realtime//");
    vi.stubEnv("SIGNALR_TOKEN_SECRET", OPTIONS.secret);
    expect((await createNegotiator().negotiate({ hub: "chat" })).url).toBe("http://localhost:8080/realtime/chat");
    const { url } = await createNegotiator({ url: "https://a.example/", secret: undefined }).negotiate({ hub: "chat" });
    expect(url).toBe("https://a.example/chat");
  });

  it.each(["SIGNALR_URL", "SIGNALR_TOKEN_SECRET"])("says that %s is missing", (name) => {
    for (const value of [undefined, ""]) {
      vi.stubEnv("SIGNALR_URL", OPTIONS.url);
      vi.stubEnv("SIGNALR_TOKEN_SECRET", OPTIONS.secret);
      vi.stubEnv(name, value);
      expect(() => createNegotiator()).toThrow(
        expect.objectContaining({ code: "configuration", message: expect.stringContaining(`${name} is missing`) }),
      );
    }
  });

  it.each<[Partial<NegotiatorOptions>, string]>([
    ...[
      "",
      "d123.cloudfront.net",
      "/chat",
      "wss://a.example",
      "file:///etc",
      "https://a.example/?hub=",
      "https://a/#x",
    ].map((url): [Partial<NegotiatorOptions>, string] => [{ url }, `The service's URL is '${url}'.`]),
    [{ secret: "fifteen letters" }, "must have at least 16 characters"],
    [{ secret: 7 as unknown as string }, "must have at least 16 characters"],
  ])("refuses %j", (wrong, message) => {
    expect(() => createNegotiator({ ...OPTIONS, ...wrong })).toThrow(message);
  });

  it("keeps nothing of one answer for the next", async () => {
    const options: NegotiateOptions = { hub: "chat", claims: { role: "Admin" } };
    await negotiator.negotiate(options);
    const { accessToken } = await negotiator.negotiate({ hub: "chat" });
    expect(decodeJwt(accessToken)).not.toHaveProperty("role");
  });
});

it("needs jose and nothing else, no module of Node's either: it runs wherever an API does", async () => {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL("../lambdas/negotiator.ts", import.meta.url))],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "neutral",
  });
  const inputs = Object.entries(metafile.inputs);
  expect(inputs.map(([path]) => path).filter((path) => !path.includes("node_modules/jose/"))).toEqual([
    "lambdas/auth/access-tokens.ts",
    "lambdas/environment.ts",
    "lambdas/hub/hub-path.ts",
    "lambdas/negotiator.ts",
  ]);
  expect(inputs.flatMap(([, { imports }]) => imports).filter(({ external }) => external)).toEqual([]);
});
