// A function that does nothing, with what negotiate depends on.
import { CompactSign, compactVerify, createRemoteJWKSet, jwtVerify } from "jose";
import { dynamoDB } from "./clients.ts";

const clients = dynamoDB();

export const handler = async () => [clients, CompactSign, compactVerify, createRemoteJWKSet, jwtVerify];
