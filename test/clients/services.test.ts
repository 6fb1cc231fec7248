// Services: made once for each instance of a function, and found in `hub.services`.

import { defineHub, type HubFilter, type ServiceOptions } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { closing, serve } from "./running-service.ts";

interface Services {
  readonly greet: (name: string) => string;
  readonly seen: Arrivals<string>;
}

/** Functions without memory make services for every event: see `fresh-functions.ts`. */
const FRESH = process.env.ISOLATE !== undefined;

const chat = defineHub<object, Services>()({
  methods: {
    greet: (hub, name: string) => hub.services.greet(name),
    own: (hub, name: string) => Object.hasOwn(hub.services, name),
  },
  onConnected: (hub) => void hub.services.seen.push("connected"),
  onDisconnected: (hub) => void hub.services.seen.push("disconnected"),
});
const plain = defineHub()({ methods: { echo: (_hub, value: unknown) => value } });

function makerOf(fail: (attempt: number) => void = () => undefined) {
  const seen = new Arrivals<string>();
  let attempts = 0;
  return {
    seen,
    get attempts() {
      return attempts;
    },
    async make(): Promise<Services> {
      attempts += 1;
      const attempt = attempts;
      await new Promise((resolve) => setImmediate(resolve));
      fail(attempt);
      return { greet: (name) => `Hello ${name}`, seen };
    },
  };
}

describe("services", () => {
  it("are found in methods, events and filters, made once", async () => {
    const maker = makerOf();
    const filter: HubFilter<Services> = {
      invokeMethod(context, next) {
        context.services.seen.push(`filter ${context.hubMethodName}`);
        return next(context);
      },
    };
    const service = await serve({ hubs: { chat }, services: () => maker.make(), filters: [filter] });
    expect(maker.attempts).toBe(0);
    const [connection, other] = [await service.connect(), await service.connect()];
    const greetings = [connection.invoke("greet", "Ada"), other.invoke("greet", "Grace")];
    expect(await Promise.all(greetings)).toEqual(["Hello Ada", "Hello Grace"]);
    await Promise.all([connection.stop(), other.stop()]);
    expect(await service.table.ended()).toBe(0);
    expect([...maker.seen.all].sort()).toEqual(
      ["connected", "disconnected", "filter greet"].flatMap((name) => [name, name]),
    );
    if (!FRESH) expect(maker.attempts).toBe(1);
  });

  it("are an empty object without the option", async () => {
    const service = await serve({
      hubs: { chat: defineHub()({ methods: { keys: (hub) => Object.keys(hub.services) } }) },
    });
    expect(await (await service.connect()).invoke("keys")).toEqual([]);
  });

  it("that could not be made are an error to whoever needs them, and made again for the next", async () => {
    const cause = new Error("No route to the database.");
    let isDown = true;
    const maker = makerOf(() => {
      if (isDown) throw cause;
    });
    const service = await serve({ hubs: { plain }, services: () => maker.make() });
    const [connection, other] = [await service.connect("/plain"), await service.connect("/plain")];
    const error = new Error("An unexpected error occurred invoking 'echo' on the server.");
    await expect(connection.invoke("echo", 1)).rejects.toThrow(error);
    await expect(connection.invoke("echo", 2)).rejects.toThrow(error);
    isDown = false;
    expect(await connection.invoke("echo", 3)).toBe(3);
    expect(await other.invoke("echo", 4)).toBe(4);
    const logged = service.lines.all.filter(({ level }) => level === "error");
    const line = {
      message: "A hub method failed.",
      error: expect.objectContaining({ code: "services_failed", cause }),
    };
    expect(logged).toMatchObject([line, line]);
    if (!FRESH) expect(maker.attempts).toBe(3);
  });

  it("that could not be made close a connection whose onConnected needs them", async () => {
    const maker = makerOf((attempt) => {
      if (attempt === 1) throw new Error("No route to the database.");
    });
    const service = await serve({ hubs: { chat }, services: () => maker.make() });
    const connection = service.track(service.build("/chat").build());
    const closed = closing(connection);
    await connection.start();
    expect((await closed)?.message).toBe("Server returned an error on close: Connection closed with an error.");
    expect(await (await service.connect()).invoke("greet", "Ada")).toBe("Hello Ada");
    expect(maker.seen.all).toEqual(["connected"]);
  });

  it.each([[undefined], [null], ["db"]])("must be an object, not %j", async (made) => {
    const services = (() => made) as unknown as NonNullable<ServiceOptions["services"]>;
    const service = await serve({ hubs: { plain }, services, enableDetailedErrors: true });
    await expect((await service.connect("/plain")).invoke("echo", 1)).rejects.toThrow(
      "ServicesError: `services` of defineService must return an object.",
    );
  });
});
