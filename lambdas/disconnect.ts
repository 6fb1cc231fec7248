// $disconnect: the gateway says that a socket is closed. `#service` is the user's service file, put there by the bundler.
import service from "#service";
import { disconnectFunction } from "./functions.ts";

export const handler = disconnectFunction(service, process.env);
