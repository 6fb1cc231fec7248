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
    [{ authorize: { roles: "Admin" } }, "`authorize` of a hub must be true or { roles"],
    [{ authorize: false }, "`authorize` of a hub must be true or { roles"],
    [{ authorize: {} }, "`authorize` of a hub must be true or { roles"],
  ])("refuses %j, which would leave a hub open or silent", (part, message) => {
    expect(() => defineAnything({ methods: {}, ...part })).toThrow(message);
  });

  it("refuses what a method does not know, such as `authorize`, which is not there yet", () => {
    const method = { args: [], authorize: true, handler() {} };
    expect(() => defineAnything({ methods: { secret: method } })).toThrow(
      "Hub method 'secret' does not know 'authorize'. It takes args, handler.",
    );
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

  it.each([
    ["a generator", function* () {}],
    ["an asynchronous generator", async function* () {}],
    ["a checked generator", { args: [], async *handler() {} }],
  ])("refuses %s, until streaming is there", (_title, method) => {
    expect(() => defineAnything({ methods: { counter: method } })).toThrow(
      "Hub method 'counter' is a generator. Streaming methods are not supported yet.",
    );
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
