import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { jsonLog } from "../lambdas/json-log.ts";

function written(level?: "debug" | "warn") {
  const lines: unknown[] = [];
  return { lines, log: jsonLog((line) => lines.push(JSON.parse(line)), level) };
}

it("writes a line of JSON with what is bound and what is given", () => {
  const { lines, log } = written();
  log.with({ hub: "chat" }).with({ connectionId: "1" }).info("Joined.", { room: "a" });
  expect(lines).toEqual([{ level: "info", message: "Joined.", hub: "chat", connectionId: "1", room: "a" }]);
});

it("writes errors with name, message, code and cause", () => {
  const { lines, log } = written();
  log.error("Failed.", { error: new TypeError("outer", { cause: Object.assign(new Error("inner"), { code: "x" }) }) });
  expect(lines).toMatchObject([
    { error: { name: "TypeError", message: "outer", cause: { message: "inner", code: "x" } } },
  ]);
});

it("leaves out what is below its level", () => {
  const { lines, log } = written("warn");
  log.debug("a");
  log.info("b");
  log.warn("c");
  expect(lines).toEqual([{ level: "warn", message: "c" }]);
});

it("writes what JSON has no words for", () => {
  const { lines, log } = written();
  log.info("Counted.", { count: 2n ** 64n, nothing: undefined });
  expect(lines).toEqual([{ level: "info", message: "Counted.", count: "18446744073709551616" }]);
});

describe("what JSON refuses", () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const ownCause = new Error("lost");
  ownCause.cause = ownCause;
  const throwing = {
    get inner() {
      throw new Error("no");
    },
  };
  const codeThrows = Object.defineProperty(new Error("lost"), "code", { get: () => throwing.inner });

  it.each<[string, unknown, string]>([
    ["a circular object", circular, "[Circular *1]"],
    ["an error that is its own cause", ownCause, "Error: lost"],
    ["an error whose code throws", codeThrows, "Error: lost"],
    ["an object whose getter throws", throwing, "[Getter]"],
    ["an object whose toJSON throws", { toJSON: () => throwing.inner }, "toJSON"],
    ["what Node cannot print either", Object.assign({ ...circular }, { [inspect.custom]: () => throwing.inner }), "("],
  ])("is written as text, beside all the rest: %s", (_name, value, text) => {
    const { lines, log } = written();
    log.with({ hub: "chat" }).error("Failed.", { method: "greet", count: 1n, value });
    log.with({ value }).error("Failed again.", { method: "greet" });
    expect(lines).toEqual([
      { level: "error", message: "Failed.", hub: "chat", method: "greet", count: "1", value: expect.any(String) },
      { level: "error", message: "Failed again.", method: "greet", value: expect.stringContaining(text) },
    ]);
  });

  it("may be a field itself", () => {
    const { lines, log } = written();
    log.with(throwing).info("Read.", { room: "a" });
    expect(lines).toEqual([{ level: "info", message: "Read.", room: "a", inner: "(unreadable)" }]);
  });
});
