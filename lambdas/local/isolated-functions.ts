// The eight functions, each in instances of its own: what `--isolate` puts behind the gateway.

import type { FunctionContext, StreamedResponse } from "../apigateway/index.ts";
import type { FunctionName, Functions } from "./functions.ts";
import type { InstanceOptions } from "./instance.ts";
import { Instances } from "./instances.ts";

export interface IsolatedFunctions {
  readonly functions: Functions;
  /** New instances are started with this from now on; an old one handles no event after the one it has. */
  replace(data: unknown): void;
  /** Wakes what sleeps in any instance. */
  stop(): void;
  /** Ends all instances, whatever they are doing. */
  end(): Promise<void>;
}

/** @param data what every instance gets as `workerData.data`, beside the `name` of its function. */
export function isolatedFunctions(options: InstanceOptions): IsolatedFunctions {
  const optionsOf = (name: FunctionName, data: unknown): InstanceOptions => ({ ...options, data: { name, data } });
  const pool = (name: FunctionName) => new Instances(optionsOf(name, options.data));
  const pools: Readonly<Record<FunctionName, Instances>> = {
    connect: pool("connect"),
    message: pool("message"),
    disconnect: pool("disconnect"),
    negotiate: pool("negotiate"),
    poll: pool("poll"),
    stream: pool("stream"),
    work: pool("work"),
    sweep: pool("sweep"),
  };
  const all = Object.entries(pools) as [FunctionName, Instances][];
  // What a thread returns is what its handler returned: of the type that its function has.
  const run = (name: FunctionName) => (event: unknown, context: FunctionContext, response?: StreamedResponse) =>
    pools[name].invoke(event, context, response) as Promise<never>;

  return {
    functions: {
      connect: run("connect"),
      message: run("message"),
      disconnect: run("disconnect"),
      negotiate: run("negotiate"),
      poll: run("poll"),
      stream: run("stream"),
      work: run("work"),
      sweep: run("sweep"),
    },
    replace(data) {
      for (const [name, instances] of all) instances.replace(optionsOf(name, data));
    },
    stop() {
      for (const [, instances] of all) instances.stop();
    },
    async end() {
      await Promise.all(all.map(([, instances]) => instances.end()));
    },
  };
}
