// What `npm start` runs: all examples in one service.

import { defineService } from "signalr-lambda";
import { chat } from "./chat/realtime.ts";
import { lifetime } from "./lifetime/realtime.ts";
import { orders } from "./orders/realtime.ts";

export default defineService({ hubs: { chat, lifetime, orders } });
