// A function that does nothing, with what negotiate depends on.
import { CompactSign, compactVerify, createRemoteJWKSet, jwtVerify } from "jose";

export const handler = async () => [CompactSign, compactVerify, createRemoteJWKSet, jwtVerify];
