// Hub filters around methods and events, as clients see them.

import { defineHub, HubException, type HubFilter, type HubInvocationContext } from "signalr-lambda";
import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Arrivals } from "../local/local-gateway.ts";
import { closing, type RunningService, serve } from "./running-service.ts";
import { VirtualTime } from "./virtual-time.ts";

let steps: string[] = [];
let ended = new Arrivals<string>();
beforeEach(() => {
  steps = [];
  ended = new Arrivals();
});

/** Notes when it is entered and left. */
function noting(name: string): HubFilter {
  return {
    async invokeMethod(context, next) {
      steps.push(`${name} >`);
      const result = await next(context);
      steps.push(`< ${name}`);
      return result;
    },
    async onConnected(context, next) {
      steps.push(`${name} connected >`);
      await next(context);
      steps.push(`< ${name}`);
    },
    async onReconnected(context, next) {
      await next(context);
      ended.push(`${name} reconnected ${context.hub.connectionId}`);
    },
    async onDisconnected(context, reason, next) {
      await next(context, reason);
      ended.push(`${name} disconnected ${reason.stopCalled}`);
    },
  };
}

function hubWith(filters?: readonly HubFilter[], inEvent: () => void = () => undefined) {
  return defineHub<{ told(text: string): void }>()({
    ...(filters && { filters }),
    methods: {
      echo(_hub, ...values: unknown[]) {
        steps.push("method");
        return values;
      },
      double: { args: [z.number()], handler: (_hub, value) => value * 2 },
      admin: { args: [], authorize: { roles: ["Admin"] }, handler: () => "secret" },
      fail() {
        throw new RangeError("inside");
      },
      remember: (hub) => hub.items.get("filtered"),
    },
    onConnected() {
      steps.push("connected");
      inEvent();
    },
    onReconnected: (hub) => void ended.push(`reconnected ${hub.connectionId}`),
    onDisconnected: (_hub, { stopCalled, error }) => void ended.push(`disconnected ${stopCalled} ${error?.code}`),
  });
}

