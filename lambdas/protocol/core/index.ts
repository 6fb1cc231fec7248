import type { Dialect, HubProtocol } from "../messages.ts";
import { encode } from "./encode.ts";
import { split } from "./framing.ts";
import { handshakeReply, parseHandshake } from "./handshake.ts";
import { encodeMessagePack } from "./messagepack-encode.ts";
import { splitFrames } from "./messagepack-framing.ts";
import { parseMessagePack } from "./messagepack-parse.ts";
import { parse } from "./parse.ts";
import { raw } from "./raw.ts";

const json: HubProtocol = { name: "json", transferFormat: "Text", isDelimited: true, parse, encode, split };

const messagePack: HubProtocol = {
  name: "messagepack",
  transferFormat: "Binary",
  isDelimited: true,
  parse: parseMessagePack,
  encode: encodeMessagePack,
  split: splitFrames,
};

const protocols = new Map<string | undefined, HubProtocol>([messagePack, raw].map((each) => [each.name, each]));

/** ASP.NET Core SignalR. */
export const core: Dialect = {
  parseHandshake,
  handshakeReply,
  protocolOf: (name) => protocols.get(name) ?? json,
  parse,
  encode,
};
