import { dirname } from "node:path";
import { App, Stack } from "aws-cdk-lib";
import { expect, it } from "vitest";
import { ServiceFileError, SignalRService } from "../../infra/index.ts";
import { deploy, writeServiceFile } from "./deployed.ts";

const EXPORT = "`export default defineService({ hubs: { … } })`";

function refusal(entry: string): unknown {
  try {
    new SignalRService(new Stack(new App(), "Test"), "Realtime", { entry });
  } catch (error) {
    return error;
  }
  throw new Error("It was accepted.");
}

it.each([
  ["a missing file", "/nowhere/realtime.ts", "'/nowhere/realtime.ts' does not exist"],
  ["a folder", dirname(writeServiceFile()), "which is not a file"],
  ["another kind of file", writeServiceFile("realtime.json"), "must be TypeScript or JavaScript"],
  ["no path", "", "needs `entry`"],
])("refuses %s as entry, and says what a service file exports", (_what, entry, reason) => {
  const error = refusal(entry);
  expect(error).toBeInstanceOf(TypeError);
  expect(error).toBeInstanceOf(ServiceFileError);
  expect(error).toMatchObject({ name: "ServiceFileError", code: "service_file_invalid" });
  expect(String(error)).toContain(entry);
  expect(String(error)).toContain(reason);
  expect(String(error)).toContain(EXPORT);
});

it("resolves a relative entry against the working directory, and names the whole path", () => {
  expect(String(refusal("not-there.ts"))).toContain(`${process.cwd()}/not-there.ts`);
});

it.each(["realtime.ts", "realtime.mts", "realtime.js", "realtime.mjs"])("takes %s", (name) => {
  expect(() => deploy({ service: { entry: writeServiceFile(name) } })).not.toThrow();
});