describe("filters of methods", () => {
  const withFilter = (invokeMethod: NonNullable<HubFilter["invokeMethod"]>, ...inner: HubFilter[]) =>
    serve({ hubs: { chat: hubWith(inner), plain: hubWith() }, filters: [{ invokeMethod }] });

  it("run in their order, those of the service outside those of the hub", async () => {
    const hubs = { chat: hubWith([noting("hub 1"), noting("hub 2")]), plain: hubWith() };
    const service = await serve({ hubs, filters: [noting("1"), noting("2")] });
    expect(await (await service.connect()).invoke("echo", 1)).toEqual([1]);
    expect(steps).toEqual([
      ...["1 connected >", "2 connected >", "hub 1 connected >", "hub 2 connected >", "connected"],
      ...["< hub 2", "< hub 1", "< 2", "< 1"],
      ...["1 >", "2 >", "hub 1 >", "hub 2 >", "method", "< hub 2", "< hub 1", "< 2", "< 1"],
    ]);
    const plain = await service.connect("/plain");
    steps = [];
    await plain.invoke("echo");
    expect(steps.slice(-5)).toEqual(["1 >", "2 >", "method", "< 2", "< 1"]);
  });

  it("are shown the caller, the method's own name, the checked arguments and the services", async () => {
    const seen: HubInvocationContext[] = [];
    const services = { db: "db" };
    const invokeMethod: HubFilter["invokeMethod"] = (context, next) => {
      seen.push(context);
      return next(context);
    };
    const service = await serve({ hubs: { chat: hubWith() }, filters: [{ invokeMethod }], services: () => services });
    const connection = await service.connect();
    expect(await connection.invoke("DOUBLE", 4)).toBe(8);
    expect(seen).toMatchObject([{ hubMethodName: "double", hubMethodArguments: [4] }]);
    expect(seen[0]?.services).toBe(services);
    expect(seen[0]?.hub.services).toBe(services);
    expect(seen[0]?.hub.connectionId).toBe(connection.connectionId);
  });

  it("may change arguments and the result, also for the filters inside", async () => {
    const inner: unknown[] = [];
    const service = await withFilter(
      async (context, next) => {
        const [first] = context.hubMethodArguments;
        return { was: await next({ ...context, hubMethodArguments: [Number(first) + 1] }) };
      },
      {
        invokeMethod(context, next) {
          inner.push(context.hubMethodArguments);
          return next(context);
        },
      },
    );
    const connection = await service.connect();
    expect(await connection.invoke("double", 4)).toEqual({ was: 10 });
    expect(inner).toEqual([[5]]);
  });

  it("may call next with arguments alone, twice, or without any", async () => {
    const service = await withFilter(async (_context, next) => {
      const again = next as unknown as () => Promise<unknown>;
      return [await next({ hubMethodArguments: ["other"] }), await again()];
    });
    const connection = await service.connect();
    expect(await connection.invoke("echo", "given")).toEqual([["other"], ["given"]]);
  });

  it("keep the method from running by not calling next, and answer in its place", async () => {
    const service = await withFilter(() => "cached");
    const connection = await service.connect();
    expect(await connection.invoke("echo", 1)).toBe("cached");
    expect(steps).toEqual(["connected"]);
  });

  it("answer with null when they return nothing", async () => {
    const service = await withFilter(async (context, next) => {
      await next(context);
    });
    expect(await (await service.connect()).invoke("echo", 1)).toBeNull();
  });

  it("throw what reaches the client like the method's own errors", async () => {
    const errors: Record<string, Error> = { told: new HubException("Slow down."), hidden: new TypeError("inside") };
    const service = await withFilter((context, next) => {
      const error = errors[String(context.hubMethodArguments[0])];
      if (error !== undefined) throw error;
      return next(context);
    });
    const [connection, other] = [await service.connect(), await service.connect()];
    const text = "An unexpected error occurred invoking 'echo' on the server.";
    await expect(connection.invoke("echo", "told")).rejects.toThrow(new Error(`${text} HubException: Slow down.`));
    await expect(connection.invoke("echo", "hidden")).rejects.toThrow(new Error(text));
    expect(await connection.invoke("echo", "fine")).toEqual(["fine"]);
    expect(await other.invoke("echo", "fine")).toEqual(["fine"]);
    const logged = service.lines.all.filter(({ level }) => level === "error");
    expect(logged).toMatchObject([{ method: "echo", error: errors.hidden }]);
  });

  it("may map the method's errors", async () => {
    const service = await withFilter(async (context, next) => {
      try {
        return await next(context);
      } catch (cause) {
        throw new HubException(`Mapped: ${(cause as Error).message}`);
      }
    });
    const text = "An unexpected error occurred invoking 'fail' on the server. HubException: Mapped: inside";
    await expect((await service.connect()).invoke("fail")).rejects.toThrow(new Error(text));
  });

  it("do not see what is unknown, unauthorised, badly bound or a stream of no streaming method", async () => {
    const service = await withFilter((context, next) => {
      steps.push(context.hubMethodName);
      return next(context);
    });
    const connection = await service.connect();
    await connection.invoke("echo");
    steps = [];
    await expect(connection.invoke("unknown")).rejects.toThrow("Method does not exist.");
    await expect(connection.invoke("admin")).rejects.toThrow("user is unauthorized");
    await expect(connection.invoke("double", "text")).rejects.toThrow("Validation failed");
    const refused = new Promise((_resolve, error) => {
      connection.stream("echo").subscribe({ next() {}, complete() {}, error });
    });
    await expect(refused).rejects.toThrow("non-streaming 'echo' method with a streaming invocation");
    expect(steps).toEqual([]);
  });

  it("may leave the caller's items changed", async () => {
    const service = await withFilter((context, next) => {
      context.hub.items.set("filtered", context.hubMethodName);
      return next(context);
    });
    const connection = await service.connect();
    await connection.invoke("echo");
    expect(await connection.invoke("remember")).toBe("remember");
  });

  it("keep their own state when they are instances of classes", async () => {
    class Counting implements HubFilter {
      readonly #names: string[] = [];
      readonly invokeMethod: NonNullable<HubFilter["invokeMethod"]> = (context, next) => {
        this.#names.push(context.hubMethodName);
        return next(context);
      };
      onConnected(_context: unknown, next: () => Promise<void>) {
        this.#names.push("onConnected");
        return next();
      }
      get names() {
        return this.#names;
      }
    }
    const filter = new Counting();
    const service = await serve({ hubs: { chat: hubWith([filter]) } });
    await (await service.connect()).invoke("echo");
    expect(filter.names).toEqual(["onConnected", "echo"]);
  });
});

