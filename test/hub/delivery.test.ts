import { describe, expect, it } from "vitest";
import { openChannel } from "../../lambdas/hub/channel.ts";
import { createDelivery } from "../../lambdas/hub/delivery.ts";
import {
  type Audience,
  defineHub,
  defineService,
  type LogFields,
  type PostOutcome,
  type Session,
  type Store,
  type Transports,
} from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { recordingLog } from "../recording-log.ts";
import { memoryTable } from "../suites/memory-store/index.ts";

const HUB: Audience = { kind: "hub", hub: "chat" };
const HELLO = { kind: "invocation", target: "hello", args: [] } as const;
const RECORD = core.encode(HELLO);
const NOBODY: Session = {
  userIdentifier: undefined,
  user: { isAuthenticated: false, name: undefined, roles: [], claims: {} },
  request: { query: {}, headers: {} },
  items: {},
};

/** Members of a hub, named by their connections, and what each transport was posted. */
async function delivering(connectionIds: readonly string[], outcomes: Readonly<Record<string, PostOutcome>> = {}) {
  const posted: [string, string][] = [];
  const lines: LogFields[] = [];
  const transports: Transports = {
    async post(transportId, text) {
      posted.push([transportId, text]);
      return outcomes[transportId] ?? "accepted";
    },
    close: async () => undefined,
    look: async () => "unknown",
  };
  const store = memoryTable().store();
  for (const connectionId of connectionIds) await enter(store, connectionId);
  const service = defineService({ hubs: { chat: defineHub()({ methods: {} }) } });
  const random = { id: () => "id" };
  const ports = { service, store, transports, clock: new FakeClock(), random, dialect: core, log: recordingLog(lines) };
  return {
    posted,
    lines,
    store,
    ports,
  };
}

async function enter(store: Store, connectionId: string): Promise<void> {
  const transportId = `t-${connectionId}`;
  const far = Number.MAX_SAFE_INTEGER;
  const times = { deadline: far, rotateAt: far };
  await store.accept({
    transportId,
    connectionId,
    hub: "chat",
    ...times,
    session: NOBODY,
    resumeKey: undefined,
    stateful: false,
    issuedAt: 0,
  });
  await store.enter({ connectionId, transportId }, "chat", undefined);
}

