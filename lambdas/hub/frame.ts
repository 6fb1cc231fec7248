// One frame of an open connection, run by the holder of its turn: message by message, in order.

import type { ClientMessage, ParsedFrame, ProtocolError } from "../protocol/index.ts";
import type { CallerPorts } from "./caller.ts";
import { type DispatchContext, dispatch, failInvocation } from "./dispatch.ts";
import { endConnection } from "./ending.ts";

export type FrameContext = DispatchContext;

/** `ended` when the connection is over, by this frame. */
export async function runFrame(
  ports: CallerPorts,
  context: FrameContext,
  frame: ParsedFrame,
): Promise<"open" | "ended"> {
  for (const message of frame.messages) {
    if ((await runMessage(ports, context, message)) === "ended") return "ended";
  }
  if (frame.error === undefined) return "open";
  await endBrokenProtocol(ports, context, frame.error);
  return "ended";
}

/** Answers for a frame that will not be run any more. */
export function failFrame(ports: CallerPorts, context: FrameContext, frame: ParsedFrame): void {
  ports.log.warn("A frame that waited for its turn will not be run.", { connectionId: context.state.connectionId });
  for (const message of frame.messages) {
    if (message.kind === "invocation" || message.kind === "streamInvocation") failInvocation(ports, context, message);
  }
}

/** Whether a message is handled without the turn, also while a method runs. Close is not: what came before it runs. */
export function passesTurn(message: ClientMessage): boolean {
  return message.kind !== "invocation" && message.kind !== "streamInvocation" && message.kind !== "close";
}

async function runMessage(
  ports: CallerPorts,
  context: FrameContext,
  message: ClientMessage,
): Promise<"open" | "ended"> {
  switch (message.kind) {
    case "invocation":
    case "streamInvocation":
      return (await dispatch(ports, context, message)) ? endAborted(ports, context) : "open";
    case "ping":
      void context.channel.write(ports.dialect.encode({ kind: "ping" }));
      return "open";
    case "close":
      return endStopped(ports, context, message.error);
    default:
      // Items, completions and cancels of invocations nobody knows, and counters nobody asked for, are ignored.
      return "open";
  }
}

async function endStopped(ports: CallerPorts, context: FrameContext, error: string | undefined): Promise<"ended"> {
  if (error !== undefined)
    ports.log.info("A client closed its connection with an error.", { error: error.slice(0, 200) });
  await context.channel.flushed();
  await endConnection(ports, {
    transportId: context.state.transportId,
    from: { phase: "open" },
    session: context.session,
    stopAt: context.stopAt,
    reason: { stopCalled: true, code: "stopped" },
    goodbye: { message: { kind: "close" } },
  });
  return "ended";
}

/** The client has its Close already, and the row its mark. */
async function endAborted(ports: CallerPorts, context: FrameContext): Promise<"ended"> {
  await context.channel.flushed();
  await endConnection(ports, {
    transportId: context.state.transportId,
    from: { phase: "open" },
    session: context.session,
    stopAt: context.stopAt,
    reason: { stopCalled: false, code: "aborted" },
  });
  return "ended";
}

async function endBrokenProtocol(ports: CallerPorts, context: FrameContext, error: ProtocolError): Promise<void> {
  await context.channel.flushed();
  const detail = ports.service.enableDetailedErrors ? ` InvalidDataException: ${error.message}` : "";
  await endConnection(ports, {
    transportId: context.state.transportId,
    from: { phase: "open" },
    session: context.session,
    stopAt: context.stopAt,
    reason: { stopCalled: false, code: "protocol_error", message: error.message },
    goodbye: { message: { kind: "close", error: `Connection closed with an error.${detail}`, allowReconnect: true } },
  });
}
