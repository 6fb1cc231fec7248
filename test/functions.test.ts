import { defineHub, defineService, type Service, type TransportName } from "signalr-lambda";
import { createNegotiator } from "signalr-lambda/negotiate";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { HttpEvent } from "../lambdas/apigateway/index.ts";
import {
  connectFunction,
  disconnectFunction,
  messageFunction,
  negotiateFunction,
  pollFunction,
  streamFunction,
  sweepFunction,
  workFunction,
} from "../lambdas/functions.ts";

const service = defineService({ hubs: { chat: defineHub()({ methods: {} }) } });
const environment = {
  SIGNALR_TABLE: "table",
  SIGNALR_CALLBACK_URL: "https://id.execute-api.eu-central-1.amazonaws.com/prod",
  SIGNALR_TOKEN_SECRET: "a-secret-of-at-least-32-characters",
  SIGNALR_WORKER: "work",
  SIGNALR_MESSAGE: "message",
};

const functions = [
  ["connect", connectFunction, ["SIGNALR_TABLE", "SIGNALR_CALLBACK_URL", "SIGNALR_TOKEN_SECRET", "SIGNALR_MESSAGE"]],
  ["message", messageFunction, ["SIGNALR_TABLE", "SIGNALR_CALLBACK_URL", "SIGNALR_WORKER"]],
  ["disconnect", disconnectFunction, ["SIGNALR_TABLE", "SIGNALR_CALLBACK_URL"]],
  ["negotiate", negotiateFunction, ["SIGNALR_TABLE", "SIGNALR_TOKEN_SECRET"]],
  [
    "poll",
    pollFunction,
    ["SIGNALR_TABLE", "SIGNALR_CALLBACK_URL", "SIGNALR_TOKEN_SECRET", "SIGNALR_WORKER", "SIGNALR_MESSAGE"],
  ],
  ["stream", streamFunction, ["SIGNALR_TABLE", "SIGNALR_CALLBACK_URL", "SIGNALR_TOKEN_SECRET", "SIGNALR_MESSAGE"]],
  ["sweep", sweepFunction, ["SIGNALR_TABLE", "SIGNALR_CALLBACK_URL", "SIGNALR_WORKER"]],
  ["work", workFunction, ["SIGNALR_TABLE", "SIGNALR_CALLBACK_URL"]],
] as const;

// The test runner listens too, and shall again.
const listeners = process.listeners("unhandledRejection");
afterEach(() => {
  process.removeAllListeners("unhandledRejection");
  for (const listener of listeners) process.on("unhandledRejection", listener);
});

it.each([
  ["message", messageFunction],
  ["disconnect", disconnectFunction],
  ["sweep", sweepFunction],
  ["work", workFunction],
  ["poll", pollFunction],
  ["stream", streamFunction],
])("the %s function takes unhandled rejections from the runtime, which would end the process", (_name, create) => {
  const runtime = () => undefined;
  process.on("unhandledRejection", runtime);
  create(service, environment);
  create(service, environment);
  expect(process.listeners("unhandledRejection")).toEqual([expect.any(Function)]);
  expect(process.listeners("unhandledRejection")).not.toContain(runtime);
});

it.each([
  ["message", messageFunction],
  ["disconnect", disconnectFunction],
  ["sweep", sweepFunction],
])("the %s function warns when it starts with hubs that tell their errors to everybody", (_name, create) => {
  const write = vi.spyOn(console, "log").mockReturnValue();
  onTestFinished(() => write.mockRestore());
  const hub = (enableDetailedErrors: boolean | "local") => defineHub()({ methods: {}, enableDetailedErrors });
  create(defineService({ hubs: { quiet: hub(false), local: hub("local") } }), environment);
  expect(write).not.toHaveBeenCalled();
  create(defineService({ hubs: { loud: hub(true), local: hub("local") } }), environment);
  expect(write.mock.calls.map(([line]) => JSON.parse(line))).toEqual([
    expect.objectContaining({ level: "warn", hubs: ["loud"] }),
  ]);
});

it("the negotiate function takes the tokens that createNegotiator makes with the same secret, and no others", async () => {
  const write = vi.spyOn(console, "log").mockReturnValue();
  onTestFinished(() => write.mockRestore());
  const members = defineService({ hubs: { chat: defineHub()({ methods: {}, authorize: true }) } });
  const negotiate = negotiateFunction(members, environment);
  const statusFor = async (secret: string) => {
    const { accessToken } = await createNegotiator({ url: "https://a.example", secret }).negotiate({ hub: "chat" });
    const headers = { authorization: `Bearer ${accessToken}` };
    const requestContext = { http: { method: "POST", sourceIp: "127.0.0.1" } };
    return (await negotiate({ rawPath: "/chat/negotiate", headers, requestContext } as unknown as HttpEvent))
      .statusCode;
  };
  expect(await statusFor(environment.SIGNALR_TOKEN_SECRET)).toBe(200);
  expect(await statusFor("another-secret-of-32-characters!")).toBe(401);
});

it("the message function warns when it starts with hubs that would take more than a socket carries", () => {
  const write = vi.spyOn(console, "log").mockReturnValue();
  onTestFinished(() => write.mockRestore());
  const hub = (maximumReceiveMessageSize: number, ...transports: TransportName[]) =>
    defineHub()({ methods: {}, maximumReceiveMessageSize, transports });
  const polled = hub(196_608, "LongPolling");
  messageFunction(defineService({ hubs: { polled, small: hub(32_768, "WebSockets") } }), environment);
  expect(write).not.toHaveBeenCalled();
  messageFunction(defineService({ hubs: { polled, large: hub(32_769, "WebSockets", "LongPolling") } }), environment);
  expect(write.mock.calls.map(([line]) => JSON.parse(line))).toEqual([
    expect.objectContaining({ level: "warn", message: expect.stringContaining("32768"), hubs: ["large"] }),
  ]);
});

describe.each(functions)("the %s function", (_name, create, names) => {
  it("starts with the variables it reads, and no others", () => {
    const own = Object.fromEntries(names.map((name) => [name, environment[name]]));
    expect(create(service, own)).toBeTypeOf("function");
  });

  it.each(names)("names %s when it is missing or empty", (name) => {
    for (const value of [undefined, ""]) {
      expect(() => create(service, { ...environment, [name]: value })).toThrow(
        expect.objectContaining({ code: "configuration", message: expect.stringContaining(name) }),
      );
    }
  });

  it.each([[undefined], [null], [{}], [{ hubs: {} }]])(
    "says what a service file must export when it gets %j",
    (wrong) => {
      expect(() => create(wrong as unknown as Service, environment)).toThrow(
        "export default defineService({ hubs: { … } })",
      );
    },
  );
});

it.each([
  ["connect", connectFunction],
  ["negotiate", negotiateFunction],
  ["poll", pollFunction],
])("the %s function serves nobody who comes around the distribution, if it is told of one", async (_name, create) => {
  const write = vi.spyOn(console, "log").mockReturnValue();
  onTestFinished(() => write.mockRestore());
  const handler = create(service, { ...environment, SIGNALR_ORIGIN_SECRET: "secret" });
  const answer = await handler({ headers: { "x-origin-verify": "guess" } } as never);
  expect(answer.statusCode).toBe(403);
});
