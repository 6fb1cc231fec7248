// What a client streams to a method: its items wait in the table until the worker that runs the method reads them.

import type { CallerPorts } from "./caller.ts";
import type { Work } from "./ports.ts";

export function readUploads(_ports: CallerPorts, { invocation }: Work, _stop: AbortSignal): AsyncIterable<unknown>[] {
  return invocation.streamIds.map(async function* () {});
}
