// The failures of a vitest run, by name, out of its JSON report: what a cut log must still say.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const { testResults, success } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const failed = testResults.flatMap(({ name, status, message, assertionResults }) => {
  const tests = assertionResults.filter((test) => test.status === "failed");
  const reasons = tests.map(
    (test) => `${test.fullName}\n    ${test.failureMessages.join("\n").split("\n", 12).join("\n    ")}`,
  );
  if (status === "failed" && reasons.length === 0) reasons.push(message);
  return reasons.map((reason) => `  ${relative(".", name)}: ${reason}`);
});
console.log(failed.join("\n") || `  an error between tests: see its output (success: ${success})`);
