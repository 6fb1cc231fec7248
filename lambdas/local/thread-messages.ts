// What a function's thread and the gateway's say to each other. All of it is plain data, as structured clone takes it.

import type { SdkRequest, SdkResponse } from "./in-process-handler.ts";

/** What a function reaches through the gateway's thread. */
export type ServiceName = "dynamodb" | "connections" | "lambda";

/** An error as it crosses threads, where classes are lost. */
export interface ThrownError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
}

export type ToFunction =
  /** One at a time. `time` is how many milliseconds its function has. */
  | { readonly kind: "event"; readonly event: unknown; readonly requestId: string; readonly time: number }
  /** A piece of the response was taken: the next may come. */
  | { readonly kind: "taken" }
  | { readonly kind: "response"; readonly id: number; readonly response: SdkResponse }
  | { readonly kind: "failure"; readonly id: number; readonly error: ThrownError }
  /** Nobody is to sleep any more: the gateway is closing. */
  | { readonly kind: "stop" };

export type FromFunction =
  | { readonly kind: "returned"; readonly result: unknown }
  | { readonly kind: "threw"; readonly error: ThrownError }
  /** Of a function whose response is streamed. */
  | { readonly kind: "begin"; readonly status: number; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: "piece"; readonly text: string }
  | { readonly kind: "end" }
  | { readonly kind: "request"; readonly id: number; readonly service: ServiceName; readonly request: SdkRequest }
  /** A line of the log, as JSON. */
  | { readonly kind: "log"; readonly line: string };

export function toThrown(error: unknown): ThrownError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), stack: undefined, code: undefined };
  const { code } = error as { code?: unknown };
  const isPlain = typeof code === "string" || typeof code === "number";
  return { name: error.name, message: error.message, stack: error.stack, code: isPlain ? code : undefined };
}

export function fromThrown({ name, message, stack, code }: ThrownError): Error {
  return Object.assign(new Error(message), { name, stack, ...(code !== undefined && { code }) });
}
