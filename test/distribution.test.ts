// Who may reach the functions, and what they believe of it: the origin secret, and what the edge function says of a
// client.

import { defineHub, defineService } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import type { ConnectEvent, FunctionContext, HttpEvent, StreamedResponse } from "../lambdas/apigateway/index.ts";
import { connectionTokens } from "../lambdas/auth/index.ts";
import { connectHandler, negotiateHandler, pollHandler, streamHandler } from "../lambdas/handlers.ts";
import type { AuthRequest } from "../lambdas/hub/index.ts";
import { core } from "../lambdas/protocol/index.ts";
import { systemRandom } from "../lambdas/system.ts";
import { FakeClock } from "./fake-clock.ts";
import { NO_RUNNERS, NO_WORKERS } from "./no-workers.ts";
import { type Line, recordingLog } from "./recording-log.ts";
import { memoryTable } from "./suites/memory-store/index.ts";

const SECRET = "0123456789abcdefghijklmnopqrstuvwxyz";
const CONTEXT: FunctionContext = { awsRequestId: "request", getRemainingTimeInMillis: () => 1_000 };
const ORIGIN_HOST = "abc.execute-api.eu-central-1.amazonaws.com";

type Headers = Record<string, string>;

/** The four functions that clients reach, each by the status of its answer. */
function functions(originSecret?: string, allowedOrigins?: readonly string[]) {
  const lines: Line[] = [];
  const asked: AuthRequest[] = [];
  const ports = {
    service: defineService({
      hubs: { chat: defineHub()({ methods: {} }) },
      ...(allowedOrigins !== undefined && { allowedOrigins: [...allowedOrigins] }),
    }),
    authenticate: (request: AuthRequest) => {
      asked.push(request);
      return null;
    },
    tokens: connectionTokens("a-secret-of-at-least-32-characters"),
    store: memoryTable().store(),
    transports: {
      post: async () => "accepted" as const,
      close: async () => undefined,
      look: async () => "unknown" as const,
    },
    dialect: core,
    workers: NO_WORKERS,
    runners: NO_RUNNERS,
    clock: new FakeClock(),
    random: systemRandom,
    log: recordingLog(lines),
    originSecret,
  };
  const statuses: Record<string, (headers: Headers) => Promise<number>> = {
    connect: async (headers) => (await connectHandler(ports)(connectEvent(headers))).statusCode,
    negotiate: async (headers) => (await negotiateHandler(ports)(httpEvent("/chat/negotiate", headers))).statusCode,
    poll: async (headers) => (await pollHandler(ports)(httpEvent("/poll", headers))).statusCode,
    async stream(headers) {
      let status = 0;
      const response: StreamedResponse = {
        begin(given) {
          status = given;
        },
        write: async () => undefined,
        end: () => undefined,
      };
      await streamHandler(ports)(httpEvent("/", headers), CONTEXT, response);
      return status;
    },
  };
  return { statuses, lines, asked };
}

function connectEvent(headers: Headers): ConnectEvent {
  return {
    headers: { Host: ORIGIN_HOST, ...headers },
    multiValueHeaders: {},
    queryStringParameters: { hub: "chat" },
    requestContext: { connectionId: systemRandom.id(), identity: { sourceIp: "192.0.2.1" } },
  } as unknown as ConnectEvent;
}

function httpEvent(rawPath: string, headers: Headers): HttpEvent {
  return {
    rawPath,
    rawQueryString: "hub=chat",
    queryStringParameters: { hub: "chat" },
    headers: { host: ORIGIN_HOST, ...headers },
    requestContext: { http: { method: "POST", sourceIp: "192.0.2.1" } },
  } as unknown as HttpEvent;
}

const NAMES = ["connect", "negotiate", "poll", "stream"];

describe.each(NAMES)("the %s function behind a distribution", (name) => {
  const ask = (headers: Headers, secret?: string, origins?: readonly string[]) => {
    const { statuses, lines } = functions(secret, origins);
    return { status: statuses[name]?.(headers), lines };
  };

  it.each<[string, Headers]>([
    ["no secret", {}],
    ["an empty one", { "x-origin-verify": "" }],
    ["another one", { "x-origin-verify": SECRET.toUpperCase() }],
    ["a part of it", { "x-origin-verify": SECRET.slice(1) }],
    ["more than it", { "x-origin-verify": `${SECRET},${SECRET}` }],
    ["it in another header", { "x-origin-secret": SECRET }],
  ])("refuses %s with 403, and does not write what was said to the log", async (_what, headers) => {
    const { status, lines } = ask(headers, SECRET);
    expect(await status).toBe(403);
    expect(lines).toEqual([
      { level: "warn", message: "Refused a request that did not come through the distribution.", function: name },
    ]);
  });

  it.each(["x-origin-verify", "X-Origin-Verify"])("serves what comes with the secret, in %s", async (header) => {
    expect(await ask({ [header]: SECRET }, SECRET).status).not.toBe(403);
  });

  it("serves everybody where there is no distribution", async () => {
    expect(await ask({}).status).not.toBe(403);
    expect(await ask({ "x-origin-verify": "any" }).status).not.toBe(403);
  });
});

describe.each(["connect", "negotiate"])("a page, to the %s function", (name) => {
  const PAGE = { origin: "https://chat.example.com" };
  const status = (headers: Headers, secret?: string) => functions(secret).statuses[name]?.({ ...PAGE, ...headers });

  it("is of the same host as the service when it comes from the host that its client asked", async () => {
    const through = { "x-origin-verify": SECRET, "x-forwarded-host": "chat.example.com" };
    expect(await status(through, SECRET)).toBe(200);
    expect(await status({ ...through, "x-forwarded-host": "other.example.com" }, SECRET)).toBe(403);
  });

  it.each<[string, Headers, string | undefined]>([
    ["without a distribution", { "x-forwarded-host": "chat.example.com" }, undefined],
    [
      "without a distribution, with a secret",
      { "x-forwarded-host": "chat.example.com", "x-origin-verify": SECRET },
      undefined,
    ],
    ["around one", { "x-forwarded-host": "chat.example.com" }, SECRET],
    ["around one, with a wrong secret", { "x-forwarded-host": "chat.example.com", "x-origin-verify": "x" }, SECRET],
  ])("gains nothing by a forged host %s", async (_where, headers, secret) => {
    expect(await status(headers, secret)).toBe(403);
  });
});

describe("what the edge function says of a client", () => {
  const said = {
    "X-Origin-Verify": SECRET,
    "X-Forwarded-Host": "chat.example.com",
    "X-Viewer-Address": "198.51.100.7",
    "X-Viewer-Authorization": "Bearer token",
    ["__proto__"]: "x",
  };

  it.each(["connect", "negotiate"])("counts behind the secret: %s", async (name) => {
    const { statuses, asked } = functions(SECRET);
    await statuses[name]?.(said);
    const [request] = asked;
    expect(request).toMatchObject({ sourceIp: "198.51.100.7", token: "token" });
    expect(request?.headers.host).toBe("chat.example.com");
    // None of what was said for the functions alone is left for the service to see.
    expect(Object.keys(request?.headers ?? {}).sort()).toEqual(["__proto__", "authorization", "host"]);
  });

  it.each(["connect", "negotiate"])("counts nothing without: %s", async (name) => {
    const { statuses, asked } = functions();
    await statuses[name]?.(said);
    expect(asked).toMatchObject([{ sourceIp: "192.0.2.1", token: undefined, headers: { host: ORIGIN_HOST } }]);
  });
});
