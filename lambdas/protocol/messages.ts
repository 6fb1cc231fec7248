// What clients and servers say to each other, whatever the dialect spells it like. Ids are opaque outside this room.

/** A message from a client. */
export type ClientMessage =
  | {
      readonly kind: "invocation" | "streamInvocation";
      /** Absent when the client wants no completion. */
      readonly id: string | undefined;
      readonly target: string;
      readonly args: readonly unknown[];
      readonly streamIds: readonly string[];
      /** Absent without any. */
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: "streamItem"; readonly id: string; readonly item: unknown }
  | { readonly kind: "completion"; readonly id: string; readonly result?: unknown; readonly error?: string }
  | { readonly kind: "cancelInvocation"; readonly id: string }
  | { readonly kind: "ping" }
  | { readonly kind: "close"; readonly error: string | undefined }
  | { readonly kind: "ack" | "sequence"; readonly sequenceId: number };

/** A message to a client. A result of undefined is sent as null: a caller who gave an id always gets one or an error. */
export type ServerMessage =
  /** With an id, the client is asked for a completion. */
  | { readonly kind: "invocation"; readonly id?: string; readonly target: string; readonly args: readonly unknown[] }
  | { readonly kind: "completion"; readonly id: string; readonly result: unknown }
  | { readonly kind: "completion"; readonly id: string; readonly error: string }
  | { readonly kind: "streamItem"; readonly id: string; readonly item: unknown }
  /** The completion of a stream, which has no result. */
  | { readonly kind: "streamEnd"; readonly id: string }
  | { readonly kind: "ping" }
  | { readonly kind: "close"; readonly error?: string; readonly allowReconnect?: boolean }
  | { readonly kind: "ack" | "sequence"; readonly sequenceId: number }
  /** Takes up a number, and says nothing. */
  | { readonly kind: "filler" };

/** Whether a message counts, on both sides, for stateful reconnect. */
export function isCounted({ kind }: ClientMessage): boolean {
  return !UNCOUNTED.has(kind);
}

const UNCOUNTED: ReadonlySet<ClientMessage["kind"]> = new Set(["ping", "close", "ack", "sequence"]);

/** A peer that breaks the protocol. Its connection is closed; others notice nothing. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code = "protocol_error";
}

/** The messages of one frame in order, and what was wrong behind the last of them, if anything was. */
export interface ParsedFrame {
  readonly messages: readonly ClientMessage[];
  readonly error: ProtocolError | undefined;
}

/** What a protocol's frames are made of, and what a transport can carry: "Binary" carries text as well. */
export type TransferFormat = "Text" | "Binary";

/** How one hub protocol spells messages. */
export interface HubProtocol {
  readonly name: "json" | "messagepack" | "raw";
  /**
   * A frame of a "Binary" protocol is a *binary string* wherever it goes: one character of code 0 to 255 (latin1) per
   * byte, so that frames are joined, kept and queued like text. Its length is its size in bytes; whoever carries it
   * makes bytes of it (`Buffer.from(frame, "latin1")`), and never UTF-8.
   */
  readonly transferFormat: TransferFormat;
  /** Whether messages can be told apart when they are joined: otherwise each is carried by itself. */
  readonly isDelimited: boolean;
  /** A message larger than `maximumMessageSize` is a ProtocolError. Bytes, with its end or prefix. @default no limit */
  parse(text: string, maximumMessageSize?: number): ParsedFrame;
  /**
   * Bytes (`Uint8Array`) and bigints of up to 64 bits may be anywhere in what is sent, whatever the protocol.
   * Empty when the protocol has no words for it: then nothing is to be carried.
   * @throws TypeError when an argument or result cannot be serialised.
   */
  encode(message: ServerMessage): string;
  /** Each message by itself, as it came; what is no whole message comes last. */
  split(text: string): readonly string[];
}

/** What the first frame of a transport says. */
export interface Handshake {
  /** What a refused client is told, in the reference server's words; undefined when the handshake is good. */
  readonly error: string | undefined;
  /** More about the error, for clients only when detailed errors are enabled. */
  readonly detail: string | undefined;
  /** What both sides speak from here on; "json" when the handshake is refused. */
  readonly protocol: HubProtocol["name"];
  /** Whether the client can count messages, as stateful reconnect needs it: version 2. */
  readonly counts: boolean;
  /** What followed in the same frame: messages already, as the protocol's `parse` takes them. */
  readonly rest: string;
}

/** One family of SignalR clients: how they shake hands, and which hub protocols they speak. */
export interface Dialect {
  /**
   * On a transport that carries "Binary", `text` is a binary string, and UTF-8 in it is decoded here, in `rest` too when
   * that is JSON. Of later frames only the caller knows the protocol: there, a JSON client's bytes are the caller's to
   * decode.
   * @default transferFormat "Text"
   */
  parseHandshake(text: string, transferFormat?: TransferFormat): Handshake;
  /** Text, whatever the protocol; only a refusal may hold more than ASCII. */
  handshakeReply(error?: string): string;
  /** The protocol that a handshake agreed on. Undefined and unknown names are JSON's. */
  protocolOf(name: string | undefined): HubProtocol;
  /** JSON's. */
  parse: HubProtocol["parse"];
  /** JSON's. */
  encode: HubProtocol["encode"];
}
