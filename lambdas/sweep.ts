// The schedule: ends connections that have fallen silent. `#service` is the user's service file, put there by the bundler.
import service from "#service";
import { sweepFunction } from "./functions.ts";

export const handler = sweepFunction(service, process.env);
