import { createHubContext, type HubContext } from "signalr-lambda/aws";
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from "vitest";
import type { chat } from "../examples/chat/realtime.ts";

const environment = {
  SIGNALR_TABLE: "table",
  SIGNALR_CALLBACK_URL: "https://id.execute-api.eu-central-1.amazonaws.com/prod",
};

beforeEach(() => {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
});
afterEach(() => void vi.unstubAllEnvs());

describe("createHubContext", () => {
  it("finds table and callback URL in the environment, or takes them as options", () => {
    expect(() => createHubContext({ hub: "chat" })).not.toThrow();
    vi.unstubAllEnvs();
    const { SIGNALR_TABLE: tableName, SIGNALR_CALLBACK_URL: callbackUrl } = environment;
    expect(() => createHubContext({ hub: "hubs/chat", tableName, callbackUrl })).not.toThrow();
  });

  it.each(Object.keys(environment))("says that %s is missing, and who sets it", (name) => {
    for (const value of [undefined, ""]) {
      vi.stubEnv(name, value);
      const error = expect.objectContaining({ name: "ConfigurationError", code: "configuration" });
      expect(() => createHubContext({ hub: "chat" })).toThrow(error);
      expect(() => createHubContext({ hub: "chat" })).toThrow(new RegExp(`${name} is missing.*addSender`));
    }
  });

  it.each(["wss://id.execute-api.eu-central-1.amazonaws.com/prod", "id.execute-api", "file:///etc"])(
    "refuses '%s' as a callback URL",
    (callbackUrl) => {
      expect(() => createHubContext({ hub: "chat", callbackUrl })).toThrow(`The callback URL is '${callbackUrl}'`);
    },
  );

  it.each([
    [{ hub: "" }, "Hub path ''"],
    [{ hub: "/chat" }, "Hub path '/chat'"],
    [{ hub: "chat#1" }, "Hub path 'chat#1'"],
    [{ hub: undefined as unknown as string }, "createHubContext needs `hub`"],
    [{ hub: "chat", lifetime: { disconnectTimeout: 1 } }, "lifetime.disconnectTimeout is 1"],
    [{ hub: "chat", statefulReconnectBufferSize: -1 }, "`statefulReconnectBufferSize` is -1"],
  ])("refuses %j", (options, message) => {
    expect(() => createHubContext(options)).toThrow(expect.objectContaining({ code: "configuration" }));
    expect(() => createHubContext(options)).toThrow(message);
  });

  it("is typed by the hub's client interface", () => {
    const context = createHubContext<typeof chat>({ hub: "chat" });
    expectTypeOf(context.clients.all.message).toEqualTypeOf<
      (room: string, name: string, text: string) => Promise<void>
    >();
    expectTypeOf(context.clients.user("ada")).toEqualTypeOf(context.clients.all);
    expectTypeOf(context.clients).not.toHaveProperty("caller");
    expectTypeOf(context.groups).not.toHaveProperty("list");
    expectTypeOf<HubContext<object>["clients"]>().toHaveProperty("groupExcept");
    // @ts-expect-error: not in the interface
    void (() => context.clients.all.unknown());
    // @ts-expect-error: three strings
    void (() => context.clients.all.message("lobby"));
  });

  it("sends untyped without a type", () => {
    expectTypeOf(createHubContext({ hub: "chat" }).clients.all.send).toBeFunction();
  });
});
