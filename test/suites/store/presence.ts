// Lists and counts of members, and users whose coming and going is told.

import { describe, expect, it } from "vitest";
import type { Audience, UserState } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { HOSTILE_NAMES } from "./hostile-names.ts";
import { groupOf, HUB, memberOf, NOW, userOf } from "./samples.ts";

const LEASE = NOW + 35_000;
const LATER = NOW + 3_600_000;

export function presenceSuite(harness: Harness): void {
  const { connect, end, id, rows, store } = harness;

  /** In pages of `limit`. */
  async function pages(audience: Audience, limit: number): Promise<readonly string[]> {
    const all: string[] = [];
    for (;;) {
      const page = await store.connectionIds(audience, all.at(-1), limit);
      expect(page.length).toBeLessThanOrEqual(limit);
      all.push(...page);
      if (page.length < limit) return all;
    }
  }

  async function connectMany(count: number, hub = HUB, userIdentifier?: string): Promise<readonly string[]> {
    const names = Array.from({ length: count }, (_, index) => id(`${hub} ${index}`));
    for (const name of names) {
      await connect({ transportId: name, connectionId: name, hub, ...(userIdentifier && { userIdentifier }) });
    }
    return names.sort();
  }

  describe("connection ids", () => {
    it.each([1, 2, 7, 20, 50])("of a hub come in pages of %i, each once", async (limit) => {
      const hub = id("hub");
      const names = await connectMany(20, hub);
      const found = await pages({ kind: "hub", hub }, limit);
      expect([...found].sort()).toEqual(names);
      expect(await store.connectionIds({ kind: "hub", hub }, undefined, 50)).toEqual(found);
      expect(await store.countMembers({ kind: "hub", hub })).toBe(20);
    });

    it("go on behind one that has left, and leave out nobody else", async () => {
      const hub = id("hub");
      const audience = { kind: "hub", hub } as const;
      await connectMany(12, hub);
      const all = await store.connectionIds(audience, undefined, 12);
      const gone = all[4] ?? "";
      await store.forget(audience, { connectionId: gone, transportId: gone });
      expect(await store.connectionIds(audience, gone, 12)).toEqual(all.slice(5));
      expect(await store.countMembers(audience)).toBe(11);
    });

    it("are counted without one, whether it is there or not", async () => {
      const hub = id("hub");
      const [first = ""] = await connectMany(5, hub, id("ada"));
      for (const audience of [{ kind: "hub", hub } as const, { kind: "user", hub, user: id("ada") } as const]) {
        expect(await store.countMembers(audience, first)).toBe(4);
        expect(await store.countMembers(audience, "nobody")).toBe(5);
      }
    });

    it("are those of a group or a user of any name, and of no other", async () => {
      const connection = await connect();
      for (const name of HOSTILE_NAMES) await store.join(memberOf(connection), HUB, name);
      for (const name of HOSTILE_NAMES) {
        expect(await store.connectionIds(groupOf(name), undefined, 2)).toEqual([connection.connectionId]);
        expect(await store.countMembers(groupOf(name), connection.connectionId)).toBe(0);
        expect(await store.connectionIds(userOf(`${name} of nobody`), undefined, 2)).toEqual([]);
      }
      await end(connection);
    });
  });

  describe("a user", () => {
    const hubOf = () => id("presence");
    const arrive = (user: string, arrival: string, until: number | undefined = LEASE) =>
      store.arriveUser(hubOf(), user, { id: arrival, until, checkAt: LATER });
    const online = async (user: string, arrival = "first"): Promise<UserState> => {
      const state = await arrive(user, arrival);
      expect(await store.settleUser(state)).toBe(true);
      return { ...state, phase: "online", until: 0 };
    };
    const depart = async (user: string) => {
      const seen = await store.user(hubOf(), user);
      if (seen === undefined) throw new Error("It is offline.");
      await store.departUser(seen, NOW);
    };
    const leave = async (user: string) => store.claimUser(await online(user), LEAVING);
    const LEAVING = { phase: "leaving", holder: "sweeper", until: LEASE } as const;

    async function due(now: number): Promise<readonly UserState[]> {
      const users: UserState[] = [];
      for await (const page of store.dueUsers(hubOf(), now)) users.push(...page.users);
      return users;
    }

    async function only(): Promise<UserState | undefined> {
      return (await due(Number.MAX_SAFE_INTEGER))[0];
    }

    it("comes by the first arrival alone", async () => {
      const states = await Promise.all(Array.from({ length: 10 }, (_, index) => arrive("ada", `a${index}`)));
      const winners = states.filter((state, index) => state.holder === `a${index}`);
      expect(winners).toHaveLength(1);
      expect(states.map(({ phase }) => phase)).toEqual(Array(10).fill("coming"));
      // Twice, as by a retry of the SDK.
      const [winner] = winners;
      expect(await arrive("ada", winner?.arrival ?? "")).toMatchObject({ holder: winner?.holder, until: LEASE });
    });

    it("is online at once where nothing is told of it", async () => {
      expect(await store.arriveUser(hubOf(), "ada", { id: "a", until: undefined, checkAt: LATER })).toStrictEqual({
        ...{ hub: hubOf(), user: "ada", phase: "online", arrival: "a", holder: "a", until: 0, checkAt: LATER },
      });
    });

    it("is online once that is told, and stays it when it arrives again", async () => {
      await online("ada");
      expect(await arrive("ada", "second")).toMatchObject({ phase: "online", holder: "first", arrival: "second" });
      expect(await only()).toStrictEqual({
        ...{ hub: hubOf(), user: "ada", phase: "online", arrival: "second", holder: "first", until: 0, checkAt: LATER },
      });
    });

    it("is due past the time at which it is to be looked at, and not at it", async () => {
      await online("ada");
      await online("bob");
      await depart("ada");
      expect(await due(NOW)).toEqual([]);
      expect((await due(NOW + 1)).map(({ user }) => user)).toEqual(["ada"]);
      expect((await due(LATER + 1)).map(({ user }) => user).sort()).toEqual(["ada", "bob"]);
    });

    it("is due when its holder is dead, whenever it was to be looked at", async () => {
      await arrive("ada", "first");
      await depart("ada");
      expect(await due(LEASE)).toEqual([]);
      expect((await due(LEASE + 1)).map(({ phase }) => phase)).toEqual(["coming"]);
    });

    it("leaves by one claim of many", async () => {
      const state = await online("ada");
      const claims = await Promise.all(["a", "b", "c"].map((holder) => store.claimUser(state, { ...LEAVING, holder })));
      expect(claims.filter((claim) => claim !== undefined)).toHaveLength(1);
    });

    it("does not leave when it has arrived since it was looked at", async () => {
      const state = await online("ada");
      await arrive("ada", "second");
      expect(await store.claimUser(state, LEAVING)).toBeUndefined();
    });

    it("is gone once that is told", async () => {
      const claimed = await leave("ada");
      if (claimed === undefined) throw new Error("It does not leave.");
      expect(await store.settleUser({ ...claimed, holder: "another" })).toBe(false);
      expect(await store.settleUser(claimed)).toBe(true);
      expect(await due(Number.MAX_SAFE_INTEGER)).toEqual([]);
      expect(await store.settleUser(claimed)).toBe(false);
    });

    it("that departs while it leaves is gone all the same", async () => {
      const claimed = await leave("ada");
      await depart("ada");
      expect(claimed && (await store.settleUser(claimed))).toBe(true);
    });

    it("that arrives while it leaves comes back, also when who told it died", async () => {
      const claimed = await leave("ada");
      if (claimed === undefined) throw new Error("It does not leave.");
      expect(await arrive("ada", "second")).toMatchObject({ phase: "leaving", holder: "sweeper" });
      expect(await store.settleUser(claimed)).toBe(false);
      const seen = await only();
      if (seen === undefined) throw new Error("It is gone.");
      const again = await store.claimUser(seen, { ...LEAVING, holder: "next" });
      if (again === undefined) throw new Error("It can not be taken over.");
      expect(await store.claimUser(claimed, LEAVING)).toBeUndefined();
      expect(await store.settleUser(again)).toBe(false);
      const back = await store.claimUser(again, { phase: "coming", holder: "next", until: LEASE });
      expect(back).toMatchObject({ phase: "coming", arrival: "second" });
      expect(back && (await store.settleUser(back))).toBe(true);
      expect(await only()).toMatchObject({ phase: "online", until: 0, arrival: "second" });
    });

    it("does not depart when it has arrived since it was looked at", async () => {
      const state = await online("ada");
      await arrive("ada", "second");
      await store.departUser(state, NOW);
      expect(await store.user(hubOf(), "ada")).toMatchObject({ arrival: "second", checkAt: LATER });
    });

    it("may be claimed twice by one, as by a retry of the SDK", async () => {
      const state = await online("ada");
      const first = await store.claimUser(state, LEAVING);
      await arrive("ada", "second");
      expect(await store.claimUser(state, LEAVING)).toMatchObject({ phase: "leaving", holder: "sweeper" });
      expect(first && (await store.settleUser(first))).toBe(false);
    });

    it("is kept only as it was seen", async () => {
      const state = await online("ada");
      await depart("ada");
      await store.keepUser(state, LATER + 1);
      expect(await only()).toMatchObject({ checkAt: NOW });
      await store.keepUser({ ...state, checkAt: NOW }, LATER + 1);
      expect(await only()).toMatchObject({ checkAt: LATER + 1 });
      await arrive("ada", "second");
      await store.keepUser(state, NOW);
      expect(await only()).toMatchObject({ checkAt: LATER });
    });

    it("may have any name, and is one per hub", async () => {
      for (const name of ["", ...HOSTILE_NAMES]) await online(name);
      const names = (await due(Number.MAX_SAFE_INTEGER)).map(({ user }) => user);
      expect(names.sort()).toEqual(["", ...HOSTILE_NAMES].sort());
      let total = 0;
      for await (const page of store.dueUsers(hubOf(), NOW)) total += page.total;
      expect(total).toBe(names.length);
      for await (const page of store.dueUsers("another", Number.MAX_SAFE_INTEGER)) expect(page.users).toEqual([]);
    });

    it("is not brought into being but by an arrival", async () => {
      const never = { hub: hubOf(), user: "never", phase: "online", arrival: "a", holder: "h" } as const;
      const before = await rows();
      for (const phase of ["coming", "online", "leaving"] as const) {
        const state = { ...never, phase, until: phase === "online" ? 0 : LEASE, checkAt: NOW };
        await store.departUser(state, NOW);
        await store.keepUser(state, NOW);
        expect(await store.user(hubOf(), "never")).toBeUndefined();
        expect(await store.claimUser(state, LEAVING)).toBeUndefined();
        expect(await store.settleUser(state)).toBe(false);
      }
      expect(await rows()).toEqual(before);
    });
  });
}
