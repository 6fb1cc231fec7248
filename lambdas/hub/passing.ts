// Messages that pass the turn: they reach what runs already.

import type { ClientMessage } from "../protocol/index.ts";
import { toPortable } from "../protocol/index.ts";
import type { CallerPorts } from "./caller.ts";
import { isQuestionId } from "./client-results.ts";
import type { TransportState } from "./connection-state.ts";
import { endConnection } from "./ending.ts";
import { workKey } from "./hand-over.ts";
import { detailOf, optionsOf } from "./hub-options.ts";
import { isTooLong } from "./names.ts";
import { takesUploads } from "./upload.ts";
import { receiveUpload } from "./uploads.ts";

/** Answers and cancels that nobody waits for, and counters that nobody asked for, are ignored. */
export async function passOn(
  ports: CallerPorts,
  state: TransportState,
  message: ClientMessage,
  receivedAt: number,
): Promise<void> {
  // Nothing is begun under a name that is no part of a key.
  if (!("id" in message) || message.id === undefined || isTooLong(message.id)) return;
  switch (message.kind) {
    case "completion":
      if (isQuestionId(message.id)) return answer(ports, state, message);
      break;
    case "cancelInvocation":
      return ports.store.cancelWork(state.connectionId, workKey(state, message.id));
    case "streamItem":
      break;
    default:
      return;
  }
  const hub = ports.service.hubs.get(state.hub.toLowerCase());
  if (hub !== undefined && takesUploads(hub.definition)) await receiveUpload(ports, state, message, receivedAt);
}

async function answer(
  ports: CallerPorts,
  { connectionId, transportId, hub }: TransportState,
  { id, error, result }: Extract<ClientMessage, { kind: "completion" }>,
): Promise<void> {
  const given = error === undefined ? { json: toPortable(result) } : { error };
  if ((await ports.store.answer(id, connectionId, given)) !== "foreign") return;
  const text = `Connection ID '${connectionId}' is not valid for invocation ID '${id}'.`;
  const detail = detailOf(optionsOf(ports.service, hub), `InvalidOperationException: ${text}`);
  const message = `Connection closed with an error.${detail}`;
  await endConnection(ports, {
    transportId,
    from: { phase: "open" },
    reason: { stopCalled: false, code: "protocol_error", message: text },
    goodbye: { message: { kind: "close", error: message, allowReconnect: true } },
  });
}
