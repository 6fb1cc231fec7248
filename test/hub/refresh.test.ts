// A refresh that meets a resume or an ending halfway.

import { expect, it } from "vitest";
import { refresh } from "../../lambdas/hub/refresh.ts";
import type { FakeClock } from "../fake-clock.ts";
import { admissionPorts, requestFor } from "./requests.ts";

const TRANSPORT = "transport";

/** Until somebody waits for time to pass: tokens are verified on threads. */
async function asleep(clock: FakeClock): Promise<void> {
  while (clock.nextWake === Number.POSITIVE_INFINITY) await new Promise((resolve) => setImmediate(resolve));
}

async function open() {
  const auth = () => ({ sub: "ada", role: "new", exp: 4e9 });
  const { ports, tokens, clock } = admissionPorts({
    auth,
    enableAuthenticationRefresh: true,
    closeOnAuthenticationExpiration: true,
  });
  const connection = { connectionId: "connection", hub: "chat", stateful: true, issuedAt: clock.now() };
  const user = { isAuthenticated: true, name: undefined, roles: [], claims: {} };
  const session = { userIdentifier: "ada", user, request: { query: {}, headers: {} }, items: {} };
  const times = { deadline: clock.now() + 30_000, rotateAt: clock.now() + 6_600_000 };
  const { store } = ports;
  await store.accept({ ...connection, ...times, transportId: TRANSPORT, session, resumeKey: undefined });
  await store.take(TRANSPORT, times.deadline, { holder: "holder", until: times.deadline, invocations: [] });
  await store.release(TRANSPORT, "holder", 0, true);
  const id = await tokens.issue({ ...connection, userIdentifier: "ada" });
  const request = { method: "POST", ...requestFor({ query: { id } }) };
  const moveTo = async (transportId: string): Promise<void> => {
    const from = await store.transport(TRANSPORT);
    if (from === undefined) throw new Error("It is gone.");
    await store.takeOver({
      ...times,
      from,
      transportId,
      session,
      stateful: true,
      issuedAt: connection.issuedAt,
      now: clock.now(),
    });
  };
  return { store, clock, moveTo, refreshing: () => refresh(ports, request) };
}

it("is made again on the transport that takes over meanwhile", async () => {
  const { store, clock, moveTo, refreshing } = await open();
  await store.freeze(TRANSPORT, "next", clock.now() + 30_000);
  const answer = refreshing();
  await asleep(clock);
  await moveTo("next");
  await clock.advance(1_000);
  expect(await answer).toMatchObject({ status: 200 });
  expect((await store.session("next"))?.user.roles).toEqual(["new"]);
  expect((await store.transport("next"))?.authenticatedUntil).toBe(4e12);
});

it("finds no connection when it is to end", async () => {
  const { store, clock, refreshing } = await open();
  await store.markEnd(TRANSPORT, { stopCalled: false, code: "aborted" }, clock.now());
  const answer = refreshing();
  await asleep(clock);
  await clock.advance(5_000);
  expect(await answer).toMatchObject({ status: 404, body: '{"error":"connection_not_found"}' });
});
