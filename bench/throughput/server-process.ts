// A server in a process of its own, which ends with this one whatever happens.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** What the two processes say to each other. */
export type ToServer = "cpu";
export type FromServer = { readonly url: string } | { readonly cpuMilliseconds: number };

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

export class ServerProcess {
  readonly url: string;
  readonly #process: ChildProcess;

  static async start(module: URL): Promise<ServerProcess> {
    const child = fork(module, {
      cwd: REPOSITORY,
      execArgv: ["--import", "tsx"],
    });
    const { url } = await answer(child, "url");
    return new ServerProcess(child, url);
  }

  private constructor(child: ChildProcess, url: string) {
    this.#process = child;
    this.url = url;
  }

  /** Processor time since it was started. */
  async cpuMilliseconds(): Promise<number> {
    this.#process.send("cpu" satisfies ToServer);
    return (await answer(this.#process, "cpuMilliseconds")).cpuMilliseconds;
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }
}

/** The child's next message; rejects if it dies instead. */
async function answer<Name extends string>(
  child: ChildProcess,
  name: Name,
): Promise<Extract<FromServer, Record<Name, unknown>>> {
  const died = new AbortController();
  const abort = () => died.abort(new Error("A server of the benchmark died."));
  child.once("exit", abort);
  const [message] = await once(child, "message", { signal: died.signal });
  child.off("exit", abort);
  if (!(name in message)) throw new Error(`The server said ${JSON.stringify(message)} instead of its ${name}.`);
  return message;
}
