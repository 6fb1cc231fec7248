// The function URL of the function that streams: its response goes to the client piece by piece.

import type { ServerResponse } from "node:http";
import type { StreamedResponse } from "../apigateway/index.ts";
import type { Clock } from "../hub/index.ts";
import type { FaultSwitches } from "./fault-switches.ts";
import { httpEvent } from "./http-events.ts";
import type { Invocations } from "./invocations.ts";
import type { OriginRequest } from "./origin-request.ts";

interface FunctionUrlOptions {
  readonly invocations: Invocations;
  readonly faults: FaultSwitches;
  readonly clock: Clock;
  /** Streams that are open: whoever closes the gateway cuts them. */
  readonly parked: Set<ServerResponse>;
}

export type FunctionUrl = (request: OriginRequest, response: ServerResponse) => Promise<void>;

export function functionUrl({ invocations, faults, clock, parked }: FunctionUrlOptions): FunctionUrl {
  return async (request, response) => {
    const event = httpEvent(request, Buffer.alloc(0), clock.now());
    if (event === undefined) return answerText(response, 400, "Bad Request");
    if (faults.refusesConnect(request.query)) return answerText(response, 503, "Service Unavailable");
    parked.add(response);
    const stream = new PiecesToClient(response);
    const outcome = await invocations.invoke(
      "stream",
      (functions, context) => functions.stream(event, context, stream),
      true,
    );
    parked.delete(response);
    if (outcome.kind === "returned") stream.end();
    else if (response.headersSent) response.destroy();
    else answerText(response, 502, "Internal Server Error");
  };
}

/** What the function writes. A client that is gone is written to in vain, and nobody is told. */
class PiecesToClient implements StreamedResponse {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  begin(status: number, headers: Readonly<Record<string, string>>): void {
    this.#response.writeHead(status, headers).flushHeaders();
  }

  async write(text: string): Promise<void> {
    if (!this.#response.headersSent) throw new TypeError("A streamed response begins before it is written.");
    if (this.#response.destroyed || this.#response.writableEnded) return;
    if (!this.#response.write(text)) await this.#drained();
  }

  end(): void {
    if (!this.#response.headersSent) this.begin(200, {});
    if (this.#response.writableNeedDrain) this.#response.destroy();
    else this.#response.end();
  }

  /** Or gone. */
  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const goOn = (): void => {
        for (const event of ["drain", "close"]) this.#response.off(event, goOn);
        resolve();
      };
      for (const event of ["drain", "close"]) this.#response.on(event, goOn);
    });
  }
}

function answerText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(text);
}
