// Messages that pass the turn: they reach what runs already.

import type { ClientMessage } from "../protocol/index.ts";
import type { CallerPorts } from "./caller.ts";
import { isQuestionId } from "./client-results.ts";
import { endConnection } from "./ending.ts";
import { workKey } from "./hand-over.ts";
import { detailOf, optionsOf } from "./hub-options.ts";
import { isTooLong } from "./names.ts";
import type { TransportState } from "./store.ts";
import { receiveUpload } from "./uploads.ts";

/** Answers and cancels that nobody waits for, and counters that nobody asked for, are ignored. */
export async function passOn(
  ports: CallerPorts,
  state: TransportState,
  message: ClientMessage,
  receivedAt: number,
): Promise<void> {
  // No stream and no invocation has such a name: it would not have been taken.
  if ("id" in message && message.id !== undefined && isTooLong(message.id)) return;
  switch (message.kind) {
    case "streamItem":
      return receiveUpload(ports, state, message, receivedAt);
    case "completion":
      return isQuestionId(message.id)
        ? answer(ports, state, message)
        : receiveUpload(ports, state, message, receivedAt);
    case "cancelInvocation":
      return ports.store.cancelWork(state.connectionId, workKey(state, message.id));
    default:
  }
}

async function answer(
  ports: CallerPorts,
  { connectionId, transportId, hub }: TransportState,
  { id, error, result }: Extract<ClientMessage, { kind: "completion" }>,
): Promise<void> {
  const given = error === undefined ? { json: JSON.stringify(result ?? null) } : { error };
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
