// The HTTP API at /poll: long polling, and sending. `#service` is the user's service file, put there by the bundler.
import service from "#service";
import { pollFunction } from "./functions.ts";

export const handler = pollFunction(service, process.env);
