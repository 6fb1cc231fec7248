// No hub protocol: what a raw connection speaks. A frame is a text, whatever stands in it, and a text is a frame. There
// is no handshake, and nothing but text can be said: of everything else the empty text is made, which nobody is sent.

import type { HubProtocol, ParsedFrame, ServerMessage } from "../messages.ts";
import { tooLarge } from "./framing.ts";

/** What the hub is asked to do about each text. */
export const RECEIVED = "onReceived";

export const raw: HubProtocol = {
  name: "raw",
  transferFormat: "Text",
  isDelimited: false,
  parse: parseRaw,
  encode: encodeRaw,
  split: (text) => (text === "" ? [] : [text]),
};

/** The empty text is no message: clients may keep a socket from being idle with it. */
function parseRaw(text: string, maximumMessageSize = Number.POSITIVE_INFINITY): ParsedFrame {
  if (text === "") return { messages: [], error: undefined };
  if (Buffer.byteLength(text) > maximumMessageSize) return { messages: [], error: tooLarge(maximumMessageSize) };
  const received = { kind: "invocation", id: undefined, target: RECEIVED, args: [text], streamIds: [] } as const;
  return { messages: [received], error: undefined };
}

/** `send(text)`: to a hub's clients that is a call without arguments. */
function encodeRaw(message: ServerMessage): string {
  if (message.kind !== "invocation") return "";
  const { id, target, args } = message;
  if (id === undefined && args.length === 0 && typeof target === "string") return target;
  throw new TypeError("A raw connection is sent one text: send(text).");
}
