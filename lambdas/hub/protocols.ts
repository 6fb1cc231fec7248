// Which hub protocol a client speaks.

import type { Dialect, HubProtocol, ServerMessage } from "../protocol/index.ts";

export function protocolOf(
  { dialect }: { readonly dialect: Dialect },
  { protocol }: { readonly protocol: string | undefined },
): HubProtocol {
  return dialect.protocolOf(protocol);
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
