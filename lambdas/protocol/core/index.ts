import type { Dialect, HubProtocol } from "../messages.ts";
import { encode } from "./encode.ts";
import { split } from "./framing.ts";
import { handshakeReply, parseHandshake } from "./handshake.ts";
import { encodeMessagePack } from "./messagepack-encode.ts";
import { splitFrames } from "./messagepack-framing.ts";
import { parseMessagePack } from "./messagepack-parse.ts";
import { parse } from "./parse.ts";

const json: HubProtocol = { name: "json", transferFormat: "Text", parse, encode, split };

const messagePack: HubProtocol = {
  name: "messagepack",
  transferFormat: "Binary",
  parse: parseMessagePack,
  encode: encodeMessagePack,
  split: splitFrames,
};

/** ASP.NET Core SignalR. */
export const core: Dialect = {
  parseHandshake,
  handshakeReply,
  protocolOf: (name) => (name === messagePack.name ? messagePack : json),
  parse,
  encode,
};
