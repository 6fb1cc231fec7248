// Which hub protocol a client speaks: what its handshake chose, or none, if it is one of a raw connection.

import type { Dialect, HubProtocol, ServerMessage } from "../protocol/index.ts";
import type { Service } from "./define-service.ts";

/** The protocol of raw connections, by its name: text, and nothing of SignalR's. */
export const RAW = "raw" satisfies HubProtocol["name"];

export interface Speaker {
  readonly protocol?: string | undefined;
}

export function isRaw({ protocol }: Speaker): boolean {
  return protocol === RAW;
}

export function protocolOf(
  { dialect }: { readonly dialect: Dialect },
  { protocol }: { readonly protocol: string | undefined },
): HubProtocol {
  return dialect.protocolOf(protocol);
}

/** What those clients of a hub speak who have not chosen anything else. */
export function commonProtocol({ hubs }: Pick<Service, "hubs">, path: string): string | undefined {
  return hubs.get(path.toLowerCase())?.definition.protocol;
}

/** One message for many: encoded once for each protocol that one of them speaks. */
export class Encodings {
  readonly #dialect: Dialect;
  readonly #message: ServerMessage;
  readonly #records = new Map<HubProtocol["name"], string>();

  constructor(dialect: Dialect, message: ServerMessage) {
    this.#dialect = dialect;
    this.#message = message;
  }

  /** @throws TypeError when the protocol has no words for it. */
  for(protocol: string | undefined): string {
    const { name, encode } = this.#dialect.protocolOf(protocol);
    const record = this.#records.get(name) ?? encode(this.#message);
    this.#records.set(name, record);
    return record;
  }
}
