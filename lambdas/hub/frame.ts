// One frame of an open connection, run by the holder of its turn: message by message, in order.

import type { ClientMessage, ParsedFrame, ProtocolError } from "../protocol/index.ts";
import type { EndReason } from "./connection-state.ts";
import {
  type DispatchContext,
  type DispatchPorts,
  dispatch,
  failInvocation,
  type Invocation,
  leaveBehind,
} from "./dispatch.ts";
import { endConnection, type Goodbye } from "./ending.ts";
import { brokenProtocol } from "./message-size.ts";
import { passOn } from "./passing.ts";

/** `ended` when the connection is over, by this frame. */
export async function runFrame(
  ports: DispatchPorts,
  context: DispatchContext,
  frame: ParsedFrame,
  receivedAt: number,
): Promise<"open" | "ended"> {
  for (const message of frame.messages) {
    if ((await runMessage(ports, context, message, receivedAt)) === "ended") return "ended";
  }
  if (frame.error === undefined) return "open";
  if ((await context.slots?.settled()) === "ended") return "ended";
  return endBrokenProtocol(ports, context, frame.error);
}

/** Answers for a frame that will not be run any more. */
export function failFrame(ports: DispatchPorts, context: DispatchContext, frame: ParsedFrame): void {
  ports.log.warn("A frame that waited for its turn will not be run.", { connectionId: context.state.connectionId });
  for (const message of frame.messages) {
    if (isInvocation(message)) failInvocation(ports, context, message);
  }
}

/** The frame without the messages at some places. */
export function without({ messages, error }: ParsedFrame, places: readonly number[]): ParsedFrame {
  return places.length === 0
    ? { messages, error }
    : { messages: messages.filter((_, at) => !places.includes(at)), error };
}

export function isInvocation(message: ClientMessage): message is Invocation {
  return message.kind === "invocation" || message.kind === "streamInvocation";
}

/** Whether a message is handled without the turn, also while a method runs. Close is not: what came before it runs. */
export function passesTurn(message: ClientMessage): boolean {
  return !isInvocation(message) && message.kind !== "close";
}

async function runMessage(
  ports: DispatchPorts,
  context: DispatchContext,
  message: ClientMessage,
  receivedAt: number,
): Promise<"open" | "ended"> {
  switch (message.kind) {
    case "invocation":
    case "streamInvocation":
      return context.slots === undefined
        ? invoke(ports, context, message)
        : context.slots.start(message, () => invokeBeside(ports, context, message));
    case "ping":
      context.channel.ping();
      return "open";
    case "close":
      if ((await context.slots?.settled()) === "ended") return "ended";
      return endStopped(ports, context, message.error);
    default:
      await passOn(ports, context.state, message, receivedAt);
      return "open";
  }
}

async function invoke(
  ports: DispatchPorts,
  context: DispatchContext,
  invocation: Invocation,
): Promise<"open" | "ended"> {
  return (await dispatch(ports, context, invocation)) ? endAborted(ports, context) : "open";
}

/** The next one need not wait for the post of its completion. */
async function invokeBeside(
  ports: DispatchPorts,
  context: DispatchContext,
  invocation: Invocation,
): Promise<"open" | "ended"> {
  const { channel } = context;
  const outcome = await invoke(ports, context, invocation);
  leaveBehind(context, channel.flushed());
  return outcome;
}

async function endStopped(ports: DispatchPorts, context: DispatchContext, error: string | undefined): Promise<"ended"> {
  if (error !== undefined) {
    ports.log.info("A client closed its connection with an error.", { error: error.slice(0, 200) });
  }
  return end(ports, context, { stopCalled: true, code: "stopped" }, { message: { kind: "close" } });
}

/** The client has its Close already, and the row its mark. */
function endAborted(ports: DispatchPorts, context: DispatchContext): Promise<"ended"> {
  return end(ports, context, { stopCalled: false, code: "aborted" });
}

function endBrokenProtocol(ports: DispatchPorts, context: DispatchContext, error: ProtocolError): Promise<"ended"> {
  const reason = { stopCalled: false, code: "protocol_error", message: error.message } as const;
  return end(ports, context, reason, { message: brokenProtocol(context.hub.options, error) });
}

/** What was written before goes out first. */
async function end(
  ports: DispatchPorts,
  { channel, session, state, stopAt }: DispatchContext,
  reason: EndReason,
  goodbye?: Goodbye,
): Promise<"ended"> {
  await channel.flushed();
  await endConnection(ports, {
    transportId: state.transportId,
    from: { phase: "open" },
    session,
    stopAt,
    reason,
    ...(goodbye !== undefined && { goodbye }),
  });
  return "ended";
}
