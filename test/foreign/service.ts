// What clients in other languages are run against: a method for each thing that a client can do.

import { defineHub, defineService, HubException, type JsonValue, upload } from "signalr-lambda";
import { z } from "zod";

interface Client {
  told(text: string, number: number, value: JsonValue): void;
  heard(text: string): void;
  double(number: number): number;
}

/** What happened by name, for whoever asks now or later. Functions run in this process. */
function diary() {
  const events = new Map<string, PromiseWithResolvers>();
  const of = (name: string): PromiseWithResolvers => {
    const event = events.get(name) ?? withResolvers();
    events.set(name, event);
    return event;
  };
  return {
    write: (name: string, what: string): void => of(name).resolve(what),
    read: (name: string): Promise<string> => of(name).promise,
  };
}

interface PromiseWithResolvers {
  readonly promise: Promise<string>;
  readonly resolve: (value: string) => void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve = (_value: string): void => undefined;
  const promise = new Promise<string>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** @param heardFrom is told the `User-Agent` of each request. */
export function foreignService(heardFrom: (userAgent: string) => void) {
  const streams = diary();
  const goodbyes = diary();

  const hub = defineHub<Client>()({
    methods: {
      echo: (_hub, value: JsonValue) => value,
      add: (_hub, first: number, second: number) => first + second,
      nothing: () => undefined,
      connectionId: (hub) => hub.connectionId,
      userName: (hub) => hub.userIdentifier ?? "nobody",
      tellCaller: (hub, text: string, number: number, value: JsonValue) => hub.clients.caller.told(text, number, value),
      join: (hub, group: string) => hub.groups.add(group),
      leave: (hub, group: string) => hub.groups.remove(group),
      tellGroup: (hub, group: string, text: string) => hub.clients.group(group).heard(text),
      tellAll: (hub, text: string) => hub.clients.all.heard(text),
      /** For what is sent and not answered. */
      keep(hub, number: number) {
        hub.items.set("kept", [...kept(hub.items), number]);
      },
      kept: (hub) => kept(hub.items),
      fail(_hub, text: string) {
        throw new HubException(text);
      },
      failSecretly() {
        throw new Error("for the log alone");
      },
      takeLong: {
        args: [z.number()],
        longRunning: true,
        async handler(_hub, milliseconds) {
          await pause(milliseconds);
          return "done";
        },
      },
      *count(_hub, until: number) {
        for (let number = 0; number < until; number++) yield number;
      },
      /** Counts until its client has enough of it, which `streamEnd` then tells. */
      async *countForever(hub, name: string) {
        try {
          for (let number = 0; !hub.aborted.aborted; number++) {
            yield number;
            await pause(50);
          }
        } finally {
          streams.write(name, "stopped");
        }
      },
      streamEnd: (_hub, name: string) => streams.read(name),
      *countAndFail(_hub, text: string) {
        yield 0;
        yield 1;
        throw new HubException(text);
      },
      sum: {
        args: [upload(z.number())],
        /** Says its result as well: not every client asks for that of an upload. */
        async handler(hub, numbers) {
          let sum = 0;
          for await (const number of numbers) sum += number;
          await hub.clients.caller.heard(`sum ${sum}`);
          return sum;
        },
      },
      async askCaller(hub, number: number) {
        return hub.clients.caller.invoke("double", [number], { timeout: 5_000 });
      },
      abort: (hub) => hub.abort(),
      /** How another connection ended, when it has. */
      goodbye: (_hub, connectionId: string) => goodbyes.read(connectionId),
    },
    onDisconnected(hub, { stopCalled, error }) {
      goodbyes.write(hub.connectionId, error?.code ?? (stopCalled ? "stopped" : "lost"));
    },
  });

  return defineService({
    hubs: { foreign: hub, members: { ...hub, authorize: true } },
    auth({ headers, token }) {
      heardFrom(headers["user-agent"] ?? "");
      return token?.startsWith("user:") ? { sub: token.slice("user:".length) } : null;
    },
  });
}

function kept(items: ReadonlyMap<string, JsonValue>): readonly number[] {
  return (items.get("kept") as readonly number[] | undefined) ?? [];
}
