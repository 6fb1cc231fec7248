// What a SignalR server does, verb by verb. Each is called by one entry point with what its gateway event says, and
// each takes only the ports it needs.

export type { AdmissionPorts } from "./admission.ts";
/** Closes a connection that a function failed on. */
export { closeBroken } from "./closing.ts";
/** Lets a transport in, or says why not. */
export { type ConnectPorts, type ConnectRequest, connect } from "./connect.ts";
/** Says which pages may ask. */
export { answerPreflight } from "./cors.ts";
/** Ends the connection of a transport that was closed. */
export { type Disconnect, disconnect } from "./disconnect.ts";
export type { DispatchPorts as ServerPorts } from "./dispatch.ts";
/** Runs hub code for what came over HTTP. */
export { runErrand } from "./errands.ts";
/** Hands out a connection, or says why not. */
export { type HttpRequest, type HttpResponse, type NegotiatePorts, negotiate } from "./negotiate.ts";
/** Answers a poll. */
export { poll } from "./poll.ts";
/** Handles one frame of a transport: handshake, invocations, pings, Close. */
export { type Frame, receive } from "./receive.ts";
/** Gives a connection a new access token, or says why not. */
export { type RefreshPorts, refresh } from "./refresh.ts";
/** Takes what a client sends over HTTP, and its going. */
export { type SendPorts, type SendRequest, send, stop } from "./send.ts";
/** Writes an event stream. */
export { streamEvents } from "./stream-events.ts";
/** Ends what fell silent and finishes what was left unfinished. */
export { sweep } from "./sweep.ts";
/** Runs one invocation that streams or takes long. */
export { work } from "./work.ts";
