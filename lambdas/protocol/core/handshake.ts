// The handshake of ASP.NET Core SignalR: always JSON, whatever protocol it asks for.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/common/SignalR.Common/src/Protocol/HandshakeProtocol.cs

import type { Handshake, HubProtocol, TransferFormat } from "../messages.ts";
import { RECORD_SEPARATOR } from "./framing.ts";
import { type Fields, findProblem, readObject, wrongType } from "./json.ts";

const NEWEST_VERSION = 2;
const UNEXPECTED = "An unexpected error occurred during connection handshake.";
const TEXT_ONLY =
  "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.";

export function parseHandshake(text: string, transferFormat: TransferFormat = "Text"): Handshake {
  const end = text.indexOf(RECORD_SEPARATOR);
  // A handshake without its end would time out at the reference server, which waits for the rest.
  if (end < 0) return refuse("Handshake was canceled.");
  const toText = transferFormat === "Binary" ? fromUtf8 : (asIs: string) => asIs;
  const record = toText(text.slice(0, end));
  const read = readObject(record);
  const problem =
    "problem" in read ? read.problem : (findProblem(read.fields, checkField) ?? lack(read.fields, record));
  if ("problem" in read || problem !== undefined) return refuse(UNEXPECTED, `InvalidDataException: ${problem}`);
  const { protocol: asked, version } = read.fields as { protocol: string; version: number };
  const protocol = asked.toLowerCase();
  if (!isSupported(protocol)) return refuse(`The protocol '${asked}' is not supported.`);
  if (version > NEWEST_VERSION) {
    return refuse(`The server does not support version ${version} of the '${asked}' protocol.`);
  }
  if (protocol === "messagepack" && transferFormat === "Text") return refuse(TEXT_ONLY);
  const rest = text.slice(end + 1);
  return {
    error: undefined,
    detail: undefined,
    protocol,
    counts: version === 2,
    rest: protocol === "json" ? toText(rest) : rest,
  };
}

export function handshakeReply(error?: string): string {
  return JSON.stringify(error === undefined ? {} : { error }) + RECORD_SEPARATOR;
}

function refuse(error: string, detail?: string): Handshake {
  return { error, detail, protocol: "json", counts: false, rest: "" };
}

function isSupported(protocol: string): protocol is HubProtocol["name"] {
  return protocol === "json" || protocol === "messagepack";
}

/** The text whose bytes in UTF-8 are the characters of a binary string. */
function fromUtf8(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

function lack(fields: Fields, record: string): string | undefined {
  const missing = ["protocol", "version"].find((name) => fields[name] === undefined || fields[name] === null);
  return missing && `Missing required property '${missing}'. Message content: ${record}`;
}

function checkField(name: string, value: unknown): string | undefined {
  if (name === "protocol") return wrongType(name, value, "String");
  return name === "version" && value !== null ? wrongType(name, value, "Number") : undefined;
}
