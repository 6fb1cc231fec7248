// What clients stream to methods: items let in while there is room, in order, until the end or nobody reads.

import { describe, expect, it } from "vitest";
import type { NewUploadItem } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { HOSTILE_NAMES } from "./hostile-names.ts";
import { NOW } from "./samples.ts";

const EXPIRES = NOW + 3_600_000;
const CAPACITY = 10;
const END = { receivedAt: NOW + 500, error: undefined };

export function uploadsSuite(harness: Harness): void {
  const { connect, end, id, rows, store } = harness;
  const itemOf = (index: number, changes: Partial<NewUploadItem> = {}): NewUploadItem => ({
    nonce: `n${index}`,
    receivedAt: NOW,
    json: `${index}`,
    ...changes,
  });
  const put = (connectionId: string, stream: string, index: number, changes: Partial<NewUploadItem> = {}) =>
    store.putItem(connectionId, stream, itemOf(index, changes), CAPACITY);
  const jsonOf = async (connectionId: string, stream: string) =>
    (await store.uploadItems(connectionId, stream)).map(({ json }) => json);
  const drop = async (connectionId: string, stream: string, count: number) => {
    const items = await store.uploadItems(connectionId, stream);
    const keys = items.slice(0, count).map(({ key }) => key);
    await store.dropItems(connectionId, stream, keys);
    return keys;
  };

  describe("openUpload", () => {
    it("opens a stream once, however often the same one asks", async () => {
      const { connectionId } = await connect();
      for (let times = 0; times < 2; times++)
        expect(await store.openUpload(connectionId, "s", "nonce", EXPIRES)).toBe("opened");
      expect(await store.openUpload(connectionId, "s", "another", EXPIRES)).toBe("taken");
      expect(await store.upload(connectionId, "s")).toStrictEqual({ received: 0, end: undefined });
    });

    it("has one winner among 50", async () => {
      const { connectionId } = await connect();
      const opens = Array.from({ length: 50 }, (_, index) =>
        store.openUpload(connectionId, "s", `nonce ${index}`, EXPIRES),
      );
      expect((await Promise.all(opens)).sort()).toEqual(["opened", ...Array(49).fill("taken")]);
    });

    it("finds what came before the invocation, and keeps it", async () => {
      const { connectionId } = await connect();
      expect(await put(connectionId, "s", 1)).toBe("put");
      await store.endUpload(connectionId, "s", END);
      expect(await store.openUpload(connectionId, "s", "nonce", EXPIRES)).toBe("opened");
      expect(await store.upload(connectionId, "s")).toStrictEqual({ received: 1, end: END });
      expect(await jsonOf(connectionId, "s")).toEqual(["1"]);
    });

    it("opens none that was closed", async () => {
      const { connectionId } = await connect();
      await store.openUpload(connectionId, "s", "nonce", EXPIRES);
      await store.closeUpload(connectionId, "s");
      expect(await store.openUpload(connectionId, "s", "nonce", EXPIRES)).toBe("taken");
    });
  });

  describe("putItem", () => {
    it("keeps items in the order of their receipt, and those of one moment in the order in which they came", async () => {
      const { connectionId } = await connect();
      for (const [index, receivedAt] of [NOW + 20, NOW + 3, NOW + 3, NOW + 100, NOW + 3].entries()) {
        expect(await put(connectionId, "s", index, { receivedAt })).toBe("put");
      }
      expect(await jsonOf(connectionId, "s")).toEqual(["1", "2", "4", "0", "3"]);
      expect(await store.upload(connectionId, "s")).toStrictEqual({ received: 5, end: undefined });
    });

    it("lets as many in as there is room for, of 50 at once", async () => {
      const { connectionId } = await connect();
      const puts = Array.from({ length: 50 }, (_, index) => put(connectionId, "s", index));
      const outcomes = (await Promise.all(puts)).sort();
      expect(outcomes).toEqual([...Array(40).fill("full"), ...Array(CAPACITY).fill("put")]);
      expect(await store.uploadItems(connectionId, "s")).toHaveLength(CAPACITY);
      expect(await store.upload(connectionId, "s")).toMatchObject({ received: CAPACITY });
    });

    it("never lets more in than there is room for, while others make room", async () => {
      const { connectionId } = await connect();
      for (let index = 0; index < CAPACITY; index++) await put(connectionId, "s", index);
      const keys = (await store.uploadItems(connectionId, "s")).map(({ key }) => key);
      const outcomes = await Promise.all([
        ...keys.slice(0, 4).map((key) => store.dropItems(connectionId, "s", [key])),
        ...Array.from({ length: 50 }, (_, index) => put(connectionId, "s", 100 + index)),
      ]);
      const letIn = outcomes.filter((outcome) => outcome === "put").length;
      expect(letIn).toBeLessThanOrEqual(4);
      expect(await store.uploadItems(connectionId, "s")).toHaveLength(CAPACITY - 4 + letIn);
    });

    it("is one item when it is put twice, as by a retry of the SDK, also when others came between or it is full", async () => {
      const { connectionId } = await connect();
      for (let index = 0; index < CAPACITY; index++) expect(await put(connectionId, "s", index)).toBe("put");
      for (let index = 0; index < CAPACITY; index++) expect(await put(connectionId, "s", index)).toBe("put");
      expect(await store.upload(connectionId, "s")).toMatchObject({ received: CAPACITY });
      expect(await put(connectionId, "s", CAPACITY)).toBe("full");
    });

    it("refuses what was received after the end, and lets in what was received before", async () => {
      const { connectionId } = await connect();
      await store.endUpload(connectionId, "s", END);
      expect(await put(connectionId, "s", 1, { receivedAt: END.receivedAt + 1 })).toBe("over");
      expect(await put(connectionId, "s", 2, { receivedAt: END.receivedAt })).toBe("put");
      expect(await put(connectionId, "s", 3, { receivedAt: END.receivedAt - 1 })).toBe("put");
      expect(await jsonOf(connectionId, "s")).toEqual(["3", "2"]);
    });

    it("leaves no item to a connection that has ended", async () => {
      const before = await rows();
      const connection = await connect();
      await store.openUpload(connection.connectionId, "open", "nonce", EXPIRES);
      await end(connection);
      for (const stream of ["open", "unknown"]) {
        expect(await put(connection.connectionId, stream, 1)).toBe("over");
        await store.endUpload(connection.connectionId, stream, END);
        expect(await store.openUpload(connection.connectionId, stream, "nonce", EXPIRES)).toBe("ended");
      }
      expect(await rows()).toHaveLength(before.length + 1);
    });

    it("leaves nothing of items that race the end", { timeout: 60_000 }, async () => {
      for (let round = 0; round < 10; round++) {
        const before = await rows();
        const connection = await connect({ transportId: id(`t${round}`), connectionId: id(`c${round}`) });
        const { connectionId } = connection;
        const puts = Array.from({ length: 10 }, (_, index) => put(connectionId, "s", index));
        const ends = ["s", "other"].map((stream) => store.endUpload(connectionId, stream, END));
        const open = store.openUpload(connectionId, "s", "nonce", EXPIRES);
        await Promise.all([...puts, ...ends, open, end(connection)]);
        expect(await rows()).toHaveLength(before.length + 1);
      }
    });
  });

  describe("dropItems", () => {
    it("makes room for as many, once, also when it is done twice as by a retry of the SDK", async () => {
      const { connectionId } = await connect();
      for (let index = 0; index < CAPACITY; index++) await put(connectionId, "s", index);
      const keys = await drop(connectionId, "s", 2);
      await store.dropItems(connectionId, "s", keys);
      await store.dropItems(connectionId, "s", []);
      expect(await jsonOf(connectionId, "s")).toEqual(["2", "3", "4", "5", "6", "7", "8", "9"]);
      expect(await put(connectionId, "s", 10)).toBe("put");
      expect(await put(connectionId, "s", 11)).toBe("put");
      expect(await put(connectionId, "s", 12)).toBe("full");
      expect(await store.upload(connectionId, "s")).toMatchObject({ received: CAPACITY + 2 });
    });

    it("empties a stream, which fills again", async () => {
      const { connectionId } = await connect();
      for (let round = 0; round < 3; round++) {
        for (let index = 0; index < CAPACITY; index++)
          expect(await put(connectionId, "s", round * CAPACITY + index)).toBe("put");
        await drop(connectionId, "s", CAPACITY);
        expect(await store.uploadItems(connectionId, "s")).toEqual([]);
      }
      expect(await store.upload(connectionId, "s")).toMatchObject({ received: 3 * CAPACITY });
    });
  });

  describe("endUpload", () => {
    it.each([undefined, "", "The client's own words."])("keeps the first end: %s", async (error) => {
      const { connectionId } = await connect();
      await store.openUpload(connectionId, "s", "nonce", EXPIRES);
      await store.endUpload(connectionId, "s", { receivedAt: NOW, error });
      await store.endUpload(connectionId, "s", { receivedAt: NOW + 1, error: "later" });
      await store.endUpload(connectionId, "s", { receivedAt: NOW + 1, error: undefined });
      expect(await store.upload(connectionId, "s")).toStrictEqual({ received: 0, end: { receivedAt: NOW, error } });
    });

    it("has one winner among 50", async () => {
      const { connectionId } = await connect();
      await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          store.endUpload(connectionId, "s", { receivedAt: NOW + index, error: `${index}` }),
        ),
      );
      const end = (await store.upload(connectionId, "s"))?.end;
      expect(end?.receivedAt).toBe(NOW + Number(end?.error));
    });
  });

  describe("closeUpload", () => {
    it("removes what waits, and takes nothing more", async () => {
      const { connectionId } = await connect();
      await store.openUpload(connectionId, "s", "nonce", EXPIRES);
      for (let index = 0; index < 3; index++) await put(connectionId, "s", index);
      for (let times = 0; times < 2; times++) await store.closeUpload(connectionId, "s");
      expect(await store.uploadItems(connectionId, "s")).toEqual([]);
      expect(await put(connectionId, "s", 4)).toBe("over");
      expect(await store.uploadItems(connectionId, "s")).toEqual([]);
    });
  });

  describe("an upload", () => {
    const names = [...HOSTILE_NAMES, "name", "name#", "name#000", "nam", ""];

    it("has any name, and no item of another", async () => {
      const before = await rows();
      const connection = await connect();
      const { connectionId } = connection;
      for (const [index, name] of names.entries()) {
        expect(await store.openUpload(connectionId, name, "nonce", EXPIRES)).toBe("opened");
        expect(await put(connectionId, name, index)).toBe("put");
      }
      for (const [index, name] of names.entries()) {
        expect(await jsonOf(connectionId, name)).toEqual([`${index}`]);
        if (index % 2 === 0) await store.closeUpload(connectionId, name);
      }
      for (const [index, name] of names.entries()) {
        expect(await jsonOf(connectionId, name)).toEqual(index % 2 === 0 ? [] : [`${index}`]);
      }
      expect(await store.groups(connectionId)).toEqual([]);
      expect(await store.waiting(connectionId)).toEqual([]);
      await end(connection);
      expect(await rows()).toHaveLength(before.length + 1);
    });

    it("carries any item", async () => {
      const { connectionId } = await connect();
      const items = HOSTILE_NAMES.slice(0, CAPACITY).map((name) => JSON.stringify({ [name]: name }));
      for (const [index, json] of items.entries()) expect(await put(connectionId, "s", index, { json })).toBe("put");
      expect(await jsonOf(connectionId, "s")).toEqual(items);
    });

    it("is cleared with its connection, and with no other", async () => {
      const connection = await connect();
      const other = await connect({ transportId: id("t2"), connectionId: `${connection.connectionId}0` });
      for (const { connectionId } of [connection, other]) {
        await store.openUpload(connectionId, "s", "nonce", EXPIRES);
        for (let index = 0; index < 3; index++) await put(connectionId, "s", index);
        await put(connectionId, "of no invocation", 3);
      }
      await end(connection);
      expect(await store.upload(connection.connectionId, "s")).toBeUndefined();
      expect(await store.uploadItems(connection.connectionId, "s")).toEqual([]);
      expect(await store.upload(connection.connectionId, "of no invocation")).toBeUndefined();
      expect(await jsonOf(other.connectionId, "s")).toEqual(["0", "1", "2"]);
      expect(await jsonOf(other.connectionId, "of no invocation")).toEqual(["3"]);
    });
  });
}
