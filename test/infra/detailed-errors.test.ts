import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Annotations, Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { deploy, writeServiceFile } from "./deployed.ts";

const WARNING = Match.stringLikeRegexp("The service file says `enableDetailedErrors: true`");

function warnings(entry: string): number {
  const { stack } = deploy({ service: { entry } });
  return Annotations.fromStack(stack).findWarning("/Test/Realtime", WARNING).length;
}

const service = (options: string, before = "") => `
import { defineHub, defineService } from "signalr-lambda";
${before}
const chat = defineHub()({ methods: {} });
export default defineService({ hubs: { chat }, ${options} });
`;

describe("a service file that tells errors to strangers", () => {
  it.each([
    ["the service", service("enableDetailedErrors: true")],
    ["a quoted name", service('"enableDetailedErrors": true')],
    ["a hub", service("auth: () => null").replace("methods: {}", "methods: {}, enableDetailedErrors: true")],
  ])("is warned of: %s", (_what, source) => {
    expect(warnings(writeServiceFile("realtime.ts", source))).toBe(1);
  });

  it("is warned of when a file that it imports says so", () => {
    const entry = writeServiceFile(
      "realtime.ts",
      service("...options", 'import { options } from "./config/options.ts";'),
    );
    mkdirSync(join(dirname(entry), "config"));
    writeFileSync(join(dirname(entry), "config/options.ts"), "export const options = { enableDetailedErrors: true };");
    expect(warnings(entry)).toBe(1);
  });

  it.each([
    ["false", service("enableDetailedErrors: false")],
    ["local", service('enableDetailedErrors: "local"')],
    ["nothing", service("")],
    ["a comment", service("// enableDetailedErrors: true\n")],
    ["a file that does not build", "export default {"],
    ["a file that throws when it runs", `throw new Error("It must not run."); ${service("")}`],
  ])("is not seen in %s", (_what, source) => {
    expect(warnings(writeServiceFile("realtime.ts", source))).toBe(0);
  });
});
