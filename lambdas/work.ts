// Invoked asynchronously: one invocation that streams or takes long. `#service` is the user's service file, put there by the bundler.
import service from "#service";
import { workFunction } from "./functions.ts";

export const handler = workFunction(service, process.env);
