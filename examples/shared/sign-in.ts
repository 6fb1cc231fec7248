// Signing in, for pages under `npm start`: the page of `?user=ada` is Ada's. See ../sign-in.ts.

import { HubConnectionBuilder } from "@microsoft/signalr";

/** Undefined for somebody who did not sign in. */
export const user = new URLSearchParams(location.search).get("user") ?? undefined;

/** For `accessTokenFactory`: a new token for every connect, so that none is ever out of date. */
export async function accessToken(): Promise<string> {
  if (user === undefined) return "";
  const connection = new HubConnectionBuilder().withUrl("/sign-in").build();
  await connection.start();
  try {
    return await connection.invoke("token", user);
  } finally {
    await connection.stop();
  }
}
