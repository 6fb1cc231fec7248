// One instance of a function: a thread with a memory of its own, that handles one event at a time and may die of it.

import { Worker } from "node:worker_threads";
import type { FunctionContext, StreamedResponse } from "../apigateway/index.ts";
import type { Log, LogFields } from "../hub/index.ts";
import type { SdkRequest, SdkRequestHandler } from "./in-process-handler.ts";
import { type FromFunction, fromThrown, type ServiceName, type ToFunction, toThrown } from "./thread-messages.ts";

export interface InstanceOptions {
  /** What the thread runs: it takes events by `functionThread`. */
  readonly entry: URL;
  /** The thread's `workerData`. */
  readonly data: unknown;
  readonly services: Readonly<Record<ServiceName, Pick<SdkRequestHandler, "handle">>>;
  readonly log: Log;
}

/** The thread of a function ended in the middle of an invocation. */
export class FunctionDiedError extends Error {
  override readonly name = "FunctionDiedError";
  readonly code = "function_died";
}

type ResponseMessage = Extract<FromFunction, { readonly kind: "begin" | "piece" | "end" }>;

interface Invocation {
  readonly response: StreamedResponse | undefined;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export class Instance {
  readonly #worker: Worker;
  readonly #options: InstanceOptions;
  readonly #ended: Promise<void>;
  #invocation: Invocation | undefined;
  #isAlive = true;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#worker = new Worker(options.entry, { workerData: options.data });
    this.#worker.on("message", (message: FromFunction) => this.#hear(message));
    this.#worker.on("error", (error) => this.#die(error));
    this.#ended = new Promise((resolve) => {
      this.#worker.on("exit", (code) => {
        this.#die(new FunctionDiedError(`The function ended its own process, with exit code ${code}.`));
        resolve();
      });
    });
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Rejects with what the function throws, or what its thread dies of. */
  invoke(event: unknown, context: FunctionContext, response?: StreamedResponse): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#invocation = { resolve, reject, response };
      const { awsRequestId: requestId } = context;
      this.#send({ kind: "event", event, requestId, time: context.getRemainingTimeInMillis() });
    });
  }

  /** Wakes what sleeps in the thread, so that it comes to its end. */
  stop(): void {
    this.#send({ kind: "stop" });
  }

  /** Ends the thread, whatever it is doing. @param reason what an invocation that runs is rejected with. */
  async end(reason: string): Promise<void> {
    this.#die(new FunctionDiedError(reason));
    await this.#worker.terminate();
    await this.#ended;
  }

  #die(error: Error): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    const invocation = this.#takeInvocation();
    if (invocation === undefined) this.#options.log.debug("An instance of a function is gone.", { error });
    else invocation.reject(error);
  }

  #hear(message: FromFunction): void {
    switch (message.kind) {
      case "returned":
        this.#takeInvocation()?.resolve(message.result);
        break;
      case "threw":
        this.#takeInvocation()?.reject(fromThrown(message.error));
        break;
      case "begin":
      case "piece":
      case "end":
        // What is wrong with it fails the function, as it does in this thread.
        this.#respond(message).catch((error: Error) => this.#takeInvocation()?.reject(error));
        break;
      case "request":
        void this.#serve(message.id, message.service, message.request);
        break;
      case "log":
        this.#log(message.line);
    }
  }

  async #serve(id: number, service: ServiceName, request: SdkRequest): Promise<void> {
    try {
      const { response } = await this.#options.services[service].handle(request);
      // A copy, because what a Buffer lies in is sent as a whole.
      this.#send({ kind: "response", id, response: { ...response, body: new Uint8Array(response.body) } });
    } catch (error) {
      this.#send({ kind: "failure", id, error: toThrown(error) });
    }
  }

  async #respond(message: ResponseMessage): Promise<void> {
    const response = this.#invocation?.response;
    if (message.kind === "begin") return response?.begin(message.status, message.headers);
    if (message.kind === "end") return response?.end();
    await response?.write(message.text);
    this.#send({ kind: "taken" });
  }

  #log(line: string): void {
    const { level, message, ...fields } = JSON.parse(line) as LogFields & { level: "debug"; message: string };
    this.#options.log[level](message, fields);
  }

  #takeInvocation(): Invocation | undefined {
    const invocation = this.#invocation;
    this.#invocation = undefined;
    return invocation;
  }

  /** To a thread that has ended, messages are lost: there is nobody to miss them. */
  #send(message: ToFunction): void {
    this.#worker.postMessage(message);
  }
}
