// The thread of one instance, seen from inside: what the Lambda runtime and the network are to a function.

import { type MessagePort, parentPort } from "node:worker_threads";
import type { FunctionContext, StreamedResponse } from "../apigateway/index.ts";
import type { SdkRequest, SdkRequestHandler, SdkResponse } from "./in-process-handler.ts";
import { type FromFunction, fromThrown, type ServiceName, type ToFunction, toThrown } from "./thread-messages.ts";

export interface FunctionThread {
  /** `requestHandler` of an SDK client: the gateway's thread answers. */
  requestHandler(service: ServiceName): SdkRequestHandler;
  /** A line of JSON for the log. They arrive in order, before what the function returns. */
  writeLog(line: string): void;
  /** The gateway closes: nothing should wait for time to pass any more. */
  onStop(stop: () => void): void;
  /** From now on handles events, also those that came before. */
  handle(handler: Handler): void;
}

/** Of any of the functions; one that streams its response is the one that uses it. */
type Handler = (event: never, context: FunctionContext, response: StreamedResponse) => Promise<unknown>;

type EventMessage = Extract<ToFunction, { readonly kind: "event" }>;

/** @throws TypeError outside of a worker thread. */
export function functionThread(port: MessagePort | null = parentPort): FunctionThread {
  if (port === null) throw new TypeError("A function's thread is started by the local gateway.");
  const waiting = new Map<number, { resolve(response: SdkResponse): void; reject(error: Error): void }>();
  let requests = 0;
  let handler: Handler | undefined;
  let stop = (): void => undefined;
  const events: EventMessage[] = [];
  const pieces: (() => void)[] = [];
  const send = (message: FromFunction): void => port.postMessage(message);
  const response: StreamedResponse = {
    begin: (status, headers) => send({ kind: "begin", status, headers: { ...headers } }),
    write: (text) =>
      new Promise((taken) => {
        pieces.push(taken);
        send({ kind: "piece", text });
      }),
    end: () => send({ kind: "end" }),
  };

  async function run({ event, requestId, time }: EventMessage): Promise<void> {
    const endsAt = performance.now() + time;
    const context: FunctionContext = {
      awsRequestId: requestId,
      getRemainingTimeInMillis: () => Math.max(0, endsAt - performance.now()),
    };
    try {
      send({ kind: "returned", result: await handler?.(event as never, context, response) });
    } catch (error) {
      send({ kind: "threw", error: toThrown(error) });
    }
  }

  function settle(id: number, settled: { response: SdkResponse } | { error: Error }): void {
    const request = waiting.get(id);
    waiting.delete(id);
    if ("error" in settled) request?.reject(settled.error);
    else request?.resolve(settled.response);
  }

  port.on("message", (message: ToFunction) => {
    switch (message.kind) {
      case "event":
        if (handler === undefined) events.push(message);
        else void run(message);
        break;
      case "taken":
        pieces.shift()?.();
        break;
      case "response":
        settle(message.id, { response: message.response });
        break;
      case "failure":
        settle(message.id, { error: fromThrown(message.error) });
        break;
      case "stop":
        stop();
    }
  });

  return {
    requestHandler: (service) => ({
      handle: ({ method, path, headers, body }: SdkRequest) =>
        new Promise((resolve, reject) => {
          const id = requests++;
          waiting.set(id, { resolve: (response) => resolve({ response }), reject });
          send({ kind: "request", id, service, request: { method, path, headers: { ...headers }, body } });
        }),
      // There is no HTTP client to configure.
      updateHttpClientConfig() {},
      httpHandlerConfigs: () => ({}),
    }),
    writeLog: (line) => send({ kind: "log", line }),
    onStop(callback) {
      stop = callback;
    },
    handle(given) {
      handler = given;
      for (const event of events.splice(0)) void run(event);
    },
  };
}
