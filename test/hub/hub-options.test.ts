import { defineHub, defineService } from "signalr-lambda";
import { expect, it } from "vitest";
import { asLocal, detailOf, hubsBeyondFrames, largestMessage, optionsOf } from "../../lambdas/hub/hub-options.ts";

const service = defineService({
  hubs: {
    local: defineHub()({ methods: {}, maximumReceiveMessageSize: 3000 }),
    loud: defineHub()({ methods: {}, enableDetailedErrors: true }),
    quiet: defineHub()({ methods: {}, enableDetailedErrors: false }),
  },
  enableDetailedErrors: "local",
  maximumReceiveMessageSize: 1000,
});
const details = (of: typeof service) => ["local", "loud", "quiet"].map((path) => detailOf(optionsOf(of, path), "x"));

it("tells details of a hub that says so for local servers there alone", () => {
  expect(details(service)).toEqual(["", " x", ""]);
  expect(details(asLocal(service))).toEqual([" x", " x", ""]);
});

it.each(["gone", "constructor", "__proto__", ""])("has the defaults for a hub that is not there: %j", (path) => {
  expect(optionsOf(service, path)).toEqual({
    transports: expect.arrayContaining(["WebSockets"]),
    enableDetailedErrors: false,
    maximumReceiveMessageSize: 32_768,
    maximumParallelInvocationsPerClient: 1,
    streamBufferCapacity: 1000,
  });
});

it("finds a hub in any case, and the largest message of all", () => {
  expect(optionsOf(service, "LOUD").enableDetailedErrors).toBe(true);
  expect(largestMessage(service)).toBe(3000);
});

it("knows the hubs that take more than a socket carries, and have sockets", () => {
  const hub = (maximumReceiveMessageSize: number, transports?: readonly ["LongPolling"]) =>
    defineHub()({ methods: {}, maximumReceiveMessageSize, ...(transports && { transports }) });
  const hubs = { small: hub(32_768), large: hub(32_769), polled: hub(196_608, ["LongPolling"]) };
  expect(hubsBeyondFrames(defineService({ hubs, transports: ["WebSockets", "LongPolling"] }))).toEqual(["large"]);
  expect(hubsBeyondFrames(defineService({ hubs, transports: ["LongPolling"] }))).toEqual([]);
});
