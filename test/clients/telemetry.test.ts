// What the log says of invocations, connects and disconnects, and of the traces they belong to.

import { defineHub, HubException } from "signalr-lambda";
import { expect, it } from "vitest";
import { z } from "zod";
import type { LogFields } from "../../lambdas/hub/index.ts";
import { closing, type RunningService, serve } from "./running-service.ts";

const chat = defineHub()({
  methods: {
    echo: { name: "Echo", args: [z.string()], handler: (_hub, text) => text },
    trace: (hub) => {
      hub.log.info("Mine.");
      return hub.traceContext ?? "none";
    },
    tell() {
      throw new HubException("No.");
    },
    fail() {
      throw new Error("broken");
    },
  },
});

const told = ({ lines }: RunningService, message: string): readonly LogFields[] =>
  lines.all.filter((line) => line.message === message);

it("has one line for each invocation, with its outcome and nothing that was said", async () => {
  const service = await serve({ hubs: { chat } });
  const connection = await service.connect();
  await connection.invoke("echo", "a secret");
  await connection.invoke("ECHO", 1).catch(() => undefined);
  await connection.invoke("tell").catch(() => undefined);
  await connection.invoke("fail").catch(() => undefined);
  await connection.invoke("constructor").catch(() => undefined);
  await connection.invoke(`secret ${"x".repeat(10_000)}`).catch(() => undefined);

  const unknown = `secret ${"x".repeat(93)}`;
  const common = { level: "info", hub: "chat", connectionId: connection.connectionId, duration: 0 };
  const invocations = told(service, "Invoked a hub method.");
  expect(invocations).toEqual(
    [
      ["Echo", "completed"],
      ["Echo", "refused"],
      ["tell", "refused"],
      ["fail", "failed"],
      ["constructor", "refused"],
      [unknown, "refused"],
    ].map(([method, outcome]) => ({ ...common, message: "Invoked a hub method.", method, outcome })),
  );
  expect(JSON.stringify(service.lines.all)).not.toContain("a secret");
});

it("has a line when a connection opens and one when it ends", async () => {
  const service = await serve({ hubs: { chat } });
  const connection = await service.connect();
  const { connectionId } = connection;
  await connection.invoke("echo", "x");
  const closed = closing(connection);
  await connection.stop();
  await closed;
  await service.leave();
  const common = { level: "info", hub: "chat", connectionId };
  expect(told(service, "A connection ended.")).toEqual([
    { ...common, message: "A connection ended.", code: "stopped", stopCalled: true },
  ]);
  expect(told(service, "A connection opened.")).toEqual([{ ...common, message: "A connection opened." }]);
});

it("binds an invocation to the trace of its message, and gives it to the method", async () => {
  const service = await serve({ hubs: { chat } });
  const client = await service.greet();
  const invoke = async (headers: Readonly<Record<string, string>>): Promise<unknown> => {
    client.send({ type: 1, invocationId: "1", target: "trace", arguments: [], headers });
    return (await client.next()).result;
  };
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const spanId = "00f067aa0ba902b7";
  const headers = { traceparent: `00-${traceId}-${spanId}-01`, tracestate: "a=1", other: "x" };
  expect(await invoke(headers)).toEqual({
    traceId,
    spanId,
    isSampled: true,
    traceparent: headers.traceparent,
    tracestate: "a=1",
  });
  for (const message of ["Mine.", "Invoked a hub method."]) {
    expect(told(service, message)).toMatchObject([{ traceId, spanId }]);
  }
  expect(await invoke({ traceparent: "00-oops" })).toBe("none");
  expect(told(service, "Mine.")[1]).not.toHaveProperty("traceId");
});
