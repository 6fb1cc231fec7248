import { describe, expect, it } from "vitest";
import { traceContextOf } from "../../lambdas/hub/trace-context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const traceparent = `00-${TRACE}-${SPAN}-01`;

describe("a trace context", () => {
  it("is what the headers say", () => {
    const tracestate = "vendor=value, other=1";
    expect(traceContextOf({ traceparent, tracestate })).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      isSampled: true,
      traceparent,
      tracestate,
    });
  });

  it.each([
    ["00", false],
    ["01", true],
    ["03", true],
    ["02", false],
  ])("is sampled as the last bit of the flags says: %s", (flags, isSampled) => {
    expect(traceContextOf({ traceparent: `00-${TRACE}-${SPAN}-${flags}` })).toMatchObject({ isSampled });
  });

  it("may be of a version of the future, which may say more", () => {
    expect(traceContextOf({ traceparent: `cc-${TRACE}-${SPAN}-01-more` })).toMatchObject({ traceId: TRACE });
  });

  it.each([
    ["", "nothing"],
    [`ff-${TRACE}-${SPAN}-01`, "no version"],
    [`00-${TRACE}-${SPAN}-01-more`, "more than the version has"],
    [`cc-${TRACE}-${SPAN}-01more`, "no separator"],
    [`00-${"0".repeat(32)}-${SPAN}-01`, "no trace"],
    [`00-${TRACE}-${"0".repeat(16)}-01`, "no span"],
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`, "upper case"],
    [`00-${TRACE}-${SPAN}`, "too short"],
    [` ${traceparent}`, "a space"],
    [`cc-${TRACE}-${SPAN}-01-${"x".repeat(500)}`, "too long"],
    [`cc-${TRACE}-${SPAN}-01-\n`, "a line break"],
  ])("is none for %j: %s", (wrong) => {
    expect(traceContextOf({ traceparent: wrong })).toBeUndefined();
  });

  it.each([["x".repeat(513)], ["a=\u0000"], ["a=ä"], [""]])("has no state that is none (%#)", (tracestate) => {
    expect(traceContextOf({ traceparent, tracestate })).toMatchObject({ traceId: TRACE, tracestate: undefined });
  });

  it("needs headers of its own", () => {
    expect(traceContextOf(undefined)).toBeUndefined();
    expect(traceContextOf({})).toBeUndefined();
    expect(traceContextOf(Object.create({ traceparent }))).toBeUndefined();
    expect(traceContextOf({ Traceparent: traceparent })).toBeUndefined();
  });
});
