// The command line as a user has it: the built package, in a process of its own.

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../dist/lambdas/cli.js", import.meta.url));

export interface RunningCli {
  readonly child: ChildProcess;
  /** The next line of standard output that fits. Fails when the process ends without it. */
  line(pattern?: RegExp): Promise<string>;
  /** All of standard error, as soon as it fits. */
  errorText(pattern: RegExp): Promise<string>;
  /** Ends the process, if it is not over yet, and waits until it is. @default "SIGTERM" */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** Runs `signalr-lambda` with these arguments. */
export function runCli(args: readonly string[], options: Pick<SpawnOptions, "env"> = {}): RunningCli {
  const child = spawn(process.execPath, [CLI, ...args], { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = [child.stdout as Readable, child.stderr as Readable];
  const output = createInterface({ input: stdout })[Symbol.asyncIterator]();
  let errors = "";
  stderr.setEncoding("utf8").on("data", (text) => {
    errors += text;
  });
  return {
    child,
    async line(pattern = /./) {
      for (;;) {
        const { value, done } = await output.next();
        if (done) throw new Error(`The server said no ${pattern}: ${errors}`);
        if (pattern.test(value)) return value;
      }
    },
    async errorText(pattern) {
      while (!pattern.test(errors)) await once(stderr, "data");
      return errors;
    },
    async end(signal) {
      const isOver = child.exitCode !== null || child.signalCode !== null;
      if (!isOver && child.kill(signal)) await once(child, "exit");
    },
  };
}
