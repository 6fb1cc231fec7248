// The five functions of a local server: what functions.ts wires for Lambda, with a service that can be swapped.

import { authenticatorOf, checkService } from "./functions.ts";
import { connectHandler, disconnectHandler, messageHandler, negotiateHandler, sweepHandler } from "./handlers.ts";
import type { ConnectionTokens, ServerPorts, Service } from "./hub/index.ts";
import type { Functions } from "./local/index.ts";
import { core } from "./protocol/index.ts";
import { systemRandom } from "./system.ts";

export type LocalPorts = Pick<ServerPorts, "store" | "transports" | "clock" | "log"> & {
  readonly tokens: ConnectionTokens;
};

export interface LocalFunctions {
  /** Always the same object, so that a gateway finds its members replaced. */
  readonly functions: Functions;
  /** The paths that are hubs now. */
  hubPaths(): readonly string[];
  /** @throws ConfigurationError for anything that `defineService` did not return. */
  replaceService(service: Service): void;
  /** Resolves when every sweep has come to its end: a gateway waits for all but those. */
  swept(): Promise<void>;
}

export function localFunctions(service: Service, ports: LocalPorts): LocalFunctions {
  const sweeps = new Set<Promise<void>>();
  let current = service;
  let startSweep: () => Promise<void>;
  const functions = functionsOf(service);

  function functionsOf(next: Service): Functions {
    const authenticate = authenticatorOf(next, ports.clock, ports.log);
    const all = { ...ports, service: next, authenticate, dialect: core, random: systemRandom };
    const sweep = sweepHandler(all);
    startSweep = () => {
      const run = sweep().finally(() => sweeps.delete(run));
      sweeps.add(run);
      return run;
    };
    return {
      connect: connectHandler(all),
      message: messageHandler(all),
      disconnect: disconnectHandler(all),
      negotiate: negotiateHandler(all),
      sweep: startSweep,
    };
  }

  return {
    functions,
    hubPaths: () => [...current.hubs.keys()],
    replaceService(next) {
      current = checkService(next);
      Object.assign(functions, functionsOf(current));
      // The sweeper that runs knows the old service only; it goes home when a new one has begun.
      startSweep().catch((error) => ports.log.error("The sweeper failed.", { error }));
    },
    async swept() {
      await Promise.allSettled(sweeps);
    },
  };
}
