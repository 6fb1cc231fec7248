// What a hub calls clients by: proxies typed with the client interface.

import type { Answers, InvokeOptions } from "./client-results.ts";

// biome-ignore lint/suspicious/noExplicitAny: a position that must accept every function
type AnyFunction = (...args: any[]) => any;
/** Names of the untyped forms, and of Promise: a client interface cannot use them. */
type Reserved = "send" | "invoke" | "invokeAll" | "then";

/** Constrains a client interface to methods under usable names. */
export type ClientInterface<Client> = {
  [Key in keyof Client]: Key extends Reserved ? never : Client[Key] extends AnyFunction ? Client[Key] : never;
};

// biome-ignore lint/suspicious/noExplicitAny: see AnyFunction
type IsVoid<Method> = Method extends (...args: any[]) => infer Result
  ? // biome-ignore lint/suspicious/noConfusingVoidType: the question is whether the author wrote void
    [Awaited<Result>] extends [void]
    ? true
    : false
  : never;

type Arguments<Method> = Method extends (...args: infer Args) => unknown ? Args : never;
type ResultOf<Method> = Method extends (...args: never) => infer Result ? Awaited<Result> : never;
/** The methods of a client interface that return something. */
type WithResult<Client> = { [Key in keyof Client]: IsVoid<Client[Key]> extends true ? never : Key }[keyof Client];
/** A name that the client interface does not have. */
type Untyped<Client, Name extends string> = Name & (Name extends keyof Client ? never : unknown);

type Sends<Client> = {
  /** The untyped send. */
  send(target: string, ...args: unknown[]): Promise<void>;
} & {
  [Key in keyof Client as IsVoid<Client[Key]> extends true ? Key : never]: Client[Key] extends (
    ...args: infer Args
    // biome-ignore lint/suspicious/noExplicitAny: see AnyFunction
  ) => any
    ? (...args: Args) => Promise<void>
    : never;
};

/**
 * Many clients. A method call is a send: it resolves when the message was handed to the gateway for every connection
 * addressed, and says nothing about receipt. Types are erased, so nothing else could tell a send from a client result.
 */
export type ClientProxy<Client> = Sends<Client> & {
  /**
   * Asks every connection addressed, and collects what they answer until all have, or time is up.
   *
   * @example
   * const { results, missing } = await hub.clients.group("table 4").invokeAll("confirm", ["Ready?"], { timeout: 5000 });
   */
  invokeAll<Key extends WithResult<Client>>(
    target: Key,
    args: Arguments<Client[Key]>,
    options?: InvokeOptions,
  ): Promise<Answers<ResultOf<Client[Key]>>>;
  invokeAll<Result = unknown, Name extends string = string>(
    target: Untyped<Client, Name>,
    args: readonly unknown[],
    options?: InvokeOptions,
  ): Promise<Answers<Result>>;
};

/** One client: what is sent to it, and what it is asked for. */
export type SingleClientProxy<Client> = Sends<Client> & {
  /**
   * A client result: asks the client, and resolves with its answer.
   *
   * @throws HubException with the client's error; Error when there is no such connection or it ends before it answers;
   *   InvocationCanceledError when time is up or the signal fires.
   * @example
   * const isSure = await hub.clients.client(id).invoke("confirm", ["Sure?"], { timeout: 5000 });
   */
  invoke<Key extends WithResult<Client>>(
    target: Key,
    args: Arguments<Client[Key]>,
    options?: InvokeOptions,
  ): Promise<ResultOf<Client[Key]>>;
  invoke<Result = unknown, Name extends string = string>(
    target: Untyped<Client, Name>,
    args: readonly unknown[],
    options?: InvokeOptions,
  ): Promise<Result>;
};

export type Send = (target: string, args: readonly unknown[]) => Promise<void>;
type Ask = (target: string, args: readonly unknown[], options?: InvokeOptions) => Promise<unknown>;

/** Turns a send into a proxy on which every property is a client method. */
export function clientProxy<Client>(send: Send, askAll: Ask): ClientProxy<Client> {
  const invoke = () => Promise.reject(new TypeError("InvokeAsync only works with Single clients."));
  return proxy(send, { invokeAll: askAll, invoke }) as ClientProxy<Client>;
}

export function singleClientProxy<Client>(send: Send, ask: Ask): SingleClientProxy<Client> {
  return proxy(send, { invoke: ask }) as SingleClientProxy<Client>;
}

function proxy(send: Send, reserved: Readonly<Record<string, unknown>>): unknown {
  const untyped = (target: string, ...args: unknown[]): Promise<void> => send(target, args);
  return new Proxy(Object.create(null), {
    get(_target, property) {
      // A proxy that answered `then` would be taken for a promise by every await.
      if (typeof property === "symbol" || property === "then") return undefined;
      if (property === "send") return untyped;
      if (Object.hasOwn(reserved, property)) return reserved[property];
      return (...args: unknown[]) => send(property, args);
    },
  });
}
