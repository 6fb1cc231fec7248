import { expect, it } from "vitest";
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
