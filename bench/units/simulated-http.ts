// The client's side of long polling and of event streams: each verb is one request.

import type { FunctionContext, HttpResult, StreamedResponse } from "../../lambdas/apigateway/index.ts";
import type { pollHandler, streamHandler } from "../../lambdas/handlers.ts";
import type { SimulatedClock } from "../simulated-clock.ts";
import { hubEvent } from "./events.ts";

export interface HttpClient {
  /** Resolves when the poll is answered. The first one opens the transport. */
  poll(): Promise<HttpResult>;
  /** Resolves when what was sent is accepted. @param body a character a byte. */
  post(body: string): Promise<void>;
  /** Ends the connection. */
  delete(): Promise<void>;
  /** Resolves when the stream is over. */
  stream(): Promise<void>;
}

interface Functions {
  readonly poll: ReturnType<typeof pollHandler>;
  readonly stream: ReturnType<typeof streamHandler>;
}

export function httpClient(
  functions: Functions,
  clock: SimulatedClock,
  hub: string,
  connectionToken: string,
): HttpClient {
  const ask = async (method: "GET" | "POST" | "DELETE", body?: string): Promise<HttpResult> => {
    const result = await functions.poll(hubEvent(method, hub, connectionToken, clock.now(), body));
    if (result.statusCode < 300) return result;
    throw new Error(`${method} answered ${result.statusCode}: ${result.body}`);
  };
  return {
    poll: () => ask("GET"),
    async post(body) {
      await ask("POST", body);
    },
    async delete() {
      await ask("DELETE");
    },
    stream: () => functions.stream(hubEvent("GET", hub, connectionToken, clock.now()), CONTEXT, ACCEPTING),
  };
}

/** The function asks its clock for the time, and not its context. */
const CONTEXT: FunctionContext = { awsRequestId: "request", getRemainingTimeInMillis: () => 900_000 };

/** A client that takes everything at once. */
const ACCEPTING: StreamedResponse = {
  begin(status) {
    if (status !== 200) throw new Error(`The stream answered ${status}.`);
  },
  async write() {},
  end() {},
};
