import { describe, expect, it } from "vitest";
import { byteLength, openChannel } from "../../lambdas/hub/channel.ts";
import type { PostOutcome, Transports } from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";

/** Transports whose posts wait until a test answers them. */
function heldTransports() {
  const posts: { text: string; answer: (outcome: PostOutcome) => void }[] = [];
  const transports: Transports = {
    post: (_transportId, text) => new Promise((answer) => posts.push({ text, answer })),
    close: async () => undefined,
    look: async () => "unknown",
  };
  return { posts, transports };
}

const KB = 1024;

describe("a channel", () => {
  it("posts the first record at once and gathers the next ones behind it", async () => {
    const { posts, transports } = heldTransports();
    const channel = openChannel(transports, "t", core.protocolOf(undefined));
    const writes = ["a", "b", "c"].map((record) => channel.write(record));
    expect(posts.map((post) => post.text)).toEqual(["a"]);
    posts[0]?.answer("accepted");
    expect(await writes[0]).toBe("accepted");
    expect(posts.map((post) => post.text)).toEqual(["a", "bc"]);
    posts[1]?.answer("failed");
    expect(await Promise.all(writes)).toEqual(["accepted", "failed", "failed"]);
  });

  it.each<[string, readonly number[], readonly number[]]>([
    ["shares posts up to 32 KB", [1, 16 * KB, 16 * KB, 1], [1, 32 * KB, 1]],
    ["never splits a record", [1, 100 * KB, 100 * KB], [1, 100 * KB, 100 * KB]],
    ["posts a large record behind small ones on its own", [1, 1, 40 * KB, 1], [1, 1, 40 * KB, 1]],
  ])("%s", async (_title, records, expected) => {
    const sizes: number[] = [];
    const transports: Transports = {
      async post(_transportId, text) {
        sizes.push(text.length);
        return "accepted";
      },
      close: async () => undefined,
      look: async () => "unknown",
    };
    const channel = openChannel(transports, "t", core.protocolOf(undefined));
    await Promise.all(records.map((size) => channel.write("x".repeat(size))));
    expect(sizes).toEqual(expected);
  });

  it("counts bytes of UTF-8", async () => {
    const { posts, transports } = heldTransports();
    const channel = openChannel(transports, "t", core.protocolOf(undefined));
    const first = channel.write("a");
    void channel.write("ü".repeat(16 * KB));
    void channel.write("b");
    posts[0]?.answer("accepted");
    await first;
    expect(posts[1]?.text).toBe("ü".repeat(16 * KB));
    expect(byteLength("aü😀")).toBe(7);
  });

  it("is flushed when everything written so far is posted", async () => {
    const { posts, transports } = heldTransports();
    const channel = openChannel(transports, "t", core.protocolOf(undefined));
    await channel.flushed();
    const first = channel.write("a");
    const second = channel.write("b");
    let flushed = false;
    const flushing = channel.flushed().then(() => {
      flushed = true;
    });
    posts[0]?.answer("accepted");
    await first;
    expect(flushed).toBe(false);
    posts[1]?.answer("gone");
    expect(await second).toBe("gone");
    await flushing;
    expect(flushed).toBe(true);
  });

  it("starts anew after it was empty", async () => {
    const { posts, transports } = heldTransports();
    const channel = openChannel(transports, "t", core.protocolOf(undefined));
    for (const record of ["a", "b"]) {
      const written = channel.write(record);
      posts.at(-1)?.answer("accepted");
      await written;
      await channel.flushed();
    }
    expect(posts.map((post) => post.text)).toEqual(["a", "b"]);
  });
});
