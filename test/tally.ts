// Scripts that are no vitest files count what passed: their last line is "N passed, N failed".

let passed = 0;
let failed = 0;

/** One thing that passes or fails. */
export async function check(title: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
    passed++;
    console.log(`passed: ${title}`);
  } catch (error) {
    failed++;
    console.log(`FAILED: ${title}\n${error instanceof Error ? error.message : error}`);
  }
}

/** The last line, and the exit code. */
export function summarize(): void {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** What somebody else has counted. */
export function count(others: { readonly passed: number; readonly failed: number }): void {
  passed += others.passed;
  failed += others.failed;
}
