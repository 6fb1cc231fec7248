// The function URL: server-sent events. `#service` is the user's service file, put there by the bundler.
import service from "#service";
import { streamFunction } from "./functions.ts";
import { streamingHandler } from "./response-stream.ts";

export const handler = streamingHandler(streamFunction(service, process.env));
