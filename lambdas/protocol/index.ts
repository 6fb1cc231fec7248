// Text to hub messages and back. Pure: no I/O, no clock.
export { core } from "./core/index.ts";
export {
  type ClientMessage,
  type Dialect,
  type Handshake,
  isCounted,
  type ParsedFrame,
  ProtocolError,
  type ServerMessage,
} from "./messages.ts";
