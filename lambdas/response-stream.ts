// A function whose response is streamed: what the Lambda runtime gives such a function, behind the port that it writes to.

import type { Writable } from "node:stream";
import type { FunctionContext, HttpEvent, StreamedResponse } from "./apigateway/index.ts";

/** A global of the Lambda runtime. @see https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html */
interface LambdaStreams {
  streamifyResponse(
    handler: (event: HttpEvent, response: Writable, context: FunctionContext) => Promise<void>,
  ): (event: HttpEvent) => Promise<void>;
  readonly HttpResponseStream: {
    from(
      response: Writable,
      head: { readonly statusCode: number; readonly headers: Readonly<Record<string, string>> },
    ): Writable;
  };
}

/** The entry point's `handler`. */
export function streamingHandler(
  run: (event: HttpEvent, context: FunctionContext, response: StreamedResponse) => Promise<void>,
  { streamifyResponse, HttpResponseStream }: LambdaStreams = (globalThis as unknown as { awslambda: LambdaStreams })
    .awslambda,
) {
  return streamifyResponse(async (event, response, context) => {
    let body: Writable | undefined;
    const streamed: StreamedResponse = {
      begin(statusCode, headers) {
        body = HttpResponseStream.from(response, { statusCode, headers });
        // The client may be gone, and nobody needs to know.
        body.on("error", () => undefined);
        // The runtime sends the head with the first piece, and without any never.
        body.write("");
      },
      async write(text) {
        if (body === undefined) throw new TypeError("A streamed response begins before it is written.");
        if (body.destroyed || body.writableEnded) return;
        if (!body.write(text)) await drained(body);
      },
      end() {
        // Else the runtime would wait for its client, and bill the time.
        if (body?.writableNeedDrain) body.destroy();
        else body?.end();
      },
    };
    // What it throws is the runtime's to tell: the response is then broken off, or 502 if it has not begun.
    await run(event, context, streamed);
    // The runtime waits for the end of the response, not of the function.
    (body ?? response).end();
  });
}

/** Or gone. */
function drained(body: Writable): Promise<void> {
  return new Promise((resolve) => {
    const goOn = (): void => {
      for (const event of ["drain", "close", "error"]) body.off(event, goOn);
      resolve();
    };
    for (const event of ["drain", "close", "error"]) body.on(event, goOn);
  });
}