describe("filters of events", () => {
  it("run where a hub has no such event", async () => {
    const silent = defineHub()({ methods: { echo: (_hub, value: unknown) => value } });
    const service = await serve({ hubs: { chat: silent }, filters: [noting("1")] });
    const connection = await service.connect();
    expect(await connection.invoke("echo", 1)).toBe(1);
    expect(steps).toEqual(["1 connected >", "< 1", "1 >", "< 1"]);
    await connection.stop();
    expect(await ended.next()).toBe("1 disconnected true");
  });

  it("keep onConnected and onDisconnected from running by not calling next; the client stays", async () => {
    const filter: HubFilter = { onConnected: () => undefined, onDisconnected: () => void ended.push("filter") };
    const service = await serve({ hubs: { chat: hubWith([filter]) } });
    const connection = await service.connect();
    expect(await connection.invoke("echo", 1)).toEqual([1]);
    expect(steps).toEqual(["method"]);
    await connection.stop();
    expect(await ended.next()).toBe("filter");
    expect(await service.table.ended()).toBe(0);
    expect(ended.all).toEqual(["filter"]);
  });

  it("close the connection by throwing in onConnected, and onDisconnected does not run", async () => {
    const error = new HubException("Not today.");
    const filter: HubFilter = { onConnected: () => Promise.reject(error) };
    const service = await serve({ hubs: { chat: hubWith([noting("1"), filter]), plain: hubWith() } });
    const other = await service.connect("/plain");
    const connection = service.track(service.build("/chat").build());
    const closed = closing(connection);
    await connection.start();
    const text = "Server returned an error on close: Connection closed with an error. HubException: Not today.";
    expect(await closed).toEqual(new Error(text));
    expect(await other.invoke("echo", 1)).toEqual([1]);
    expect(ended.all).toEqual([]);
    expect(await logged(service, "onConnected failed.")).toMatchObject([{ error }]);
  });

  it("learn what onConnected threw", async () => {
    const filter: HubFilter = {
      async onConnected(context, next) {
        await next(context).catch((error) => steps.push(`caught ${error.message}`));
      },
    };
    const failing = hubWith([filter], () => {
      throw new Error("inside");
    });
    const service = await serve({ hubs: { chat: failing } });
    expect(await (await service.connect()).invoke("echo", 1)).toEqual([1]);
    expect(steps).toEqual(["connected", "caught inside", "method"]);
  });

  it("may give onDisconnected another reason", async () => {
    const filter: HubFilter = {
      onDisconnected: (context, reason, next) => next(context, { ...reason, stopCalled: !reason.stopCalled }),
    };
    const service = await serve({ hubs: { chat: hubWith() }, filters: [filter, noting("inner")] });
    await (await service.connect()).stop();
    expect(await ended.next()).toBe("disconnected false undefined");
    expect(await ended.next()).toBe("inner disconnected false");
  });

  it("that throw in onDisconnected are logged, and the connection ends all the same", async () => {
    const error = new Error("Not today.");
    const service = await serve({
      hubs: { chat: hubWith() },
      filters: [{ onDisconnected: () => Promise.reject(error) }],
    });
    await (await service.connect()).stop();
    expect(await service.table.ended()).toBe(0);
    expect(await logged(service, "onDisconnected failed.")).toMatchObject([{ error }]);
  });

  it("run around onReconnected", async () => {
    const time = await VirtualTime.serve({ hubs: { chat: hubWith([noting("hub")]) }, filters: [noting("1")] });
    const { service } = time;
    const builder = service.build(`/chat?resume=${"k".repeat(32)}`, time.network.options);
    const connection = service.track(builder.withAutomaticReconnect().build());
    await time.until(connection.start());
    const id = connection.connectionId;
    time.network.webSocket?.terminate();
    expect(await time.until(ended.next())).toBe(`reconnected ${id}`);
    expect(await time.until(ended.next())).toBe(`hub reconnected ${id}`);
    expect(await time.until(ended.next())).toBe(`1 reconnected ${id}`);
  });
});

async function logged(service: RunningService, message: string): Promise<readonly unknown[]> {
  return service.lines.all.filter((line) => line.message === message);
}
