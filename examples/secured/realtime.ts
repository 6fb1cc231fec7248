// Who may what: signed in, with a role, by a policy. `npm start` serves the hub at /secured, with the page at /secured/.

import { defineHub, defineService, type Policy } from "signalr-lambda";
import { z } from "zod";
import { auth, signIn } from "../sign-in.ts";

interface SecuredClient {
  announced(name: string, text: string): void;
}

export const secured = defineHub<SecuredClient>()({
  authorize: true, // Judged before there is a connection: 401 for whoever is not signed in.
  methods: {
    whoAmI: {
      args: [],
      handler: ({ userIdentifier, user }) => ({ name: userIdentifier, roles: user.roles, tier: user.claims.tier }),
    },
    announce: {
      args: [z.string().trim().min(1).max(500)],
      authorize: { roles: ["Admin"] },
      handler: (hub, text) => hub.clients.all.announced(hub.userIdentifier ?? "", text),
    },
    report: {
      args: [z.number().int().min(2000).max(2100)],
      authorize: { policy: "premium" },
      handler: (_hub, year) => `All figures of ${year}.`,
    },
  },
});

/** Named in `authorize`. A policy reads claims, or asks a database: it may be async. */
export const policies: Readonly<Record<string, Policy>> = {
  premium: ({ user }) => user.claims.tier === "premium",
};

// In a service of one's own: auth: jwtBearer({ issuer, audience, jwksUri }) of the identity provider, and no `sign-in`.
export default defineService({ hubs: { secured, "sign-in": signIn }, auth, policies });
