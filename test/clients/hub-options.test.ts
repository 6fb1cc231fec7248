// What a service says for all of its hubs, and a hub for itself.

import { defineHub } from "signalr-lambda";
import { beforeAll, describe, expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { frame } from "../protocol/records.ts";
import { type RunningService, serve, start } from "./running-service.ts";

const methods = {
  echo: (_hub: unknown, value: unknown) => value,
  fail() {
    throw new RangeError("secret");
  },
};

describe("enableDetailedErrors", () => {
  it("is a hub's own, else its service's, and local here", async () => {
    const service = await serve({
      hubs: {
        loud: defineHub()({ methods, enableDetailedErrors: true }),
        local: defineHub()({ methods, enableDetailedErrors: "local" }),
        quiet: defineHub()({ methods, enableDetailedErrors: false }),
        chat: defineHub()({ methods }),
      },
      enableDetailedErrors: "local",
    });
    const text = "An unexpected error occurred invoking 'fail' on the server.";
    for (const path of ["/loud", "/local", "/chat"]) {
      await expect((await service.connect(path)).invoke("fail")).rejects.toThrow(`${text} RangeError: secret`);
    }
    await expect((await service.connect("/quiet")).invoke("fail")).rejects.toThrow(new Error(text));
  });
});

describe("maximumReceiveMessageSize", () => {
  const ended = new Arrivals<string | undefined>();
  const onDisconnected = (_hub: unknown, { error }: { readonly error: { readonly code: string } | undefined }) =>
    ended.push(error?.code);
  const noted: unknown[] = [];
  let service: RunningService;
  beforeAll(async () => {
    service = await start({
      hubs: {
        small: defineHub()({
          methods: { note: (_hub, value: unknown) => void noted.push(value) },
          onDisconnected,
          maximumReceiveMessageSize: 100,
        }),
        quiet: defineHub()({ methods, onDisconnected, enableDetailedErrors: false }),
        large: defineHub()({ methods, onDisconnected, maximumReceiveMessageSize: 32_768 }),
      },
      enableDetailedErrors: true,
      maximumReceiveMessageSize: 200,
    });
    return () => service.close();
  });

  const tooLarge = (maximum: number) => ({
    type: 7,
    error: `Connection closed with an error. InvalidDataException: The maximum message size of ${maximum}B was exceeded. The message size can be configured by maximumReceiveMessageSize.`,
    allowReconnect: true,
  });

  /** An Invocation of so many bytes, with the character that ends it. */
  function message(bytes: number, filling = "x"): string {
    const record = (text: string) => `{"type":1,"target":"note","arguments":["${text}"]}`;
    const width = new TextEncoder().encode(filling).length;
    return record(filling.repeat((bytes - 1 - record("").length) / width));
  }

  it.each([
    ["an Invocation", message(101)],
    ["characters of several bytes", message(103, "€")],
    ["an item of a stream", `{"type":2,"invocationId":"1","item":"${"x".repeat(80)}"}`],
    ["a ping", `{"type":6,"padding":"${"x".repeat(80)}"}`],
    ["what is no message", "x".repeat(100)],
  ])("closes a connection that sends more: %s", async (_what, record) => {
    const client = await service.greet("/small");
    client.send(record);
    expect((await client.untilClosed()).at(-1)).toEqual(tooLarge(100));
    expect(await ended.next()).toBe("protocol_error");
  });

  it("is of one message, whatever else is in its frame", async () => {
    const client = await service.greet("/small");
    noted.length = 0;
    client.send(message(100), message(100, "€"), message(101), message(100));
    expect((await client.untilClosed()).at(-1)).toEqual(tooLarge(100));
    expect(noted).toHaveLength(2);
    await ended.next();
  });

  it("is told without its number unless errors are detailed", async () => {
    const client = await service.greet("/quiet");
    client.sendText(frame(message(202)));
    expect((await client.untilClosed()).at(-1)).toEqual({
      type: 7,
      error: "Connection closed with an error.",
      allowReconnect: true,
    });
    await ended.next();
  });

  it("is as large as a frame if a hub says so", async () => {
    const text = "x".repeat(32_000);
    const connection = await service.connect("/large");
    expect(await connection.invoke("echo", text)).toBe(text);
    await connection.stop();
    await ended.next();
  });
});
