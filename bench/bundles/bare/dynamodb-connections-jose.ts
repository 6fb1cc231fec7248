// A function that does nothing, with what connect depends on.
import { CompactSign, compactVerify, createRemoteJWKSet, jwtVerify } from "jose";
import { connections, dynamoDB } from "./clients.ts";

const clients = [dynamoDB(), connections()];

export const handler = async () => [clients, CompactSign, compactVerify, createRemoteJWKSet, jwtVerify];
