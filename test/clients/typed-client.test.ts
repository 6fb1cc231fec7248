// The stock client through `typed`: the compiler says what may be called, and the server does the same.

import { defineHub } from "signalr-lambda";
import { typed } from "signalr-lambda/client";
import { expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { Arrivals } from "../local/local-gateway.ts";
import { serve } from "./running-service.ts";

const chat = defineHub<{ receiveMessage(user: string, text: string): void }>()({
  methods: {
    sendMessage: {
      name: "SendMessage",
      args: [z.string().trim()],
      handler: (hub, text) => hub.clients.all.receiveMessage("ada", text),
    },
    length: { args: [z.string().transform((text) => text.length)], handler: (_hub, length) => length },
    shout: (_hub, text: string) => text.toUpperCase(),
  },
});

it("calls methods and is called, as the hub's types say", async () => {
  const connection = await (await serve({ hubs: { chat } })).connect();
  const hub = typed<typeof chat>(connection);
  const received = new Arrivals<string>();
  const handler = (user: string, text: string): void => received.push(`${user}: ${text}`);
  hub.on("receiveMessage", handler);

  const length = await hub.invoke("length", "four");
  expectTypeOf(length).toEqualTypeOf<number>();
  expect(length).toBe(4);
  expect(await hub.invoke("shout", "hello")).toBe("HELLO");
  await hub.invoke("SendMessage", " one ");
  await hub.send("SendMessage", "two");
  expect([await received.next(), await received.next()]).toEqual(["ada: one", "ada: two"]);

  hub.off("receiveMessage", handler);
  await hub.invoke("SendMessage", "three");
  expect(received.all).toHaveLength(2);
  // @ts-expect-error: a number is no text, for the compiler as for the server
  await expect(hub.invoke("SendMessage", 3)).rejects.toThrow("Validation failed: argument 1");
});
