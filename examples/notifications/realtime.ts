// Notifications, to one user on all of their pages and devices, or to everybody. `npm start` serves the hub at
// /notifications, with the page at /notifications/.

import { defineHub, defineService } from "signalr-lambda";
import { z } from "zod";
import { auth, signIn } from "../sign-in.ts";

/** What the server calls on clients: misspell a name or swap arguments, and the compiler says so. */
interface NotificationsClient {
  notified(notification: Notification): void;
}

export interface Notification {
  readonly from: string;
  readonly text: string;
  readonly kind: "personal" | "broadcast";
}

const Text = z.string().trim().min(1).max(500);

export const notifications = defineHub<NotificationsClient>()({
  authorize: true, // Only who is signed in has a name to be notified by.
  methods: {
    notifyUser: {
      args: [z.string().min(1).max(100), Text],
      handler: (hub, user, text) => hub.clients.user(user).notified({ from: nameOf(hub), text, kind: "personal" }),
    },
    notifyAll: {
      args: [Text],
      handler: (hub, text) => hub.clients.all.notified({ from: nameOf(hub), text, kind: "broadcast" }),
    },
  },
});

/** Who is sending, by the token and not by what the client says. */
function nameOf({ userIdentifier }: { readonly userIdentifier: string | undefined }): string {
  return userIdentifier ?? "somebody";
}

export default defineService({ hubs: { notifications, "sign-in": signIn }, auth });
