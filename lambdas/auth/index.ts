export { accessTokenBearer } from "./access-token-bearer.ts";
export { connectionTokens } from "./connection-tokens.ts";
export { jwtAuthenticator } from "./jwt-bearer.ts";
