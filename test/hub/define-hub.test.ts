import { defineHub, HubException } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { z } from "zod";

/** What a service file without types may hand over. */
const defineAnything = defineHub() as (definition: object) => unknown;

describe("defineHub", () => {
  it("returns what it was given", () => {
    const definition = { methods: { shout: (_hub: unknown, text: string) => text }, onConnected() {} };
    expect(defineAnything(definition)).toBe(definition);
  });

  it("takes any Standard Schema, functions among them", () => {
    const schema = Object.assign(() => undefined, { "~standard": z.string()["~standard"] });
    expect(() => defineAnything({ methods: { checked: { args: [schema], handler() {} } } })).not.toThrow();
  });

  it.each([[undefined], [null], ["methods"]])("needs methods, not %j", (methods) => {
    expect(() => defineAnything({ methods })).toThrow(
      new TypeError("defineHub needs `methods`: an object of hub methods."),
    );
  });

  it.each([[undefined], [null], [7], ["text"], [{}], [{ args: [] }], [{ args: [], handler: "no" }]])(
    "refuses a method that is %j",
    (wrong) => {
      expect(() => defineAnything({ methods: { wrong } })).toThrow(
        new TypeError("Hub method 'wrong' must be a function or { args, handler }."),
      );
    },
  );

  it.each([[undefined], [z.string()], [[String]], [[z.string(), undefined]], [[null]]])(
    "refuses arguments that are no schemas (%#)",
    (args) => {
      expect(() => defineAnything({ methods: { wrong: { args, handler() {} } } })).toThrow(
        new TypeError("Hub method 'wrong' needs `args`: one Standard Schema (zod, valibot, arktype, …) per argument."),
      );
    },
  );

  it.each<[object, string]>([
    [{ authorise: true }, "defineHub does not know 'authorise'."],
    [{ onDisconected() {} }, "defineHub does not know 'onDisconected'."],
    [{ authorize: { role: ["Admin"] } }, "`authorize` of a hub does not know 'role'. It takes roles, policy."],
    [{ authorize: { roles: ["Admin"], polcy: "x" } }, "`authorize` of a hub does not know 'polcy'."],
    ...[
      { roles: "Admin" },
      { roles: [7] },
      { policy: true },
      { roles: ["A"], policy: null },
      {},
      false,
      null,
      "Admin",
    ].map((authorize): [object, string] => [{ authorize }, "`authorize` of a hub must be true, { roles"]),
    [{ transports: [] }, "`transports` is []; it is an array of"],
    [{ filters: {} }, "`filters` must be an array of hub filters, the outermost first."],
    ...[null, undefined, "filter", {}, () => undefined, { invokeMethod: true }].map((filter): [object, string] => [
      { filters: [filter] },
      "A hub filter must be an object with functions for one or more of invokeMethod, onConnected, onReconnected, onDisconnected.",
    ]),
    [{ filters: [{ invokeMethod() {}, onConected() {} }] }, "A hub filter does not know 'onConected'."],
    [{ enableDetailedErrors: "yes" }, '`enableDetailedErrors` must be true, false or "local".'],
    [{ maximumReceiveMessageSize: 196_609 }, "`maximumReceiveMessageSize` is 196609; it is a number of bytes"],
    [{ maximumParallelInvocationsPerClient: 0 }, "`maximumParallelInvocationsPerClient` is 0; it is a number of"],
  ])("refuses %j, which would leave a hub open or silent", (part, message) => {
    expect(() => defineAnything({ methods: {}, ...part })).toThrow(message);
  });

  it.each<[object, string]>([
    [
      { authorise: true },
      "Hub method 'secret' does not know 'authorise'. It takes name, args, authorize, handler, streams, longRunning.",
    ],
    [{ authorize: { rolls: [] } }, "`authorize` of hub method 'secret' does not know 'rolls'. It takes roles, policy."],
    [{ authorize: false }, "`authorize` of hub method 'secret' must be true, { roles"],
  ])("refuses a method with %j, which would leave it open", (part, message) => {
    expect(() => defineAnything({ methods: { secret: { args: [], handler() {}, ...part } } })).toThrow(message);
  });

  it("takes instances of classes as filters", () => {
    class Filter {
      readonly limit = 7;
      invokeMethod() {}
    }
    expect(() => defineAnything({ methods: {}, filters: [new Filter()] })).not.toThrow();
  });

  it("takes a grace for users who come and go", () => {
    const hub = { methods: {}, onUserOffline() {}, presence: { grace: 1000 } };
    expect(defineAnything(hub)).toBe(hub);
    expect(defineAnything({ ...hub, presence: {} })).toMatchObject({ presence: {} });
  });

  it.each<[object, string]>([
    [{ presence: { grace: 1000 } }, "`presence` is for onUserOnline and onUserOffline: define one of them"],
    [{ onUserOnline() {}, presence: { grace: 999 } }, "presence.grace is 999; it is a number of milliseconds"],
    [{ onUserOnline() {}, presence: { grace: "10" } }, "presence.grace is 10; it is a number of milliseconds"],
    [{ onUserOnline() {}, presence: { grace: Number.NaN } }, "presence.grace is NaN;"],
    [{ onUserOnline() {}, presence: { grace: Number.POSITIVE_INFINITY } }, "presence.grace is Infinity;"],
    [{ onUserOnline() {}, presence: { gracePeriod: 1000 } }, "`presence` of a hub does not know 'gracePeriod'."],
  ])("refuses %j", (given, message) => {
    expect(() => defineAnything({ methods: {}, ...given })).toThrow(message);
  });

  it("refuses methods that differ in case only", () => {
    expect(() => defineAnything({ methods: { send() {}, Send() {} } })).toThrow(
      new TypeError("Duplicate definitions of 'send' and 'Send'. Hub methods are found in any case; rename one."),
    );
  });

  it("refuses a name that another method has, as its key or its own", () => {
    const named = (name: string) => ({ name, args: [], handler() {} });
    expect(() => defineAnything({ methods: { send() {}, other: named("SEND") } })).toThrow(
      new TypeError("Duplicate definitions of 'send' and 'SEND'. Hub methods are found in any case; rename one."),
    );
    expect(() => defineAnything({ methods: { one: named("__proto__"), two: named("__PROTO__") } })).toThrow(
      "Duplicate definitions of '__proto__' and '__PROTO__'.",
    );
    expect(() => defineAnything({ methods: { one: named("two"), two: named("one") } })).not.toThrow();
    const unnamed = { name: undefined, args: [], handler() {} };
    expect(() => defineAnything({ methods: { one: unnamed, two: unnamed } })).not.toThrow();
  });

  it.each([[""], [7], [null], [{}]])("refuses %j as a method's name", (name) => {
    expect(() => defineAnything({ methods: { wrong: { name, args: [], handler() {} } } })).toThrow(
      new TypeError("The `name` of hub method 'wrong' must be a string that is not empty."),
    );
  });

  it.each([
    ["a generator", function* () {}],
    ["an asynchronous generator", async function* () {}],
    ["a checked generator", { args: [], async *handler() {} }],
  ])("takes %s for a streaming method", (_title, method) => {
    expect(() => defineAnything({ methods: { counter: method } })).not.toThrow();
  });
});

describe("a HubException", () => {
  it("is told from other errors, whichever copy of the package made it", () => {
    const error = new HubException("Full.");
    expect(error).toMatchObject({ name: "HubException", code: "hub_exception", message: "Full." });
    const copy = Object.assign(new Error("Full."), { [Symbol.for("signalr-lambda.HubException")]: true });
    expect([error, copy, new Error("x"), null, "HubException", { name: "HubException" }].map(HubException.is)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
