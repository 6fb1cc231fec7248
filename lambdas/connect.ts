// $connect: the gateway asks whether to accept a socket. `#service` is the user's service file, put there by the bundler.
import service from "#service";
import { connectFunction } from "./functions.ts";

export const handler = connectFunction(service, process.env);
