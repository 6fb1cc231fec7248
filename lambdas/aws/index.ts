export { apiGatewayTransports } from "./api-gateway-transports.ts";
export { connectFromClient, httpFromClient } from "./distribution.ts";
export { dynamoDBStore } from "./dynamodb-store.ts";
export {
  toConnectRequest,
  toDisconnect,
  toFrame,
  toHttpResult,
  toNegotiateRequest,
  toRefreshRequest,
  toSendRequest,
} from "./requests.ts";
export { TIME_TO_LIVE, tableDefinition } from "./table.ts";
