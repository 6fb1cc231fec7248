// A function that does nothing, with what message, disconnect and sweep depend on.
import { connections, dynamoDB } from "./clients.ts";

const clients = [dynamoDB(), connections()];

export const handler = async () => clients;
