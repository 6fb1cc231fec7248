// Commands beside a development server: what sends to its clients from outside, for instance.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Starts each in a shell, and tells when it ends by itself: the server goes on. They write where this process writes.
 */
export function runCommands(
  commands: readonly string[],
  environment: Readonly<Record<string, string>>,
): { end(): Promise<void> } {
  const env = { ...process.env, ...environment };
  // A group of its own: the shell would not pass on that it is to end.
  const running = commands.map((command) => {
    const child = spawn(command, { shell: true, stdio: "inherit", env, detached: hasGroups });
    child.once("exit", (code, signal) => {
      if (code !== null && code !== 0) console.error(`'${command}' ended with ${code}.`);
      else if (signal === null) console.log(`'${command}' is done.`);
    });
    return child;
  });
  return {
    async end() {
      await Promise.all(running.map(endGroup));
    },
  };
}

const hasGroups = process.platform !== "win32";

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  try {
    if (hasGroups) process.kill(-child.pid, "SIGTERM");
    else child.kill();
  } catch {
    return; // It ended just now, and nobody has told us yet.
  }
  await ended;
}
