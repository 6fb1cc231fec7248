import { randomUUID } from "node:crypto";
import { API_GATEWAY, type FunctionContext, LAMBDA } from "../apigateway/index.ts";
import type { Clock, Log } from "../hub/index.ts";
import type { FaultSwitches } from "./fault-switches.ts";
import type { FunctionName, Functions } from "./functions.ts";

/** Where API Gateway waits, it is the one that waits no longer; elsewhere the function's own time-out ends it. */
const TIME_LIMITS: Readonly<Record<FunctionName, number>> = {
  connect: API_GATEWAY.integrationTimeout,
  message: API_GATEWAY.integrationTimeout,
  disconnect: API_GATEWAY.integrationTimeout,
  negotiate: API_GATEWAY.integrationTimeout,
  poll: API_GATEWAY.integrationTimeout,
  stream: LAMBDA.timeout,
  work: LAMBDA.timeout,
  sweep: 180_000,
};

/** When Lambda tries an asynchronous invocation again. Milliseconds. */
const RETRY_AFTER = 60_000;

export type Outcome<Result> =
  | { readonly kind: "returned"; readonly result: Result }
  | { readonly kind: "failed" }
  | { readonly kind: "timed out" };

interface Dependencies {
  readonly functions: Functions;
  readonly faults: FaultSwitches;
  readonly clock: Clock;
  readonly log: Log;
}

/** Lambda: starts functions, bounds them in time, and knows which still run. */
export class Invocations {
  readonly #functions: Functions;
  readonly #faults: FaultSwitches;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #running = new Set<Promise<unknown>>();
  readonly #timers = new Set<AbortController>();
  readonly #stopped = new AbortController();

  constructor({ functions, faults, clock, log }: Dependencies) {
    this.#functions = functions;
    this.#faults = faults;
    this.#clock = clock;
    this.#log = log;
  }

  /** Aborted by `stop`; whoever delays an invocation waits no longer than this. */
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  /**
   * Calls the function before it returns, so that invocations start in the order of their events. Never rejects. A
   * function that runs out of time goes on running, as on AWS, but nobody hears of it any more.
   *
   * @param isParked whether it only waits for something to happen: nobody waits for it when the gateway closes.
   */
  async invoke<Result>(
    name: FunctionName,
    call: (functions: Functions, context: FunctionContext) => Promise<Result>,
    isParked = false,
  ): Promise<Outcome<Result>> {
    if (this.#stopped.signal.aborted) return { kind: "failed" };
    const run = this.#run(name, call);
    // Sweeps and workers may last minutes, and can be cut at any point: nobody waits for them.
    if (!isParked && name !== "sweep" && name !== "work") this.#track(run);

    const outcome = await Promise.race([run, this.#timeLimit(TIME_LIMITS[name], run)]);
    if (outcome.kind === "timed out") {
      this.#log.error("A function ran out of time.", { function: name, milliseconds: TIME_LIMITS[name] });
    }
    return outcome;
  }

  /** As Lambda does without anybody waiting: what fails is tried once more. */
  async invokeLater(call: (functions: Functions, context: FunctionContext) => Promise<void>): Promise<void> {
    for (let tries = 1; tries <= 2; tries++) {
      if ((await this.invoke("work", call)).kind === "returned") return;
      await this.#clock.sleep(RETRY_AFTER, this.#stopped.signal);
    }
  }

  /** From now on nothing starts. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Resolves when everything but sweeps, workers and what is parked has come to its end, however long that takes. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Waits for no function any more: no timer is left that would keep the process alive. */
  abandon(): void {
    for (const timer of this.#timers) timer.abort();
  }

  async #run<Result>(
    name: FunctionName,
    call: (functions: Functions, context: FunctionContext) => Promise<Result>,
  ): Promise<Outcome<Result>> {
    try {
      this.#faults.strikeFunction(name);
      return { kind: "returned", result: await call(this.#functions, this.#context(TIME_LIMITS[name])) };
    } catch (error) {
      const isCutOff = this.#stopped.signal.aborted;
      if (isCutOff) this.#log.info("A function was cut off: its server is closing.", { function: name, error });
      else this.#log.error("A function threw.", { function: name, error });
      return { kind: "failed" };
    }
  }

  async #timeLimit(milliseconds: number, run: Promise<unknown>): Promise<Outcome<never>> {
    const timer = new AbortController();
    this.#timers.add(timer);
    void run.then(() => timer.abort());
    await this.#clock.sleep(milliseconds, timer.signal);
    this.#timers.delete(timer);
    return { kind: this.#stopped.signal.aborted ? "failed" : "timed out" };
  }

  #context(limit: number): FunctionContext {
    const endsAt = this.#clock.now() + limit;
    return {
      awsRequestId: randomUUID(),
      // None when the gateway closes: who waits for the end of its time is to go home.
      getRemainingTimeInMillis: () => (this.#stopped.signal.aborted ? 0 : Math.max(0, endsAt - this.#clock.now())),
    };
  }

  #track(run: Promise<unknown>): void {
    this.#running.add(run);
    void run.finally(() => this.#running.delete(run));
  }
}
