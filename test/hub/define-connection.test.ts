import { defineConnection, defineHub, defineService } from "signalr-lambda";
import { describe, expect, it } from "vitest";

describe("defineConnection", () => {
  it.each<[object, string]>([
    [{ methods: {} }, "methods"],
    [{ onRecieved: () => undefined }, "onRecieved"],
    [{ onUserOnline: () => undefined }, "onUserOnline"],
    [{ streamBufferCapacity: 5 }, "streamBufferCapacity"],
    [{ protocol: "json" }, "protocol"],
    [{ maximumReceiveMessageSize: 0 }, "maximumReceiveMessageSize"],
    [{ transports: ["Carrier pigeons"] }, "transports"],
    [{ authorize: "everybody" }, "authorize"],
    [{ filters: [{}] }, "filter"],
  ])("refuses %j", (definition, named) => {
    expect(() => defineConnection(definition)).toThrow(TypeError);
    expect(() => defineConnection(definition)).toThrow(named);
  });

  it("needs nothing", () => {
    const service = defineService({ hubs: { feed: defineConnection({}) } });
    expect(service.hubs.get("feed")?.definition.protocol).toBe("raw");
    expect(Object.keys(service.hubs.get("feed")?.definition ?? {}).sort()).toEqual(["methods", "protocol"]);
  });

  it("asks for policies as a hub does", () => {
    const hubs = { feed: defineConnection({ authorize: { policy: "premium" } }) };
    expect(() => defineService({ hubs })).toThrow("Hub 'feed' asks for the policy 'premium'.");
  });

  it("is the only way to a raw connection", () => {
    const definition = { methods: {}, protocol: "raw" };
    expect(() => defineHub()(definition as never)).toThrow("protocol");
  });
});
