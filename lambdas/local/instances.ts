// The instances of one function, as Lambda keeps them: an event goes to one that is free, or starts another.

import type { FunctionContext, StreamedResponse } from "../apigateway/index.ts";
import { Instance, type InstanceOptions } from "./instance.ts";

export interface InstanceLimits {
  /** How many there may be; further events wait for one to be free. Lambda has a thousand, a machine less memory. */
  readonly concurrency: number;
  /** How long an instance may be idle before it goes. Milliseconds. */
  readonly idleTime: number;
}

const LIMITS: InstanceLimits = { concurrency: 32, idleTime: 60_000 };

export class Instances {
  #options: InstanceOptions;
  readonly #limits: InstanceLimits;
  readonly #all = new Set<Instance>();
  /** The one used last is used first, so that the others go. */
  readonly #idle: { readonly instance: Instance; readonly retirement: NodeJS.Timeout }[] = [];
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** Instances that were started with another are not used any more. */
  #current = new Set<Instance>();

  constructor(options: InstanceOptions, limits: Partial<InstanceLimits> = {}) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** Rejects with what the function throws, and when its instance dies or runs out of time. */
  async invoke(event: unknown, context: FunctionContext, response?: StreamedResponse): Promise<unknown> {
    if (this.#running < this.#limits.concurrency) this.#running += 1;
    else await new Promise<void>((goOn) => this.#waiting.push(goOn));
    const instance = this.#take();
    // As on Lambda: who is out of time is ended, whatever it is doing.
    const limit = setTimeout(
      () => void instance.end("The function ran out of time and was ended."),
      context.getRemainingTimeInMillis(),
    );
    try {
      return await instance.invoke(event, context, response);
    } finally {
      clearTimeout(limit);
      this.#giveBack(instance);
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** A deploy: no instance handles an event after the one it has. */
  replace(options: InstanceOptions): void {
    this.#options = options;
    this.#current = new Set();
    for (const { instance, retirement } of this.#idle.splice(0)) this.#retire(instance, retirement);
  }

  /** Wakes what sleeps in any instance. */
  stop(): void {
    for (const instance of this.#all) instance.stop();
  }

  /** Ends all instances, whatever they are doing. */
  async end(): Promise<void> {
    for (const { retirement } of this.#idle.splice(0)) clearTimeout(retirement);
    this.#current = new Set();
    await Promise.all([...this.#all].map((instance) => this.#end(instance)));
  }

  #take(): Instance {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      clearTimeout(idle.retirement);
      if (idle.instance.isAlive) return idle.instance;
      this.#all.delete(idle.instance);
    }
    const instance = new Instance(this.#options);
    this.#all.add(instance);
    this.#current.add(instance);
    return instance;
  }

  #giveBack(instance: Instance): void {
    if (!instance.isAlive || !this.#current.has(instance)) return void this.#end(instance);
    const retirement = setTimeout(() => {
      const index = this.#idle.findIndex((idle) => idle.instance === instance);
      this.#idle.splice(index, 1);
      this.#retire(instance, retirement);
    }, this.#limits.idleTime);
    retirement.unref();
    this.#idle.push({ instance, retirement });
  }

  #retire(instance: Instance, retirement: NodeJS.Timeout): void {
    clearTimeout(retirement);
    void this.#end(instance);
  }

  async #end(instance: Instance): Promise<void> {
    this.#current.delete(instance);
    await instance.end("The instance is not needed any more.");
    this.#all.delete(instance);
  }
}
