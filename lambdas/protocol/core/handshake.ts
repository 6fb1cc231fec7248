// The handshake of ASP.NET Core SignalR: always JSON, whatever protocol it asks for.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md#handshake

import type { Handshake } from "../messages.ts";
import { RECORD_SEPARATOR } from "./framing.ts";

const NEWEST_VERSION = 2;
const UNEXPECTED = "An unexpected error occurred during connection handshake.";

export function parseHandshake(text: string): Handshake {
  const end = text.indexOf(RECORD_SEPARATOR);
  // A handshake without its end would time out at the reference server, which waits for the rest.
  if (end < 0) return refuse("Handshake was canceled.");
  const record = text.slice(0, end);
  const rest = text.slice(end + 1);
  let request: unknown;
  try {
    request = JSON.parse(record);
  } catch {
    return refuse(UNEXPECTED, "InvalidDataException: Error reading JSON.");
  }
  if (typeof request !== "object" || request === null || Array.isArray(request)) {
    return refuse(UNEXPECTED, `InvalidDataException: Unexpected JSON token. Expected a JSON Object.`);
  }
  const { protocol, version } = request as { protocol?: unknown; version?: unknown };
  const problem = missing("protocol", protocol, "string") ?? missing("version", version, "number");
  if (problem !== undefined) return refuse(UNEXPECTED, `InvalidDataException: ${problem} Message content: ${record}`);
  if (String(protocol).toLowerCase() !== "json") return refuse(`The protocol '${protocol}' is not supported.`);
  if (Number(version) > NEWEST_VERSION) {
    return refuse(`The server does not support version ${version} of the 'json' protocol.`);
  }
  return { error: undefined, detail: undefined, rest };
}

export function handshakeReply(error?: string): string {
  return JSON.stringify(error === undefined ? {} : { error }) + RECORD_SEPARATOR;
}

function refuse(error: string, detail?: string): Handshake {
  return { error, detail, rest: "" };
}

function missing(name: string, value: unknown, type: "string" | "number"): string | undefined {
  if (value === undefined) return `Missing required property '${name}'.`;
  const integer = type !== "number" || Number.isInteger(value);
  if (typeof value !== type || !integer)
    return `Expected '${name}' to be of type ${type === "string" ? "String" : "Integer"}.`;
  return undefined;
}
