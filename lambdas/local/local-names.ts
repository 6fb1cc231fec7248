// Which names mean this machine, to whoever asks.

const LOCAL_NAME = /^(localhost|[\w.-]+\.localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

/** Whether a host, as one listens on it or as a URL has it, can be nothing but a loopback address. */
export function isLocalName(host: string): boolean {
  return LOCAL_NAME.test(host);
}

/**
 * Decides by the `Host` header whether to answer. A page of evil.test whose name is made to resolve to 127.0.0.1 (DNS
 * rebinding) is of the same origin as a local server, to its browser and to the hubs; only the name gives it away. Who
 * listens on another host has opened the server to others, under names that nobody here knows.
 */
export function hostCheck(listening = "127.0.0.1"): (header: string | undefined) => boolean {
  if (!isLocalName(listening)) return () => true;
  return (header = "") => isLocalName(header.replace(/:\d+$/, ""));
}

export const FOREIGN_HOST =
  "This server listens on a loopback address and answers to localhost only. For other names, start it with another host.";
