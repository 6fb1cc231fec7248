// What `npm start` runs: both examples in one service.

import { defineService } from "signalr-lambda";
import { chat } from "./chat/realtime.ts";
import { lifetime } from "./lifetime/realtime.ts";

export default defineService({ hubs: { chat, lifetime } });
