// Frames to hub messages and back. Pure: no I/O, no clock.
export { core } from "./core/index.ts";
export { RECEIVED } from "./core/raw.ts";
export {
  type ClientMessage,
  type Dialect,
  type Handshake,
  type HubProtocol,
  isCounted,
  type ParsedFrame,
  ProtocolError,
  type ServerMessage,
} from "./messages.ts";
export { fromPortable, toPortable } from "./portable.ts";
