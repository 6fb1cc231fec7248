// Invocations in the hands of workers: who starts them, who runs them, and who stops them.

import { describe, expect, it } from "vitest";
import { MOST_WORK, type NewWork } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { HOSTILE_NAMES } from "./hostile-names.ts";
import { NOW } from "./samples.ts";

const LEASE = 35_000;
const UNTIL = NOW + LEASE;

export function workSuite(harness: Harness): void {
  const { connect, end, id, rows, store } = harness;
  const workOf = (key: string, nonce = `nonce of ${key}`): NewWork => ({ key, nonce, now: NOW });
  const start = (connectionId: string, key: string, nonce?: string) =>
    store.startWork(connectionId, workOf(key, nonce));
  const claim = (connectionId: string, key: string, worker: string, now = NOW) =>
    store.claimWork(connectionId, key, { worker, until: now + LEASE, now });

  describe("startWork", () => {
    it("notes work that nobody runs yet", async () => {
      const { connectionId } = await connect();
      expect(await start(connectionId, "1")).toBe("started");
      expect(await store.work(connectionId, "1")).toStrictEqual({ worker: undefined, until: 0, cancelled: false });
      expect(await store.work(connectionId, "2")).toBeUndefined();
    });

    it("has one winner among 50 starts of one key", async () => {
      const { connectionId } = await connect();
      const starts = Array.from({ length: 50 }, (_, index) => start(connectionId, "1", `nonce ${index}`));
      const outcomes = (await Promise.all(starts)).sort();
      expect(outcomes).toEqual(["started", ...Array(49).fill("taken")]);
    });

    it("is one start when it is made twice, as by a retry of the SDK, also when there is room for no other", async () => {
      const { connectionId } = await connect();
      for (let index = 0; index < MOST_WORK; index++) await start(connectionId, `${index}`);
      expect(await start(connectionId, "0")).toBe("started");
      expect(await start(connectionId, "0", "another")).toBe("taken");
      expect(await start(connectionId, "more")).toBe("full");
      expect(await store.work(connectionId, "more")).toBeUndefined();
      await store.finishWork(connectionId, "0");
      expect(await start(connectionId, "more")).toBe("started");
    });

    it("never starts more than there is room for, by 50 at once", async () => {
      const { connectionId } = await connect();
      for (let index = 0; index < MOST_WORK - 10; index++) await start(connectionId, `${index}`);
      const before = await rows();
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, index) => start(connectionId, `at once ${index}`)),
      );
      const started = outcomes.filter((outcome) => outcome === "started");
      expect(started.length).toBeLessThanOrEqual(10);
      expect(new Set(outcomes)).not.toContain("taken");
      expect(await rows()).toHaveLength(before.length + started.length);
    });

    it("counts each connection for itself", async () => {
      const { connectionId } = await connect();
      const other = await connect({ transportId: id("t2"), connectionId: `${connectionId}0` });
      for (let index = 0; index < MOST_WORK; index++) await start(other.connectionId, `${index}`);
      expect(await start(connectionId, "0")).toBe("started");
    });

    it.each(["new", "made before"])(
      "starts nothing for a connection that has ended: a start that is %s",
      async (which) => {
        const { connectionId } = await connect();
        if (which === "made before") await start(connectionId, "1");
        await store.bury(connectionId, NOW + 60_000);
        expect(await start(connectionId, "1")).toBe("ended");
        expect(await store.work(connectionId, "1")).toBeUndefined();
      },
    );

    it("leaves nothing of starts that race the end", { timeout: 60_000 }, async () => {
      for (let round = 0; round < 10; round++) {
        const before = await rows();
        const connection = await connect({ transportId: id(`t${round}`), connectionId: id(`c${round}`) });
        const starts = Array.from({ length: 10 }, (_, index) => start(connection.connectionId, `${index}`));
        await Promise.all([...starts, end(connection)]);
        expect(await rows()).toHaveLength(before.length + 1);
      }
    });
  });

  describe("claimWork", () => {
    it("has one winner among 50", async () => {
      const { connectionId } = await connect();
      await start(connectionId, "1");
      const claims = Array.from({ length: 50 }, (_, index) => claim(connectionId, "1", `worker ${index}`));
      const outcomes = await Promise.all(claims);
      expect(outcomes.filter((outcome) => outcome !== undefined)).toEqual(["claimed"]);
      expect(await store.work(connectionId, "1")).toStrictEqual({
        worker: `worker ${outcomes.indexOf("claimed")}`,
        until: UNTIL,
        cancelled: false,
      });
    });

    it("finds a worker dead when its lease has run out, for one of 50", async () => {
      const { connectionId } = await connect();
      await start(connectionId, "1");
      await claim(connectionId, "1", "first");
      expect(await claim(connectionId, "1", "second", UNTIL)).toBeUndefined();
      const claims = Array.from({ length: 50 }, (_, index) =>
        claim(connectionId, "1", `worker ${index}`, UNTIL + 1 + index),
      );
      const outcomes = (await Promise.all(claims)).filter((outcome) => outcome !== undefined);
      expect(outcomes).toEqual(["died"]);
      expect(await store.renewWork(connectionId, "1", "first", UNTIL)).toBeUndefined();
    });

    it("is one claim when it is made twice, as by a retry of the SDK, of work as of what a dead worker left", async () => {
      const { connectionId } = await connect();
      await start(connectionId, "1");
      for (let times = 0; times < 2; times++) expect(await claim(connectionId, "1", "first")).toBe("claimed");
      for (let times = 0; times < 2; times++) expect(await claim(connectionId, "1", "second", UNTIL + 1)).toBe("died");
      expect(await claim(connectionId, "1", "first", UNTIL + 1)).toBeUndefined();
    });

    it("claims nothing that is over", async () => {
      const { connectionId } = await connect();
      await start(connectionId, "1");
      await store.finishWork(connectionId, "1");
      expect(await claim(connectionId, "1", "worker")).toBeUndefined();
      expect(await store.work(connectionId, "1")).toBeUndefined();
      await store.finishWork(connectionId, "1");
    });
  });

  describe("a worker's lease", () => {
    it("moves while the work is its own", async () => {
      const { connectionId } = await connect();
      await start(connectionId, "1");
      expect(await store.renewWork(connectionId, "1", "worker", UNTIL)).toBeUndefined();
      await claim(connectionId, "1", "worker");
      const renewed = await store.renewWork(connectionId, "1", "worker", UNTIL + 10_000);
      expect(renewed).toStrictEqual({ worker: "worker", until: UNTIL + 10_000, cancelled: false });
      expect(await store.work(connectionId, "1")).toStrictEqual(renewed);
      expect(await store.renewWork(connectionId, "1", "another", NOW)).toBeUndefined();
      expect(await claim(connectionId, "1", "another", UNTIL + 1)).toBeUndefined();
      expect(await store.work(connectionId, "1")).toStrictEqual(renewed);
    });

    it("tells of a cancel, which stays, before and after the claim", async () => {
      const { connectionId } = await connect();
      for (const key of ["before", "after"]) await start(connectionId, key);
      await store.cancelWork(connectionId, "before");
      expect(await claim(connectionId, "before", "worker")).toBe("claimed");
      await claim(connectionId, "after", "worker");
      expect(await store.work(connectionId, "after")).toMatchObject({ cancelled: false });
      for (let times = 0; times < 2; times++) await store.cancelWork(connectionId, "after");
      for (const key of ["before", "after"]) {
        expect(await store.renewWork(connectionId, key, "worker", UNTIL)).toMatchObject({ cancelled: true });
        expect(await store.work(connectionId, key)).toMatchObject({ cancelled: true, worker: "worker" });
      }
    });
  });

  describe("work", () => {
    it("has any name", async () => {
      const before = await rows();
      const connection = await connect();
      const { connectionId } = connection;
      const names = [...HOSTILE_NAMES, "name", "name#", "name#1", ""];
      for (const name of names) expect(await start(connectionId, name)).toBe("started");
      for (const [index, name] of names.entries()) {
        expect(await claim(connectionId, name, `worker ${index}`)).toBe("claimed");
      }
      for (const [index, name] of names.entries()) {
        expect(await store.work(connectionId, name)).toMatchObject({ worker: `worker ${index}` });
        if (index % 2 === 0) await store.finishWork(connectionId, name);
      }
      expect(await store.groups(connectionId)).toEqual([]);
      expect(await store.waiting(connectionId)).toEqual([]);
      await end(connection);
      expect(await rows()).toHaveLength(before.length + 1);
    });

    it("is cleared with its connection, and with no other", async () => {
      const connection = await connect();
      const other = await connect({ transportId: id("t2"), connectionId: `${connection.connectionId}0` });
      for (const { connectionId } of [connection, other]) {
        for (const key of ["1", "2"]) await start(connectionId, key);
        await claim(connectionId, "1", "worker");
      }
      await end(connection);
      for (const key of ["1", "2"]) {
        expect(await store.work(connection.connectionId, key)).toBeUndefined();
        expect(await store.work(other.connectionId, key)).toBeDefined();
      }
      expect(await claim(connection.connectionId, "2", "worker")).toBeUndefined();
      expect(await store.renewWork(connection.connectionId, "1", "worker", UNTIL)).toBeUndefined();
    });
  });
}
