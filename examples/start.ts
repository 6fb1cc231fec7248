// What `npm start` runs: all examples in one service.

import { defineService } from "signalr-lambda";
import { board } from "./board/realtime.ts";
import { chat } from "./chat/realtime.ts";
import { dashboard } from "./dashboard/realtime.ts";
import { lifetime } from "./lifetime/realtime.ts";
import { notifications } from "./notifications/realtime.ts";
import { orders } from "./orders/realtime.ts";
import { projects } from "./projects/realtime.ts";
import { resilient } from "./resilient/realtime.ts";
import { policies, secured } from "./secured/realtime.ts";
import { auth, signIn } from "./sign-in.ts";

export default defineService({
  hubs: { board, chat, dashboard, lifetime, notifications, orders, projects, resilient, secured, "sign-in": signIn },
  // Says who somebody is who signed in. Hubs without `authorize` serve everybody else, too.
  auth,
  policies,
});
