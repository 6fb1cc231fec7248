// SignalR's JSON protocol and Socket.IO's, as far as the load generator speaks them. Both over one WebSocket from the
// start: SignalR without negotiation, Socket.IO without its polling.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
// https://socket.io/docs/v4/socket-io-protocol/ and https://socket.io/docs/v4/engine-io-protocol/

/** What a server's frame says, as far as anyone waits for it. */
export type Said =
  | { readonly kind: "connected" }
  | { readonly kind: "reply"; readonly id: number }
  | { readonly kind: "push" }
  /** One of a stream that the client asked for. */
  | { readonly kind: "item" }
  /** It wants this answer. */
  | { readonly kind: "question"; readonly answer: string };

export interface Protocol {
  socketUrl(serverUrl: string): string;
  /** The client's first frame. */
  readonly hello: string;
  /** Calls a method that answers. */
  call(id: number, method: string, argument: string | number): string;
  /** Calls one that sends items before it answers. */
  stream(id: number, method: string, count: number): string;
  /** Calls one that answers when it has read all items that follow, each a frame of its own. */
  upload(id: number, method: string, items: number): readonly string[];
  read(frame: string): readonly Said[];
}

const SEPARATOR = "\u001e";

export const signalR: Protocol = {
  socketUrl: (serverUrl) => `${serverUrl.replace("http", "ws")}/bench`,
  hello: `{"protocol":"json","version":1}${SEPARATOR}`,
  call: (id, target, argument) => record({ type: 1, invocationId: String(id), target, arguments: [argument] }),
  stream: (id, target, count) => record({ type: 4, invocationId: String(id), target, arguments: [count] }),
  upload: (id, target, count) => [
    record({ type: 1, invocationId: String(id), target, arguments: [], streamIds: [`items${id}`] }),
    ...Array.from({ length: count }, (_, item) => record({ type: 2, invocationId: `items${id}`, item })),
    record({ type: 3, invocationId: `items${id}` }),
  ],
  read: (frame) => frame.split(SEPARATOR).slice(0, -1).flatMap(readRecord),
};

function record(message: object): string {
  return JSON.stringify(message) + SEPARATOR;
}

function readRecord(text: string): readonly Said[] {
  const message = JSON.parse(text);
  switch (message.type) {
    case undefined:
      return [{ kind: "connected" }];
    case 1: {
      const { invocationId } = message;
      if (invocationId === undefined) return [{ kind: "push" }];
      return [{ kind: "question", answer: record({ type: 3, invocationId, result: true }) }];
    }
    case 2:
      return [{ kind: "item" }];
    case 3:
      return [{ kind: "reply", id: Number(message.invocationId) }];
    default:
      return [];
  }
}

export const socketIO: Protocol = {
  socketUrl: (serverUrl) => `${serverUrl.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`,
  hello: "40",
  call: (id, event, argument) => `42${id}${JSON.stringify([event, argument])}`,
  stream: (id, event, count) => `42${id}${JSON.stringify([event, count])}`,
  upload: (id, event, count) => [
    ...Array.from({ length: count }, (_, item) => `42${JSON.stringify(["item", item])}`),
    `42${id}${JSON.stringify([event])}`,
  ],
  read(frame) {
    if (frame === "2") return [{ kind: "question", answer: "3" }];
    const [, type, id, data] = /^4([023])(\d*)(.*)$/s.exec(frame) ?? [];
    if (type === "0") return [{ kind: "connected" }];
    if (data === undefined) return [];
    const [event] = JSON.parse(data); // As a client would: the generator's own work is to be the same for both.
    if (type === "3") return [{ kind: "reply", id: Number(id) }];
    if (id !== "") return [{ kind: "question", answer: `43${id}[true]` }];
    return [{ kind: event === "item" ? "item" : "push" }];
  },
};
