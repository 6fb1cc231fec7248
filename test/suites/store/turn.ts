// How the turn goes on: stolen from the dead, released by its holder, and the opening in between.

import { describe, expect, it } from "vitest";
import type { Turn } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { claimOf, LOST, NOW, turnOf } from "./samples.ts";

export function turnSuite(harness: Harness): void {
  const { accept, connect, id, store } = harness;

  describe("steal", () => {
    it("takes the turn of the dead holder that was seen", async () => {
      const { transportId } = await accept();
      const dead = turnOf("dead", NOW - 1);
      await store.take(transportId, NOW, dead);
      expect(await store.steal(transportId, turnOf("thief"), dead)).toBe(true);
      expect((await store.transport(transportId))?.turn).toStrictEqual(turnOf("thief"));
    });

    it("takes a turn that is free, whoever was seen", async () => {
      const { transportId } = await accept();
      expect(await store.steal(transportId, turnOf("thief"), undefined)).toBe(true);
      const { transportId: other } = await accept({ transportId: id("other"), connectionId: id("other") });
      expect(await store.steal(other, turnOf("thief"), turnOf("seen"))).toBe(true);
    });

    it("is refused once the turn has moved on", async () => {
      const { transportId } = await accept();
      const dead = turnOf("dead", NOW - 1);
      await store.take(transportId, NOW, dead);
      expect(await store.steal(transportId, turnOf("thief"), undefined)).toBe(false);
      expect(await store.steal(transportId, turnOf("thief"), turnOf("another", NOW - 1))).toBe(false);
      expect(await store.steal(transportId, turnOf("thief"), turnOf("dead", NOW))).toBe(false);
      expect((await store.transport(transportId))?.turn).toStrictEqual(dead);
    });

    it("has one winner among 50", async () => {
      const { transportId } = await accept();
      const dead = turnOf("dead", NOW - 1);
      await store.take(transportId, NOW, dead);
      const thieves = Array.from({ length: 50 }, (_, index) => turnOf(`thief ${index}`));
      const won = await Promise.all(thieves.map((thief) => store.steal(transportId, thief, dead)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect((await store.transport(transportId))?.turn).toStrictEqual(thieves[won.indexOf(true)]);
    });

    it("forgets no frame that was counted", async () => {
      const { transportId } = await connect();
      await store.count(transportId);
      await store.steal(transportId, turnOf("thief"), undefined);
      expect((await store.transport(transportId))?.waiting).toBe(1);
      expect(await store.release(transportId, "thief", 0, false)).toBe(false);
    });

    it("is one theft when it is made twice, as by a retry of the SDK", async () => {
      const { transportId } = await accept();
      const dead = turnOf("dead", NOW - 1);
      await store.take(transportId, NOW, dead);
      await store.steal(transportId, turnOf("thief"), dead);
      expect(await store.steal(transportId, turnOf("thief"), dead)).toBe(true);
    });
  });

  describe("release", () => {
    it("lets go of the turn, its notes and the count", async () => {
      const { transportId } = await connect();
      await store.take(transportId, NOW, { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] });
      await store.count(transportId);
      expect(await store.release(transportId, "holder", 1, false)).toBe(true);
      expect(await store.transport(transportId)).toMatchObject({ turn: undefined, waiting: 0, phase: "open" });
    });

    it("is refused while a frame was counted that it has not seen", async () => {
      const { transportId } = await connect();
      await store.take(transportId, NOW, turnOf("holder"));
      await store.count(transportId);
      expect(await store.release(transportId, "holder", 0, false)).toBe(false);
      await store.count(transportId);
      expect(await store.release(transportId, "holder", 1, false)).toBe(false);
      expect(await store.transport(transportId)).toMatchObject({ turn: turnOf("holder"), waiting: 2 });
      expect(await store.release(transportId, "holder", 2, false)).toBe(true);
    });

    it("is refused to whoever does not have the turn", async () => {
      const { transportId } = await connect();
      expect(await store.release(transportId, "nobody", 0, false)).toBe(false);
      await store.take(transportId, NOW, turnOf("holder"));
      expect(await store.release(transportId, "another", 0, false)).toBe(false);
      expect((await store.transport(transportId))?.turn?.holder).toBe("holder");
    });

    it("loses no count to a race: it is seen, or the turn is found free", async () => {
      const { transportId } = await connect();
      for (let round = 0; round < 20; round++) {
        const holder = `holder ${round}`;
        await store.take(transportId, NOW, turnOf(holder));
        const [released, counted] = await Promise.all([
          store.release(transportId, holder, 0, false),
          store.count(transportId),
        ]);
        expect(counted?.turn === undefined).toBe(released);
        const state = await store.transport(transportId);
        if (!released) expect(await store.release(transportId, holder, state?.waiting ?? 0, false)).toBe(true);
        else await store.steal(transportId, turnOf(holder), undefined);
        if (released) expect(await store.release(transportId, holder, 1, false)).toBe(true);
      }
    });

    it("opens in the same step", async () => {
      const { transportId } = await accept();
      await store.take(transportId, NOW, turnOf("holder"));
      expect(await store.release(transportId, "holder", 0, true)).toBe(true);
      expect(await store.transport(transportId)).toMatchObject({ phase: "open", turn: undefined });
    });

    it("opens nothing that is to end", async () => {
      const { transportId } = await accept();
      await store.take(transportId, NOW, turnOf("holder"));
      await store.markEnd(transportId, LOST, 0);
      expect(await store.release(transportId, "holder", 0, true)).toBe(false);
      expect(await store.transport(transportId)).toMatchObject({ phase: "accepted", turn: turnOf("holder") });
    });
  });

  describe("open", () => {
    it("opens and keeps the turn", async () => {
      const { transportId } = await accept();
      await store.take(transportId, NOW, turnOf("holder"));
      await store.count(transportId);
      expect(await store.open(transportId, "holder")).toBe(true);
      expect(await store.transport(transportId)).toMatchObject({
        phase: "open",
        turn: turnOf("holder"),
        waiting: 1,
      });
    });

    it("is refused to whoever does not have the turn", async () => {
      const { transportId } = await accept();
      expect(await store.open(transportId, "nobody")).toBe(false);
      await store.take(transportId, NOW, turnOf("holder"));
      expect(await store.open(transportId, "another")).toBe(false);
      expect((await store.transport(transportId))?.phase).toBe("accepted");
    });

    it("is refused when the connection is to end, or has", async () => {
      const connection = await accept();
      const { transportId } = connection;
      await store.take(transportId, NOW, turnOf("holder"));
      await store.markEnd(transportId, LOST, 0);
      expect(await store.open(transportId, "holder")).toBe(false);
      await store.claimEnd(claimOf(connection, { from: { phase: "accepted", turn: turnOf("holder") } }));
      expect(await store.open(transportId, "holder")).toBe(false);
      expect((await store.transport(transportId))?.phase).toBe("ended");
    });

    it("is one opening when it is made twice, as by a retry of the SDK", async () => {
      const { transportId } = await accept();
      await store.take(transportId, NOW, turnOf("holder"));
      await store.open(transportId, "holder");
      expect(await store.open(transportId, "holder")).toBe(true);
    });
  });

  describe("note", () => {
    const invocations = [{ id: "2", target: "b" }];

    it("replaces what the holder answers for, and nothing else", async () => {
      const { transportId } = await connect();
      const before = await store.take(transportId, NOW, {
        ...turnOf("holder"),
        invocations: [{ id: "1", target: "a" }],
      });
      expect(await store.note(transportId, "holder", invocations)).toBe(true);
      expect(await store.transport(transportId)).toStrictEqual({
        ...before,
        turn: { ...turnOf("holder"), invocations },
      });
    });

    it("is refused to whoever does not have the turn", async () => {
      const { transportId } = await connect();
      expect(await store.note(transportId, "nobody", invocations)).toBe(false);
      await store.take(transportId, NOW, turnOf("holder"));
      expect(await store.note(transportId, "another", invocations)).toBe(false);
      expect((await store.transport(transportId))?.turn).toStrictEqual(turnOf("holder"));
    });
  });

  describe("abandon", () => {
    it("leaves the turn to the next, with nothing to answer for", async () => {
      const { transportId } = await connect();
      await store.take(transportId, NOW, { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] });
      await store.abandon(transportId, "holder");
      const left = await store.transport(transportId);
      expect(left?.turn).toStrictEqual({ holder: "holder", until: 0, invocations: [] });
      expect(await store.steal(transportId, turnOf("next"), left?.turn)).toBe(true);
    });

    it("leaves no room for the notes of a frame that comes before it is stolen", async () => {
      const { transportId } = await connect();
      await store.take(transportId, NOW, { ...turnOf("holder"), invocations: [{ id: "1", target: "a" }] });
      await store.abandon(transportId, "holder");
      const late: Turn = { ...turnOf("late"), invocations: [{ id: "2", target: "b" }] };
      const left = { holder: "holder", until: 0, invocations: [] };
      expect((await store.take(transportId, NOW, late))?.turn).toStrictEqual(left);
    });

    it("changes nothing of another's turn", async () => {
      const { transportId } = await connect();
      await store.take(transportId, NOW, turnOf("holder"));
      await store.abandon(transportId, "another");
      expect((await store.transport(transportId))?.turn).toStrictEqual(turnOf("holder"));
    });
  });
}
