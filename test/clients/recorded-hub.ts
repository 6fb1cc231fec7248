// A hub whose events can be looked at: what every connection lives through reads `connected reconnected* disconnected`.

import { defineHub } from "signalr-lambda";
import { Arrivals } from "../local/local-gateway.ts";

interface Client {
  told(text: unknown): void;
}

interface Event {
  readonly connectionId: string;
  /** `connected`, `reconnected`, or `disconnected` with stopCalled and the error's code. */
  readonly name: string;
}

export function recordedHub() {
  const events = new Arrivals<Event>();
  /** What `note` and `echo` were called with, in order. */
  const runs: unknown[] = [];
  const started = new Arrivals<string>();
  let goOn = (): void => undefined;
  const working = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const chat = defineHub<Client>()({
    methods: {
      join: (hub, group: string) => hub.groups.add(group),
      remember: (hub, value: string) => void hub.items.set("value", value),
      recall: async (hub) => [hub.items.get("value"), await hub.groups.list()],
      tell: (hub, group: string, text: unknown) => hub.clients.group(group).told(text),
      tellMe: (hub, text: unknown) => hub.clients.caller.told(text),
      tellUser: (hub, user: string, text: unknown) => hub.clients.user(user).told(text),
      tellAll: (hub, text: unknown) => hub.clients.all.told(text),
      tellOne: (hub, connectionId: string, text: unknown) => hub.clients.client(connectionId).told(text),
      note: (_hub, value: unknown) => void runs.push(value),
      echo(_hub, value: unknown) {
        runs.push(value);
        return value;
      },
      async work(_hub, value: string) {
        started.push(value);
        await working;
        return value;
      },
      leave: (hub) => hub.abort(),
    },
    onConnected: (hub) => events.push({ connectionId: hub.connectionId, name: "connected" }),
    onReconnected: (hub) => events.push({ connectionId: hub.connectionId, name: "reconnected" }),
    onDisconnected: (hub, { stopCalled, error }) =>
      events.push({ connectionId: hub.connectionId, name: `disconnected ${stopCalled} ${error?.code}` }),
  });
  return {
    hubs: { chat },
    events,
    runs,
    /** What `work` was called with. */
    started,
    /** Lets every `work` return. */
    goOn: () => goOn(),
    /** The names of the events, of one connection or of all. */
    names: (connectionId?: string | null) =>
      events.all.filter((event) => !connectionId || event.connectionId === connectionId).map(({ name }) => name),
  };
}

/** What is wrong with the order in which events came; undefined when nothing is. */
export function disorder(events: readonly Event[]): string | undefined {
  const byConnection = new Map<string, string>();
  for (const { connectionId, name } of events) {
    byConnection.set(connectionId, `${byConnection.get(connectionId) ?? ""}${name.split(" ")[0]} `);
  }
  const wrong = [...byConnection.values()].filter(
    (names) => !/^connected (reconnected )*(disconnected )?$/.test(names),
  );
  return wrong.length === 0 ? undefined : wrong.join("; ");
}
