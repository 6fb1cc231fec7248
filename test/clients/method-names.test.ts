// Methods published under another name than their key, as `[HubMethodName]` does it.

import { defineHub } from "signalr-lambda";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type RunningService, start } from "./running-service.ts";

const chat = defineHub()({
  methods: {
    sendMessage: { name: "Send-Message!", args: [z.string()], handler: (_hub, text) => text },
    swapped: { name: "other", args: [], handler: () => "swapped" },
    other: { name: "swapped", args: [], handler: () => "other" },
    proto: { name: "__proto__", args: [], handler: () => "mine" },
    build: { name: "constructor", args: [], handler: () => "mine, too" },
    fail: {
      name: "Fail",
      args: [],
      handler() {
        throw new Error("no");
      },
    },
  },
});

let service: RunningService;
beforeAll(async () => {
  service = await start({ hubs: { chat } });
  return () => service.close();
});

describe("a method with a name of its own", () => {
  it.each([
    ["Send-Message!", ["hello"], "hello"],
    ["send-message!", ["hello"], "hello"],
    ["other", [], "swapped"],
    ["swapped", [], "other"],
    ["__proto__", [], "mine"],
    ["constructor", [], "mine, too"],
  ])("is called by it, in any case: %s", async (name, args, result) => {
    expect(await (await service.connect()).invoke(name, ...args)).toBe(result);
  });

  it.each(["sendMessage", "proto", "build", "toString", "hasOwnProperty"])(
    "is not called by its key: %s",
    async (key) => {
      await expect((await service.connect()).invoke(key)).rejects.toThrow(
        `Failed to invoke '${key}' due to an error on the server. HubException: Method does not exist.`,
      );
    },
  );

  it("is named by it in errors", async () => {
    await expect((await service.connect()).invoke("fail")).rejects.toThrow(
      "An unexpected error occurred invoking 'Fail' on the server.",
    );
  });
});
