export { connectionTokens } from "./connection-tokens.ts";
export { jwtAuthenticator } from "./jwt-bearer.ts";
