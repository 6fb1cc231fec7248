// Messages that are larger than their hub takes, where no turn is waited for.

import type { ProtocolError, ServerMessage } from "../protocol/index.ts";
import { type ClosingPorts, closeMarked } from "./closing.ts";
import type { TransportState } from "./connection-state.ts";
import type { Service } from "./define-service.ts";
import { detailOf, type HubOptions, optionsOf } from "./hub-options.ts";
import { protocolOf } from "./protocols.ts";

/** UTF-8 bytes of a character of a JavaScript string, at most. */
const WIDEST = 3;

/**
 * Closes the connection if a message of the frame is too large. For frames that were read with the largest limit of the
 * service: its hubs may have smaller ones.
 */
export async function closeTooLarge(
  ports: ClosingPorts & { readonly service: Service },
  state: TransportState,
  text: string,
): Promise<boolean> {
  const { transportId, hub } = state;
  const options = optionsOf(ports.service, hub);
  const maximum = options.maximumReceiveMessageSize;
  if (text.length * WIDEST <= maximum) return false;
  const { error } = protocolOf(ports, state).parse(text, maximum);
  if (error === undefined) return false;
  const reason = { stopCalled: false, code: "protocol_error", message: error.message } as const;
  await closeMarked(ports, { transportId, reason, message: brokenProtocol(options, error) });
  return true;
}

/** What a client is told that breaks the protocol. */
export function brokenProtocol(options: Required<HubOptions>, { message }: ProtocolError): ServerMessage {
  const error = `Connection closed with an error.${detailOf(options, `InvalidDataException: ${message}`)}`;
  return { kind: "close", error, allowReconnect: true };
}
