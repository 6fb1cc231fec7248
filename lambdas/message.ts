// $default: one frame of a client. `#service` is the user's service file, put there by the bundler.
import service from "#service";
import { messageFunction } from "./functions.ts";

export const handler = messageFunction(service, process.env);
