// SignalR's JSON protocol and Socket.IO's, as far as the load generator speaks them. Both over one WebSocket from the
// start: SignalR without negotiation, Socket.IO without its polling.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
// https://socket.io/docs/v4/socket-io-protocol/ and https://socket.io/docs/v4/engine-io-protocol/

/** What a server's frame says, as far as anyone waits for it. */
export type Said =
  | { readonly kind: "connected" }
  | { readonly kind: "reply"; readonly id: number }
  | { readonly kind: "push" }
  /** It wants this answer. */
  | { readonly kind: "ping"; readonly answer: string };

export interface Protocol {
  socketUrl(serverUrl: string): string;
  /** The client's first frame. */
  readonly hello: string;
  /** Calls a method that answers. */
  call(id: number, method: string, text: string): string;
  read(frame: string): readonly Said[];
}

const SEPARATOR = "\u001e";

export const signalR: Protocol = {
  socketUrl: (serverUrl) => `${serverUrl.replace("http", "ws")}/bench`,
  hello: `{"protocol":"json","version":1}${SEPARATOR}`,
  call: (id, target, text) =>
    JSON.stringify({ type: 1, invocationId: String(id), target, arguments: [text] }) + SEPARATOR,
  read: (frame) => frame.split(SEPARATOR).slice(0, -1).flatMap(readRecord),
};

function readRecord(text: string): readonly Said[] {
  const record = JSON.parse(text);
  switch (record.type) {
    case undefined:
      return [{ kind: "connected" }];
    case 1:
      return [{ kind: "push" }];
    case 3:
      return [{ kind: "reply", id: Number(record.invocationId) }];
    default:
      return [];
  }
}

export const socketIO: Protocol = {
  socketUrl: (serverUrl) => `${serverUrl.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`,
  hello: "40",
  call: (id, event, text) => `42${id}${JSON.stringify([event, text])}`,
  read(frame) {
    if (frame === "2") return [{ kind: "ping", answer: "3" }];
    const [, type, id, data] = /^4([023])(\d*)(.*)$/s.exec(frame) ?? [];
    if (type === "0") return [{ kind: "connected" }];
    if (data === undefined) return [];
    JSON.parse(data); // As a client would: the generator's own work is to be the same for both.
    return type === "2" ? [{ kind: "push" }] : [{ kind: "reply", id: Number(id) }];
  },
};
