import type { Dialect } from "../messages.ts";
import { encode } from "./encode.ts";
import { split } from "./framing.ts";
import { handshakeReply, parseHandshake } from "./handshake.ts";
import { parse } from "./parse.ts";

/** ASP.NET Core SignalR over text transports. */
export const core: Dialect = {
  parseHandshake,
  handshakeReply,
  parse,
  encode,
  protocolOf: () => ({ name: "json", transferFormat: "Text", parse, encode, split }),
};
