import { defineHub, defineService, jwtBearer } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { isService } from "../../lambdas/hub/index.ts";

const chat = defineHub()({ methods: {} });
const hubs = { chat };

const asking = (policy: string) => defineHub()({ methods: {}, authorize: { policy } });
const askingMethod = (policy: string) =>
  defineHub()({ methods: { secret: { args: [], authorize: { policy }, handler() {} } } });

/** What a service file without types may hand over. */
const defineAnything = defineService as (options: object) => unknown;

describe("defineService", () => {
  it("fills in the defaults", () => {
    expect(defineService({ hubs })).toMatchObject({
      auth: undefined,
      allowedOrigins: undefined,
      requestHeaders: [],
      lifetime: {
        clientTimeoutInterval: 30_000,
        keepAliveInterval: 15_000,
        handshakeTimeout: 15_000,
        disconnectTimeout: 30_000,
      },
      statefulReconnectBufferSize: 100_000,
      closeOnAuthenticationExpiration: false,
      enableAuthenticationRefresh: false,
      filters: [],
      services: undefined,
    });
    expect(defineService({ hubs }).hubs.get("chat")?.options).toEqual({
      transports: expect.arrayContaining(["WebSockets"]),
      enableDetailedErrors: false,
      maximumReceiveMessageSize: 32_768,
      maximumParallelInvocationsPerClient: 1,
      streamBufferCapacity: 1000,
    });
  });

  it("keeps a hub's path as it is written and finds it in any case", () => {
    const service = defineService({ hubs: { "Hubs/Chat-1.0_~x": chat } });
    expect(service.hubs.get("hubs/chat-1.0_~x")).toMatchObject({ path: "Hubs/Chat-1.0_~x", definition: chat });
  });

  it("keeps claim types that are not given", () => {
    const { claimTypes } = defineService({ hubs, claimTypes: { roles: ["groups"] } });
    expect(claimTypes.roles).toEqual(["groups"]);
    expect(claimTypes.userIdentifier).toContain("sub");
  });

  it("fits the keep-alive into a shorter time-out", () => {
    const lifetime = { clientTimeoutInterval: 8000 };
    expect(defineService({ hubs, lifetime }).lifetime).toMatchObject({ keepAliveInterval: 4000 });
  });

  it.each([1024, 5_000_000])("keeps as much for a client as it says: %d bytes", (statefulReconnectBufferSize) => {
    expect(defineService({ hubs, statefulReconnectBufferSize })).toMatchObject({ statefulReconnectBufferSize });
  });

  it("lets a hub decide for itself", () => {
    const own = {
      transports: ["ServerSentEvents"] as const,
      enableDetailedErrors: false,
      maximumReceiveMessageSize: 100,
      maximumParallelInvocationsPerClient: 100,
      streamBufferCapacity: 1,
    };
    const hubs = {
      chat,
      own: defineHub()({ methods: {}, ...own }),
      half: defineHub()({ methods: {}, ...{ enableDetailedErrors: "local" } }),
    };
    const common = {
      transports: ["LongPolling", "WebSockets"] as const,
      maximumReceiveMessageSize: 2000,
      maximumParallelInvocationsPerClient: 2,
      streamBufferCapacity: 9,
    };
    const service = defineService({ hubs, enableDetailedErrors: true, ...common });
    expect([...service.hubs.values()].map(({ options }) => options)).toEqual([
      { enableDetailedErrors: true, ...common },
      own,
      { enableDetailedErrors: "local", ...common },
    ]);
  });

  it("makes what isService knows", () => {
    const service = defineService({ hubs });
    expect([service, { ...service }, {}, null, undefined, chat, "service"].map(isService)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  it.each<[object, string]>([
    [{}, "defineService needs `hubs`: at least one, by its path."],
    [{ hubs: {} }, "defineService needs `hubs`: at least one, by its path."],
    ...["", "/chat", "chat/", "a//b", "a b", "chat?", "chät", "a#b", ".", "a/../b", "x".repeat(101)].map(
      (path): [object, string] => [
        { hubs: { [path]: chat } },
        `Hub path '${path}' must be segments of letters, digits and -._~ joined by '/', such as 'chat'.`,
      ],
    ),
    [{ hubs: { negotiate: chat } }, "Hub path 'negotiate' cannot end in 'negotiate'."],
    [{ hubs: { "a/Refresh": chat } }, "Hub path 'a/Refresh' cannot end in '/refresh'."],
    [{ hubs: { "a/Negotiate": chat } }, "Hub path 'a/Negotiate' cannot end in 'negotiate'."],
    [{ hubs: { chat, Chat: chat } }, "Hub path 'Chat' is there twice: paths match in any case."],
    [{ hubs: { chat: {} } }, "Hub 'chat' must be made with defineHub or defineConnection."],
    [{ hubs: { chat: undefined } }, "Hub 'chat' must be made with defineHub or defineConnection."],
    [{ hubs, auth: {} }, "`auth` must be jwtBearer({ … }) or a function of the request."],
    [{ hubs, auth: null }, "`auth` must be jwtBearer({ … }) or a function of the request."],
    ...[
      "example.com",
      "https://a.example/",
      "https://a.example/path",
      "HTTPS://A.example",
      "capacitor://localhost/",
      "file://",
      "null",
      "",
    ].map((origin): [object, string] => [
      { hubs, allowedOrigins: [origin] },
      `\`allowedOrigins\` holds '${origin}'; an origin is scheme and host without a path, such as 'https://app.example.com'.`,
    ]),
    [{ hubs, policies: { premium: true } }, "Policy 'premium' must be a function that returns whether a user may."],
    [
      { hubs: { chat: asking("premium") }, policies: { Premium: () => true } },
      "Hub 'chat' asks for the policy 'premium'. Define it in `policies` of defineService.",
    ],
    ...["constructor", "__proto__", "toString"].map((name): [object, string] => [
      { hubs: { chat: asking(name) }, policies: { __proto__: () => true } },
      `Hub 'chat' asks for the policy '${name}'. Define it in \`policies\` of defineService.`,
    ]),
    [
      { hubs: { chat, "hubs/notes": askingMethod("premium") } },
      "Method 'secret' of hub 'hubs/notes' asks for the policy 'premium'. Define it in `policies` of defineService.",
    ],
    ...[1, "true", ""].map((value): [object, string] => [
      { hubs, closeOnAuthenticationExpiration: value },
      `\`closeOnAuthenticationExpiration\` is ${JSON.stringify(value)}; it is true or false.`,
    ]),
    ...[1, "true", ""].map((value): [object, string] => [
      { hubs, enableAuthenticationRefresh: value },
      `\`enableAuthenticationRefresh\` is ${JSON.stringify(value)}; it is true or false.`,
    ]),
    [{ hubs, services: {} }, "`services` must be a function that makes them: services: () => ({ db })."],
    [{ hubs, filters: {} }, "`filters` must be an array of hub filters, the outermost first."],
    ...["clientTimeoutInterval", "keepAliveInterval", "handshakeTimeout", "disconnectTimeout"].flatMap((name) =>
      [999, Number.NaN, Number.POSITIVE_INFINITY, "15000"].map((value): [object, string] => [
        { hubs, lifetime: { clientTimeoutInterval: 30_000, keepAliveInterval: 15_000, [name]: value } },
        `lifetime.${name} is ${value}; it is a number of milliseconds, 1000 or more.`,
      ]),
    ),
    ...[1023, 0, -1, 1024.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "100000", true].map(
      (value): [object, string] => [
        { hubs, statefulReconnectBufferSize: value },
        `\`statefulReconnectBufferSize\` is ${value}; it is a number of bytes, 1024 or more.`,
      ],
    ),
    ...[0, -1, 0.5, 196_609, Number.NaN, Number.POSITIVE_INFINITY, null, "1000"].map((value): [object, string] => [
      { hubs, maximumReceiveMessageSize: value },
      `\`maximumReceiveMessageSize\` is ${value}; it is a number of bytes, from 1 to 196608.`,
    ]),
    ...[0, -1, 1.5, 101, Number.NaN, Number.POSITIVE_INFINITY, null, "2", true].map((value): [object, string] => [
      { hubs, maximumParallelInvocationsPerClient: value },
      `\`maximumParallelInvocationsPerClient\` is ${value}; it is a number of invocations, from 1 to 100.`,
    ]),
    ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, null, "10"].map((value): [object, string] => [
      { hubs, streamBufferCapacity: value },
      `\`streamBufferCapacity\` is ${value}; it is a number of items, 1 or more.`,
    ]),
    ...[
      [],
      ["Websockets"],
      ["WebSockets", "WebSockets"],
      ["WebSockets", 1],
      ["constructor"],
      [undefined],
      "WebSockets",
      7,
      null,
      {},
    ].map((value): [object, string] => [
      { hubs, transports: value },
      `\`transports\` is ${JSON.stringify(value)}; it is an array of "WebSockets", "ServerSentEvents", "LongPolling": at least one, each at most once.`,
    ]),
    ...["Local", "true", 1, null, {}].map((value): [object, string] => [
      { hubs, enableDetailedErrors: value },
      '`enableDetailedErrors` must be true, false or "local".',
    ]),
    [
      { hubs, lifetime: { disconnectTimeout: 5999 } },
      "lifetime.disconnectTimeout is 5999 ms; it must be 6000 or more.",
    ],
    [
      { hubs, lifetime: { clientTimeoutInterval: 20_000, keepAliveInterval: 10_001 } },
      "lifetime.keepAliveInterval (10001 ms) must be at most half of clientTimeoutInterval (20000 ms).",
    ],
  ])("refuses %j: %s", (options, message) => {
    expect(() => defineAnything(options)).toThrow(new TypeError(message));
  });

  it("refuses every origin together with an auth function, which may read cookies", () => {
    const auth = () => null;
    expect(() => defineService({ hubs, auth, allowedOrigins: ["*"] })).toThrow("List the origins.");
    expect(() => defineService({ hubs, auth, allowedOrigins: ["https://app.example.com"] })).not.toThrow();
  });

  it.each(["https://app.example.com", "http://localhost:8080", "*", "capacitor://localhost"])(
    "takes the origin %s",
    (origin) => {
      expect(defineService({ hubs, allowedOrigins: [origin] }).allowedOrigins).toEqual([origin]);
    },
  );
});

describe("jwtBearer", () => {
  const secret = "x".repeat(32);

  it.each([
    { secret },
    { secret, clockTolerance: 0, issuer: "me", audience: ["a", "b"] },
    { jwksUri: "https://id.example.com/jwks" },
    { jwksUri: "http://localhost:9000/jwks" },
    { jwksUri: "http://127.0.0.1/jwks" },
  ])("takes %j", (options) => {
    expect(jwtBearer(options)).toEqual({ kind: "jwtBearer", options });
  });

  const either = "jwtBearer needs either `secret` or `jwksUri`. Is an environment variable missing?";
  it.each([
    [{}, either],
    [{ secret: undefined }, either],
    [{ secret, jwksUri: "https://id.example.com/jwks" }, either],
    [{ secret: "short" }, "jwtBearer's `secret` must have at least 32 characters: shorter ones can be guessed."],
    [
      { jwksUri: "http://id.example.com/jwks" },
      "jwtBearer's `jwksUri` must be an https URL, not 'http://id.example.com/jwks'.",
    ],
    [
      { jwksUri: "http://localhost.evil.com/" },
      "jwtBearer's `jwksUri` must be an https URL, not 'http://localhost.evil.com/'.",
    ],
    [{ secret, clockTolerance: -1 }, "jwtBearer's `clockTolerance` must be a number of milliseconds, 0 or more."],
    [
      { secret, clockTolerance: Number.NaN },
      "jwtBearer's `clockTolerance` must be a number of milliseconds, 0 or more.",
    ],
  ])("refuses %j", (options, message) => {
    expect(() => (jwtBearer as (options: object) => unknown)(options)).toThrow(new TypeError(message));
  });
});
