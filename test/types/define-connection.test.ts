// What TypeScript infers and refuses of raw connections. Checked by `tsc`; running it shows that it means what it says.

import {
  type DisconnectReason,
  defineConnection,
  defineHub,
  defineService,
  type JsonValue,
  type RawConnection,
  type RawConnectionContext,
  type RawConnectionDefinition,
  type TextProxy,
} from "signalr-lambda";
import type { createHubContext } from "signalr-lambda/aws";
import { describe, expect, expectTypeOf, it } from "vitest";

interface Services {
  readonly prices: { of(name: string): number };
}

describe("a raw connection", () => {
  it("is given what a hub method is, for text", () => {
    const feed = defineConnection({
      onConnected(connection) {
        expectTypeOf(connection).toEqualTypeOf<RawConnection>();
        expectTypeOf(connection.send).toEqualTypeOf<(text: string) => Promise<void>>();
        expectTypeOf(connection.clients.all).toEqualTypeOf<TextProxy>();
        expectTypeOf(connection.clients.groupExcept).toEqualTypeOf<
          (group: string, connectionIds: readonly string[]) => TextProxy
        >();
        expectTypeOf(connection.items).toEqualTypeOf<Map<string, JsonValue>>();
        expectTypeOf(connection.services).toEqualTypeOf<object>();
      },
      onReceived(connection, text) {
        expectTypeOf(text).toEqualTypeOf<string>();
        return connection.clients.group("all").send(text);
      },
      onDisconnected: (_connection, reason) => expectTypeOf(reason).toEqualTypeOf<DisconnectReason>(),
    });
    expectTypeOf(feed).toEqualTypeOf<RawConnectionDefinition>();
    defineService({ hubs: { feed, chat: defineHub()({ methods: {} }) } });
  });

  it("sends nothing but text, and asks nobody", () => {
    defineConnection({
      onReceived(connection) {
        // @ts-expect-error a number is no text
        connection.send(5);
        // @ts-expect-error one text
        connection.clients.all.send("receiveMessage", "text");
        // @ts-expect-error there is no answer
        connection.clients.caller.invoke;
        // @ts-expect-error messages have no headers
        connection.traceContext;
      },
    });
    // @ts-expect-error there are no methods
    expect(() => defineConnection({ methods: {} })).toThrow("defineConnection does not know 'methods'.");
  });

  it("says which services it wants", () => {
    const feed = defineConnection<Services>({
      onReceived: (connection, text) => connection.send(String(connection.services.prices.of(text))),
    });
    // @ts-expect-error nobody makes the prices
    defineService({ hubs: { feed } });
    defineService({ hubs: { feed }, services: () => ({ prices: { of: () => 1 } }) });
  });
});

it("a hub context has to be told that it is of a raw connection", () => {
  type Create = typeof createHubContext;
  const feed = defineConnection({});
  expectTypeOf<Create>().toBeCallableWith({ hub: "feed", protocol: "raw" });
  const create = (() => undefined) as unknown as Create;
  expectTypeOf(create({ hub: "feed", protocol: "raw" })).toEqualTypeOf<RawConnectionContext>();
  // @ts-expect-error a raw connection is no hub
  create<typeof feed>({ hub: "feed" });
});
