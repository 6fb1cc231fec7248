// The HTTP API: negotiation. `#service` is the user's service file, put there by the bundler.
import service from "#service";
import { negotiateFunction } from "./functions.ts";

export const handler = negotiateFunction(service, process.env);