describe("a message", () => {
  it("reaches everybody addressed but those left out", async () => {
    const { ports, posted } = await delivering(["a", "b", "c"]);
    const delivery = createDelivery(ports, "chat", "caller", undefined);
    await delivery.toAudience(HUB, HELLO, new Set(["b", "nobody"]));
    expect(posted.sort()).toEqual([
      ["t-a", RECORD],
      ["t-c", RECORD],
    ]);
  });

  it("reaches one connection of the hub, and none of another", async () => {
    const { ports, posted } = await delivering(["a", "b"]);
    await createDelivery(ports, "chat", "caller", undefined).toConnection("a", HELLO);
    await createDelivery(ports, "chat", "caller", undefined).toConnection("nobody", HELLO);
    await createDelivery(ports, "other", "caller", undefined).toConnection("a", HELLO);
    expect(posted).toEqual([["t-a", RECORD]]);
  });

  it("is encoded once for all", async () => {
    const { ports } = await delivering(["a", "b", "c"]);
    let encoded = 0;
    const argument = { toJSON: () => ++encoded };
    const message = { ...HELLO, args: [argument] };
    await createDelivery(ports, "chat", "caller", undefined).toAudience(HUB, message);
    expect(encoded).toBe(1);
  });

  it("is posted to 64 at once, not more", async () => {
    const { ports } = await delivering(Array.from({ length: 100 }, (_, index) => `c${index}`));
    let running = 0;
    let most = 0;
    const post = async (): Promise<PostOutcome> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return "accepted";
    };
    const transports = { ...ports.transports, post };
    await createDelivery({ ...ports, transports }, "chat", "caller", undefined).toAudience(HUB, HELLO);
    expect(most).toBe(64);
  });

  it("to the caller keeps its place among what the caller's channel carries", async () => {
    const { ports, posted } = await delivering(["a", "b"]);
    const channel = openChannel(ports.transports, "t-a", core.protocolOf(undefined));
    const delivery = createDelivery(ports, "chat", "a", channel);
    await Promise.all([channel.write("1"), channel.write("2"), delivery.toCaller(HELLO), channel.write("3")]);
    await delivery.toAudience(HUB, HELLO);
    expect(posted).toEqual([
      ["t-a", "1"],
      ["t-a", `2${RECORD}3`],
      ["t-a", RECORD],
      ["t-b", RECORD],
    ]);
  });

  it("to a caller that has ended is to nobody", async () => {
    const { ports, posted } = await delivering(["a"]);
    await createDelivery(ports, "chat", "caller", undefined).toCaller(HELLO);
    expect(posted).toEqual([]);
  });

  it.each(["toCaller", "toConnection", "toAudience"] as const)("over 128 KB goes nowhere: %s", async (verb) => {
    const { ports, posted } = await delivering(["a"]);
    const delivery = createDelivery(
      ports,
      "chat",
      "a",
      openChannel(ports.transports, "t-a", core.protocolOf(undefined)),
    );
    const send = (text: string) => {
      const message = { ...HELLO, args: [text] };
      if (verb === "toCaller") return delivery.toCaller(message);
      return verb === "toConnection" ? delivery.toConnection("a", message) : delivery.toAudience(HUB, message);
    };
    const room = 128 * 1024 - core.encode({ ...HELLO, args: [""] }).length;
    for (const tooLong of ["x".repeat(room + 1), "ü".repeat(room / 2 + 1)]) {
      await expect(send(tooLong)).rejects.toMatchObject({ name: "MessageTooLargeError", code: "message_too_large" });
    }
    expect(posted).toEqual([]);
    await send("x".repeat(room));
    expect(posted).toHaveLength(1);
  });
});

describe("a transport that does not take a message", () => {
  it("keeps it from nobody else", async () => {
    const { ports, posted } = await delivering(["a", "b", "c"], { "t-a": "gone", "t-b": "failed" });
    await createDelivery(ports, "chat", "caller", undefined).toAudience(HUB, HELLO);
    expect(posted.map(([transportId]) => transportId).sort()).toEqual(["t-a", "t-b", "t-c"]);
  });

  it("is left to the sweeper, when it is gone and its connection is not", async () => {
    const { ports, store } = await delivering(["a"], { "t-a": "gone" });
    await createDelivery(ports, "chat", "caller", undefined).toAudience(HUB, HELLO);
    expect(await store.transport("t-a")).toMatchObject({ deadline: 0 });
    expect(await store.member("a", "chat")).toBeDefined();
  });

  it("is left to the sweeper as well when it is the caller's", async () => {
    const { ports, store } = await delivering(["a"], { "t-a": "gone" });
    await createDelivery(ports, "chat", "a", openChannel(ports.transports, "t-a", core.protocolOf(undefined))).toCaller(
      HELLO,
    );
    expect(await store.transport("t-a")).toMatchObject({ deadline: 0 });
  });

  it("is forgotten when its connection has ended", async () => {
    const { ports, store } = await delivering(["a", "b"], { "t-a": "gone" });
    await store.bury("a", 0);
    await createDelivery(ports, "chat", "caller", undefined).toAudience(HUB, HELLO);
    expect(await store.member("a", "chat")).toBeUndefined();
    expect(await store.member("b", "chat")).toBeDefined();
  });

  it("is given up with a warning when it fails", async () => {
    const { ports, store, lines } = await delivering(["a"], { "t-a": "failed" });
    await createDelivery(ports, "chat", "caller", undefined).toAudience(HUB, HELLO);
    expect(lines).toMatchObject([{ level: "warn", connectionId: "a" }]);
    expect(await store.transport("t-a")).toMatchObject({ deadline: Number.MAX_SAFE_INTEGER });
  });
});
