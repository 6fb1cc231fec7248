// How a frame arrives: with the turn, or behind it.

import { describe, expect, it } from "vitest";
import type { Turn, WaitingFrame } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { frameOf, groupOf, HUB, memberOf, NOW, turnOf } from "./samples.ts";

export function framesSuite(harness: Harness): void {
  const { accept, connect, end, id, membersOf, store } = harness;

  describe("touch", () => {
    it("moves the deadline and remembers the one before", async () => {
      const { transportId } = await accept();
      expect(await store.touch(transportId, NOW + 30_000)).toMatchObject({
        deadline: NOW + 30_000,
        previousDeadline: NOW + 15_000,
        turn: undefined,
      });
      expect(await store.transport(transportId)).toMatchObject({ deadline: NOW + 30_000 });
    });

    it("leaves the turn where it is", async () => {
      const { transportId } = await accept();
      const turn = turnOf("holder");
      await store.take(transportId, NOW + 30_000, turn);
      expect((await store.touch(transportId, NOW + 40_000))?.turn).toStrictEqual(turn);
    });
  });

  describe("take", () => {
    it("takes the turn if nobody has it, with the notes of what it runs", async () => {
      const { transportId } = await accept();
      const turn: Turn = { ...turnOf("first"), invocations: [{ id: "1", target: "__proto__" }] };
      expect(await store.take(transportId, NOW + 30_000, turn)).toMatchObject({ turn, deadline: NOW + 30_000 });
    });

    it("says who has it", async () => {
      const { transportId } = await accept();
      const turn: Turn = { ...turnOf("first"), invocations: [{ id: "1", target: "a" }] };
      await store.take(transportId, NOW + 30_000, turn);
      const late: Turn = { ...turnOf("second", NOW + 99_000), invocations: [{ id: "2", target: "b" }] };
      expect(await store.take(transportId, NOW + 31_000, late)).toMatchObject({ turn, deadline: NOW + 31_000 });
    });

    it("does not give a dead holder's turn away: that is stolen", async () => {
      const { transportId } = await accept();
      await store.take(transportId, NOW, turnOf("dead", NOW - 1));
      expect((await store.take(transportId, NOW, turnOf("next")))?.turn?.holder).toBe("dead");
    });

    it("has one winner among 50", async () => {
      const { transportId } = await accept();
      const states = await Promise.all(
        Array.from({ length: 50 }, (_, index) => store.take(transportId, NOW, turnOf(`holder ${index}`))),
      );
      expect(new Set(states.map((state) => state?.turn?.holder)).size).toBe(1);
    });

    it("is one turn when it is made twice, as by a retry of the SDK", async () => {
      const { transportId } = await accept();
      await store.take(transportId, NOW, turnOf("holder"));
      expect((await store.take(transportId, NOW, turnOf("holder")))?.turn?.holder).toBe("holder");
    });
  });

  describe("count", () => {
    it("counts every one of 50", async () => {
      const { transportId } = await accept();
      await store.take(transportId, NOW, turnOf("holder"));
      const states = await Promise.all(Array.from({ length: 50 }, () => store.count(transportId)));
      expect(states.map((state) => state?.waiting).sort((a = 0, b = 0) => a - b)).toEqual(
        Array.from({ length: 50 }, (_, index) => index + 1),
      );
    });

    it("says whether somebody has the turn", async () => {
      const { transportId } = await connect();
      expect((await store.count(transportId))?.turn).toBeUndefined();
      await store.take(transportId, NOW, turnOf("holder"));
      expect((await store.count(transportId))?.turn?.holder).toBe("holder");
    });
  });

  describe("waiting frames", () => {
    const frame = (key: string, text = "{}"): WaitingFrame => ({
      ...frameOf({ transportId: id("transport") }, key),
      text,
      reconnected: false,
      refreshed: false,
    });

    it("are seen in the order of their keys, and only by their connection", async () => {
      const { connectionId } = await connect();
      const other = await connect({ transportId: id("other"), connectionId: id("other") });
      for (const key of ["3", "1#b", "2", "1#a"]) await store.enqueue(connectionId, frame(key, `text of ${key}`));
      await store.enqueue(other.connectionId, frame("0"));
      expect(await store.waiting(connectionId)).toStrictEqual(
        ["1#a", "1#b", "2", "3"].map((key) => frame(key, `text of ${key}`)),
      );
    });

    it("keep the handshake they came after, what is not to be run, and what they stand for", async () => {
      const { connectionId } = await connect();
      const frames = [
        { ...frame("1"), handshakes: 7 },
        { ...frame("2"), repeated: [0, 2, 31] },
        { ...frame("3", ""), reconnected: true },
        { ...frame("4", ""), refreshed: true },
      ];
      for (const each of frames) await store.enqueue(connectionId, each);
      expect(await store.waiting(connectionId)).toStrictEqual(frames);
    });

    it("are claimed by one of 50", async () => {
      const { connectionId } = await connect();
      await store.enqueue(connectionId, frame("1"));
      const claims = await Promise.all(Array.from({ length: 50 }, () => store.claimFrame(connectionId, "1")));
      expect(claims.filter(Boolean)).toHaveLength(1);
      expect(await store.waiting(connectionId)).toEqual([]);
    });

    it("are all seen when there are more than fit a page", async () => {
      const { connectionId } = await connect();
      const text = "x".repeat(30_000);
      const keys = Array.from({ length: 80 }, (_, index) => String(index).padStart(3, "0"));
      await Promise.all(keys.map((key) => store.enqueue(connectionId, frame(key, text))));
      const frames = await store.waiting(connectionId);
      expect(frames.map(({ key }) => key)).toEqual(keys);
      expect(frames.every((each) => each.text === text)).toBe(true);
    });

    it("are not taken for groups, nor groups for them", async () => {
      const connection = await connect();
      await store.enqueue(connection.connectionId, frame("G#x"));
      await store.join(memberOf(connection), HUB, "I#x");
      expect((await store.waiting(connection.connectionId)).map(({ key }) => key)).toEqual(["G#x"]);
      expect(await store.groups(connection.connectionId)).toEqual(["I#x"]);
      await end(connection);
      expect(await membersOf(groupOf("I#x"))).toEqual([]);
    });
  });
}
