// A connection of the stock client, seen through the definition of the hub that it talks to. Types only: at run time it
// is the connection itself.

// biome-ignore lint/suspicious/noExplicitAny: a position that must accept every function
type AnyFunction = (...args: any[]) => any;
type IsAny<Type> = 0 extends 1 & Type ? true : false;

/** What `stream` returns: the stock client's `IStreamResult`. */
export interface StreamResult<Item> {
  subscribe(observer: { closed?: boolean; next(value: Item): void; error(error: unknown): void; complete(): void }): {
    dispose(): void;
  };
}

/** The members of the stock client's `HubConnection` that know names. */
export interface UntypedConnection {
  invoke(methodName: string, ...args: unknown[]): Promise<unknown>;
  send(methodName: string, ...args: unknown[]): Promise<void>;
  stream(methodName: string, ...args: unknown[]): StreamResult<unknown>;
  on(methodName: string, newMethod: AnyFunction): void;
  off(methodName: string, method?: AnyFunction): void;
}

/** What `defineHub` returns, as far as a client is concerned. */
interface Definition {
  readonly _client?: unknown;
  readonly methods: unknown;
}

type ClientOf<Hub> = Hub extends { readonly _client?: infer Client } ? NonNullable<Client> : never;
type MethodsOf<Hub> = Hub extends { readonly methods: infer Methods } ? Methods : never;

/** By the names that clients use: `name` of a method, else its key. */
type Published<Methods> = {
  [Key in keyof Methods as Methods[Key] extends AnyFunction
    ? Key
    : Methods[Key] extends { readonly name: infer Name extends string }
      ? Name
      : Key]: Methods[Key];
};

/** What a client passes for one argument. An upload is a stream of its items: a `Subject`, or what `stream` returned. */
type Argument<Input> =
  IsAny<Input> extends true ? Input : Input extends AsyncIterable<infer Item> ? StreamResult<Item> : Input;
type Arguments<Inputs> = { -readonly [Index in keyof Inputs]: Argument<Inputs[Index]> };
/** What a Standard Schema takes, before it has parsed. */
type Input<Schema> = Schema extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly input: infer Input }
    ? Input
    : unknown
  : never;
type Inputs<Schemas> = { -readonly [Index in keyof Schemas]: Input<Schemas[Index]> };

type ArgumentsOf<Method> = Method extends { readonly args: infer Schemas extends readonly unknown[] }
  ? Extract<Arguments<Inputs<Schemas>>, readonly unknown[]>
  : // biome-ignore lint/suspicious/noExplicitAny: any caller, any result
    Method extends (hub: any, ...args: infer Given) => any
    ? Arguments<Given>
    : never;

type ResultOf<Method> = Method extends { readonly handler: infer Handler extends AnyFunction }
  ? Awaited<ReturnType<Handler>>
  : Method extends AnyFunction
    ? Awaited<ReturnType<Method>>
    : never;

/** What can be streamed. Arrays and strings can be iterated, too, but are results. */
type Streamed<Item> = AsyncIterable<Item> | (Iterable<Item> & { next: unknown });
type ItemOf<Result> = Result extends Streamed<infer Item> ? Item : never;
/** False for `any` and `never`, which extend everything. */
type IsStream<Result> =
  IsAny<Result> extends true
    ? false
    : [Result] extends [never]
      ? false
      : Result extends Streamed<unknown>
        ? true
        : false;

type StreamNames<Methods> = {
  [Name in keyof Methods]: true extends IsStream<ResultOf<Methods[Name]>> ? Name : never;
}[keyof Methods];

/** A handler of a client method. One that has a result in the client interface must give it. */
type HandlerOf<Method> = Method extends (...args: infer Args) => infer Result
  ? // biome-ignore lint/suspicious/noConfusingVoidType: the question is whether the author wrote void
    [Awaited<Result>] extends [void]
    ? (...args: Args) => void
    : (...args: Args) => Awaited<Result> | PromiseLike<Awaited<Result>>
  : never;

/** What {@link typed} makes of a connection. */
export interface TypedConnection<Client, Methods> {
  /** Runs a method and waits for its result. A streaming method has none: `stream` it. */
  invoke<Name extends Exclude<keyof Methods, StreamNames<Methods>>>(
    methodName: Name,
    ...args: ArgumentsOf<Methods[Name]>
  ): Promise<ResultOf<Methods[Name]>>;
  /** Runs a method and waits for nothing but the sending. */
  send<Name extends keyof Methods>(methodName: Name, ...args: ArgumentsOf<Methods[Name]>): Promise<void>;
  stream<Name extends StreamNames<Methods>>(
    methodName: Name,
    ...args: ArgumentsOf<Methods[Name]>
  ): StreamResult<ItemOf<ResultOf<Methods[Name]>>>;
  on<Name extends keyof Client>(methodName: Name, newMethod: HandlerOf<Client[Name]>): void;
  /** Takes one handler away, or all of the name. */
  off<Name extends keyof Client>(methodName: Name, method?: HandlerOf<Client[Name]>): void;
}

/**
 * The same connection, with `invoke`, `send`, `stream`, `on` and `off` checked against a hub. Names are as the hub
 * spells them, arguments what its schemas take, results as the method returns them: JSON makes strings of dates.
 *
 * @example
 * import type { chat } from "./realtime.ts"; // a type: nothing of the server gets into the page
 *
 * const hub = typed<typeof chat>(connection);
 * hub.on("receiveMessage", (user, text) => console.log(user, text));
 * await hub.invoke("sendMessage", "lobby", "Hello");
 */
export function typed<Hub extends Definition>(
  connection: UntypedConnection,
): TypedConnection<ClientOf<Hub>, Published<MethodsOf<Hub>>> {
  return connection as unknown as TypedConnection<ClientOf<Hub>, Published<MethodsOf<Hub>>>;
}
