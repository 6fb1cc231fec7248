// A process that sends from outside: what its arguments say, through a hub context of the environment it is given.

import { createHubContext } from "signalr-lambda/aws";

const [selector, ...args] = process.argv.slice(2);
const { clients } = createHubContext({ hub: "chat" });
await (selector === "user" ? clients.user(args[0] ?? "") : clients.all).send("receive", ...args);
