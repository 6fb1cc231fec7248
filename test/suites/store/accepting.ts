// How a connection comes into being, and that its id counts once.

import { describe, expect, it } from "vitest";
import type { Harness } from "./harness.ts";
import { EMPTY, HUB, NO_REPLAY, NOTHING_COUNTED, NOTHING_READ, NOW, sessionOf, userOf } from "./samples.ts";

export function acceptingSuite(harness: Harness): void {
  const { accept, connect, end, id, membersOf, newConnection, rows, store } = harness;

  describe("accept", () => {
    it("keeps what it is given", async () => {
      const session = sessionOf({ userIdentifier: "ada" });
      const connection = await accept({ session });
      const { transportId, connectionId, deadline, rotateAt } = connection;
      expect(await store.transport(transportId)).toStrictEqual({
        transportId,
        connectionId,
        hub: HUB,
        phase: "accepted",
        deadline,
        previousDeadline: deadline,
        rotateAt,
        authenticatedUntil: undefined,
        turn: undefined,
        waiting: 0,
        end: undefined,
        ender: undefined,
        resumable: false,
        lost: false,
        left: false,
        resuming: false,
        next: undefined,
        stateful: false,
        protocol: undefined,
        handshakes: 1,
        tally: NOTHING_COUNTED,
        base: 0,
        replay: NO_REPLAY,
      });
      expect(await store.connection(connectionId)).toStrictEqual({
        connectionId,
        hub: HUB,
        transportId,
        userIdentifier: "ada",
        ended: false,
        resumeKey: undefined,
        stateful: false,
        issuedAt: 0,
        handshakes: 1,
        outbox: EMPTY,
        protocol: undefined,
        reading: NOTHING_READ,
      });
      expect(await store.session(transportId)).toEqual(session);
    });

    it("keeps until when its client is authenticated", async () => {
      const { transportId } = await accept({ authenticatedUntil: NOW + 1 });
      expect(await store.transport(transportId)).toMatchObject({ authenticatedUntil: NOW + 1 });
    });

    it("keeps that it is raw, on every transport", async () => {
      const connection = await accept({ protocol: "raw", resumeKey: id("key") });
      expect(await store.transport(connection.transportId)).toMatchObject({ protocol: "raw" });
      expect(await store.connection(connection.connectionId)).toMatchObject({ protocol: "raw" });
    });

    it("makes nobody a member yet", async () => {
      const connection = await accept({ userIdentifier: id("ada") });
      expect(await store.member(connection.connectionId, HUB)).toBeUndefined();
      expect(await membersOf(userOf(id("ada")))).toEqual([]);
    });

    it("keeps that its client counts messages, and may come back by the same token", async () => {
      const connection = await accept({ stateful: true, issuedAt: NOW - 1 });
      expect(await store.transport(connection.transportId)).toMatchObject({ stateful: true, resumable: true });
      expect(await store.connection(connection.connectionId)).toMatchObject({ stateful: true, issuedAt: NOW - 1 });
    });

    it("leaves nothing behind of the second with one connection id, and the first as it was", async () => {
      const first = await accept();
      const before = await rows();
      const second = newConnection({ transportId: id("second"), session: sessionOf({ userIdentifier: "eve" }) });
      expect(await store.accept(second)).toBe("taken");
      expect(await rows()).toEqual(before);
      expect((await store.connection(first.connectionId))?.transportId).toBe(first.transportId);
    });

    it("lets one of 50 in", async () => {
      const attempts = Array.from({ length: 50 }, (_, index) => newConnection({ transportId: id(`t${index}`) }));
      const before = await rows();
      const outcomes = await Promise.all(attempts.map((attempt) => store.accept(attempt)));
      expect(outcomes.filter((outcome) => outcome === "accepted")).toHaveLength(1);
      expect(await rows()).toHaveLength(before.length + 3);
      const winner = attempts[outcomes.indexOf("accepted")];
      expect((await store.connection(id("connection")))?.transportId).toBe(winner?.transportId);
      expect(await store.session(winner?.transportId ?? "")).toBeDefined();
    });

    it("takes no connection id that has ended", async () => {
      const first = await connect();
      await end(first);
      const before = await rows();
      expect(await store.accept(newConnection({ transportId: id("second") }))).toBe("taken");
      expect(await rows()).toEqual(before);
      expect(await store.connection(first.connectionId)).toMatchObject({ ended: true });
    });

    it("is one accept when it is made twice, as by a retry of the SDK", async () => {
      const connection = await accept();
      expect(await store.accept(connection)).toBe("accepted");
      expect(await store.transport(connection.transportId)).toBeDefined();
      expect(await store.session(connection.transportId)).toBeDefined();
    });
  });
}
