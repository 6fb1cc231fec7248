// What a hub calls clients by: proxies typed with the client interface.

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

/**
 * One or many clients. A method call is a send: it resolves when the message was handed to the gateway for every
 * connection addressed, and says nothing about receipt. Types are erased, so nothing else could tell a send from a
 * client result.
 */
export type ClientProxy<Client> = {
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

export type Send = (target: string, args: readonly unknown[]) => Promise<void>;

/** Turns a send into a proxy on which every property is a client method. */
export function clientProxy<Client>(send: Send): ClientProxy<Client> {
  const untyped = (target: string, ...args: unknown[]): Promise<void> => send(target, args);
  return new Proxy(Object.create(null), {
    get(_target, property) {
      // A proxy that answered `then` would be taken for a promise by every await.
      if (typeof property === "symbol" || property === "then") return undefined;
      if (property === "send") return untyped;
      return (...args: unknown[]) => send(property, args);
    },
  }) as ClientProxy<Client>;
}
