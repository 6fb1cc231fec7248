export { openEmbeddedDynamoDB } from "./embedded-dynamodb.ts";
export type { Faults } from "./faults.ts";
export type { Functions } from "./functions.ts";
export { type GatewayOptions, type LocalGateway, startGateway } from "./gateway.ts";
export { pages } from "./pages.ts";
export { ServiceFileError, watchServiceFile } from "./service-file.ts";
export { deleteExpired } from "./time-to-live.ts";
