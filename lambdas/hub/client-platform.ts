// What runs a client, where that matters: each has limits of its own.

import type { ClientRequest } from "./ports.ts";

export type ClientPlatform = "JavaScript" | "Java" | "Swift";

/** `Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20; …)`; .NET and others are not told apart. */
const PLATFORM = /^Microsoft SignalR\/.*; ?(Browser|NodeJS|Java|Swift);/;

/** Undefined for clients about which nothing is to be minded, and for those that do not say. */
export function platformOf({ headers }: Pick<ClientRequest, "headers">): ClientPlatform | undefined {
  const agent = headers["x-signalr-user-agent"] ?? headers["user-agent"] ?? "";
  const named = PLATFORM.exec(agent)?.[1];
  if (named === "Java" || named === "Swift") return named;
  // A browser's socket or event stream says only what browser it is.
  return named !== undefined || agent.startsWith("Mozilla/") ? "JavaScript" : undefined;
}
