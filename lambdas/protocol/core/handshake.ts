// The handshake of ASP.NET Core SignalR: always JSON, whatever protocol it asks for.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/common/SignalR.Common/src/Protocol/HandshakeProtocol.cs

import type { Handshake } from "../messages.ts";
import { RECORD_SEPARATOR } from "./framing.ts";
import { type Fields, findProblem, readObject, wrongType } from "./json.ts";

const NEWEST_VERSION = 2;
const UNEXPECTED = "An unexpected error occurred during connection handshake.";

export function parseHandshake(text: string): Handshake {
  const end = text.indexOf(RECORD_SEPARATOR);
  // A handshake without its end would time out at the reference server, which waits for the rest.
  if (end < 0) return refuse("Handshake was canceled.");
  const record = text.slice(0, end);
  const read = readObject(record);
  const problem =
    "problem" in read ? read.problem : (findProblem(read.fields, checkField) ?? lack(read.fields, record));
  if ("problem" in read || problem !== undefined) return refuse(UNEXPECTED, `InvalidDataException: ${problem}`);
  const { protocol, version } = read.fields as { protocol: string; version: number };
  if (protocol.toLowerCase() !== "json") return refuse(`The protocol '${protocol}' is not supported.`);
  if (version > NEWEST_VERSION) {
    return refuse(`The server does not support version ${version} of the '${protocol}' protocol.`);
  }
  return { error: undefined, detail: undefined, counts: version === 2, rest: text.slice(end + 1), protocol: "json" };
}

export function handshakeReply(error?: string): string {
  return JSON.stringify(error === undefined ? {} : { error }) + RECORD_SEPARATOR;
}

function refuse(error: string, detail?: string): Handshake {
  return { error, detail, counts: false, rest: "", protocol: "json" };
}

function lack(fields: Fields, record: string): string | undefined {
  const missing = ["protocol", "version"].find((name) => fields[name] === undefined || fields[name] === null);
  return missing && `Missing required property '${missing}'. Message content: ${record}`;
}

function checkField(name: string, value: unknown): string | undefined {
  if (name === "protocol") return wrongType(name, value, "String");
  return name === "version" && value !== null ? wrongType(name, value, "Number") : undefined;
}
