// Signing in under `npm start`, on one's own machine only: whoever asks for a token gets it. A real service leaves this
// to an identity provider (Cognito, Entra ID, Auth0, …) and only verifies what that one signed.

import { randomBytes } from "node:crypto";
import { SignJWT } from "jose";
import { defineHub, jwtBearer } from "signalr-lambda";
import { z } from "zod";

if (process.env.AWS_LAMBDA_FUNCTION_NAME !== undefined) {
  throw new Error("sign-in.ts signs anybody in. On AWS, use jwtBearer({ issuer, audience, jwksUri }) instead.");
}

const USERS = {
  ada: { role: "Admin", tier: "premium" },
  bob: { tier: "premium" },
  cleo: {},
};

// Made at every start, and nowhere in a file. In the environment, so that it outlives a reload of the service file and
// all threads of `--isolate` have the same. Give one yourself to sign with `signalr-lambda token`.
process.env.JWT_SECRET ||= randomBytes(32).toString("base64url");

/** What the users below are verified by. */
export const auth = jwtBearer({ secret: process.env.JWT_SECRET });

export const signIn = defineHub()({
  methods: {
    token: {
      args: [z.enum(["ada", "bob", "cleo"])],
      handler: (_hub, name) =>
        new SignJWT({ sub: name, ...USERS[name] })
          .setProtectedHeader({ alg: "HS256" })
          .setExpirationTime("1h")
          .sign(new TextEncoder().encode(process.env.JWT_SECRET)),
    },
  },
});
