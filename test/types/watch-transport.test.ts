// The stock client's types and the watch's fit together as they are, though neither imports the other.

import type { HubConnection, ILogger } from "@microsoft/signalr";
import { type Logger, type ObservedConnection, type TransportEvents, watchTransport } from "signalr-lambda/client";
import { expectTypeOf, it } from "vitest";

it("takes a connection and a logger of the stock client, and gives it a logger", () => {
  expectTypeOf<HubConnection>().toExtend<ObservedConnection>();
  expectTypeOf<ILogger>().toExtend<Logger>();
  expectTypeOf<Logger>().toExtend<ILogger>();
});

it("takes any of the events, and refuses one that it does not know", () => {
  expectTypeOf<Record<never, never>>().toExtend<TransportEvents>();
  const { observe } = watchTransport();
  const connection = {} as ObservedConnection;
  expectTypeOf(observe).toBeCallableWith(connection, { onConnectionSlow() {} });
  // @ts-expect-error The event is called onConnectionSlow.
  const misspelt: TransportEvents = { connectionSlow() {} };
  expectTypeOf(misspelt).toExtend<TransportEvents>();
});
