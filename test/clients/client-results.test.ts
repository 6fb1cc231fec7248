// Client results: asked by methods, of the caller, of others and of groups; answered, refused, late, by the wrong one.

import type { HubConnection } from "@microsoft/signalr";
import { defineHub, InvocationCanceledError } from "signalr-lambda";
import { expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { VirtualTime } from "./virtual-time.ts";

interface Client {
  confirm(question: string): boolean;
  count(): number;
  told(text: string): void;
}

const seen = new Arrivals<unknown>();

function askingHub() {
  return defineHub<Client>()({
    methods: {
      askMe: (hub, question: string) => hub.clients.caller.invoke("confirm", [question]),
      ask: (hub, connectionId: string, question: string, timeout?: number) =>
        hub.clients.client(connectionId).invoke("confirm", [question], timeout === undefined ? {} : { timeout }),
      askUntyped: (hub, connectionId: string, target: string) => hub.clients.client(connectionId).invoke(target, []),
      async askUntilAborted(hub, connectionId: string) {
        const stop = new AbortController();
        stop.abort();
        return hub.clients
          .client(connectionId)
          .invoke("confirm", ["?"], { signal: stop.signal })
          .catch((error) => error instanceof InvocationCanceledError && error.message);
      },
      askAll: (hub, group: string, timeout: number) =>
        hub.clients.group(group).invokeAll("confirm", ["All?"], { timeout }),
      askMany: (hub) => (hub.clients.all as unknown as { invoke(target: string): Promise<unknown> }).invoke("confirm"),
      join: (hub, group: string) => hub.groups.add(group),
      echo: (_hub, value: unknown) => value,
    },
    async onConnected(hub) {
      if (hub.request.query.eager === undefined) return;
      await hub.clients.caller.invoke("confirm", ["Now?"]).catch((error) => seen.push(error.message));
    },
  });
}

async function start() {
  const time = await VirtualTime.serve({ hubs: { chat: askingHub() }, enableDetailedErrors: true });
  const connect = async (answer?: (question: string) => unknown, path = "/chat"): Promise<HubConnection> => {
    const connection = time.service.track(time.service.build(path, time.network.options).build());
    if (answer !== undefined) connection.on("confirm", answer);
    await time.until(connection.start());
    return connection;
  };
  return { time, connect };
}

it("come from the caller, also after it has asked something itself", async () => {
  const { time, connect } = await start();
  const connection = await connect(async (question) => `${question} ${await connection.invoke("echo", "yes")}`);
  expect(await time.until(connection.invoke("askMe", "Sure?"))).toBe("Sure? yes");
  expect(await time.until(Promise.all(["1", "2", "3"].map((each) => connection.invoke("askMe", each))))).toEqual([
    "1 yes",
    "2 yes",
    "3 yes",
  ]);
});

it("come from others, whatever they are", async () => {
  const { time, connect } = await start();
  const asker = await connect();
  for (const answer of [true, 0, "", null, { deep: [1] }, "x".repeat(20_000)]) {
    const other = await connect(() => answer);
    expect(await time.until(asker.invoke("ask", other.connectionId, "?"))).toEqual(answer);
  }
});

it("are errors in the client's words, or in the reference's", async () => {
  const { time, connect } = await start();
  const asker = await connect();
  const prefix = "An unexpected error occurred invoking 'ask' on the server.";
  const throwing = await connect(() => {
    throw new Error("I do not say.");
  });
  await expect(time.until(asker.invoke("ask", throwing.connectionId, "?"))).rejects.toThrow(
    `${prefix} HubException: Error: I do not say.`,
  );
  const silent = await connect();
  await expect(time.until(asker.invoke("ask", silent.connectionId, "?"))).rejects.toThrow(
    `${prefix} HubException: Client didn't provide a result.`,
  );
  await expect(time.until(asker.invoke("ask", "nobody", "?"))).rejects.toThrow(
    `${prefix} Error: Connection 'nobody' does not exist.`,
  );
  await expect(time.until(asker.invoke("askMany"))).rejects.toThrow("InvokeAsync only works with Single clients.");
  await expect(time.until(asker.invoke("askUntyped", silent.connectionId, "unheard"))).rejects.toThrow(
    "Client didn't provide a result.",
  );
});

it("do not come for ever", async () => {
  const { time, connect } = await start();
  const asker = await connect();
  const pondering = await connect(() => new Promise(() => undefined));
  await expect(time.until(asker.invoke("ask", pondering.connectionId, "?", 5_000))).rejects.toThrow(
    "InvocationCanceledError: Invocation canceled by the server. No answer came within 5000 ms.",
  );
  expect(await time.until(asker.invoke("askUntilAborted", pondering.connectionId))).toBe(
    "Invocation canceled by the server. The caller stopped waiting.",
  );
  const asked = asker.invoke("ask", pondering.connectionId, "?");
  const failed = expect(asked).rejects.toThrow(`Connection '${pondering.connectionId}' disconnected.`);
  await time.pass(1_000);
  await time.until(pondering.stop());
  await time.until(failed);
});

it("are refused in onConnected", async () => {
  const { time, connect } = await start();
  await connect(() => true, "/chat?eager=1");
  expect(await time.until(seen.next())).toBe("Client results inside OnConnectedAsync Hub methods are not allowed.");
});

it("are collected from a group, with who did not answer", async () => {
  const { time, connect } = await start();
  const asker = await connect();
  const yes = await connect(() => true);
  const no = await connect(() => false);
  const broken = await connect(() => {
    throw new Error("Broken.");
  });
  const pondering = await connect(() => new Promise(() => undefined));
  for (const each of [yes, no, broken, pondering]) await time.until(each.invoke("join", "jury"));
  const { results, errors, missing } = await time.until(asker.invoke("askAll", "jury", 2_000));
  expect(results).toHaveLength(2);
  expect(results).toContainEqual({ connectionId: yes.connectionId, result: true });
  expect(results).toContainEqual({ connectionId: no.connectionId, result: false });
  expect(errors).toEqual([{ connectionId: broken.connectionId, error: "Error: Broken." }]);
  expect(missing).toEqual([pondering.connectionId]);
  expect(await time.until(asker.invoke("askAll", "nobody", 2_000))).toEqual({ results: [], errors: [], missing: [] });
});

it("close a connection that answers for another; unknown ids are ignored", async () => {
  const { time, connect } = await start();
  const asker = await connect();
  let answer: (value: boolean) => void = () => undefined;
  const other = await connect(() => new Promise((resolve) => (answer = resolve)));
  const offer = await time.negotiate("?negotiateVersion=1");
  const intruder = await time.open(`/chat?id=${offer.connectionToken}`);
  await time.until(intruder.handshake());
  const asked = asker.invoke("ask", other.connectionId, "?");
  await time.pass(500);
  const ids = (await time.service.table.keys()).filter((key) => key.startsWith("Q#"));
  const id = ids[0]?.slice(2).split(" ")[0] ?? "";
  intruder.send({ type: 3, invocationId: `s${"a".repeat(22)}`, result: true });
  intruder.send({ type: 3, invocationId: id, result: true });
  expect(await time.until(intruder.next())).toEqual({
    type: 7,
    error: `Connection closed with an error. InvalidOperationException: Connection ID '${offer.connectionId}' is not valid for invocation ID '${id}'.`,
    allowReconnect: true,
  });
  answer(true);
  expect(await time.until(asked)).toBe(true);
});
